//! Calls the callback of the relay.

use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

use crate::{
    http_client::{HttpClientSettings, describe, http_client},
    tls::ExtraRoots,
};

/// More than any answer of the relay has.
const MAX_BODY_BYTES: usize = 4 << 10;

/// The answer to a call of the callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallbackReply {
    pub(super) status: u16,
    /// The beginning of it.
    pub(super) body: Vec<u8>,
    /// The time until it came.
    pub(super) after: Duration,
}

/// The callback did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallbackFailure {
    /// Nothing accepts connections there.
    pub(super) is_connect: bool,
    /// The reason. It has no part of the URL.
    pub(super) detail: String,
}

/// Gets `url` directly, because WeCom does not use the proxy of the app either.
pub(super) async fn call(
    url: Url,
    extra_roots: &ExtraRoots,
    limit: Duration,
) -> Result<CallbackReply, CallbackFailure> {
    let settings =
        HttpClientSettings { extra_roots, proxy_url: None, connect_timeout: limit, call_timeout: limit };
    let client = http_client(settings)
        .map_err(|error| CallbackFailure { is_connect: false, detail: error.to_string() })?;
    let began = Instant::now();
    let mut response = client.get(url).send().await.map_err(failure)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY_BYTES {
            break;
        }
    }
    Ok(CallbackReply { status, body, after: began.elapsed() })
}

fn failure(error: reqwest::Error) -> CallbackFailure {
    CallbackFailure { is_connect: error.is_connect(), detail: describe(error) }
}
