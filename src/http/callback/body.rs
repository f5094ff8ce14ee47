//! Reads the body of a callback within limits for size, time and memory.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::HeaderMap};
use futures_util::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::answer::CallbackRejection;
use crate::http::body::content_length;

/// The largest body. That of a press has some 1500 bytes.
const MAX_BODY_BYTES: usize = 16 << 10;
/// The time limit for a whole body. WeCom hangs up after 5 s.
const BODY_TIME: Duration = Duration::from_secs(5);
/// The memory for all bodies together. They are not counted in `server.max_memory`, so that strangers who fill it do not
/// keep alerts out.
const ALL_BODIES_BYTES: usize = 8 << 20;

/// The memory for bodies. Clones share it.
#[derive(Debug, Clone)]
pub struct CallbackBuffers(Arc<Semaphore>);

impl Default for CallbackBuffers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_BODIES_BYTES)))
    }
}

/// A body, and the memory that it uses.
pub(super) struct CallbackBody {
    pub(super) bytes: Vec<u8>,
    _memory: Option<OwnedSemaphorePermit>,
}

/// Reads a whole body. With `keep` unset, the bytes are dropped as they arrive, because the request is refused after it in any
/// case. The limits are the same, so that a stranger cannot tell the difference.
pub(super) async fn read(
    body: Body,
    headers: &HeaderMap,
    buffers: &CallbackBuffers,
    keep: bool,
) -> Result<CallbackBody, CallbackRejection> {
    if content_length(headers).is_some_and(|announced| announced > MAX_BODY_BYTES) {
        return Err(CallbackRejection::TooLarge);
    }
    let deadline = Instant::now() + BODY_TIME;
    let (mut bytes, mut memory, mut arrived) = (Vec::new(), None, 0);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) =
        timeout_at(deadline, chunks.next()).await.map_err(|_| CallbackRejection::Incomplete)?
    {
        let chunk = chunk.map_err(|_| CallbackRejection::Incomplete)?;
        arrived += chunk.len();
        if arrived > MAX_BODY_BYTES {
            return Err(CallbackRejection::TooLarge);
        }
        let reserved = reserve(chunk.len(), buffers)?;
        if keep {
            merge(&mut memory, reserved);
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(CallbackBody { bytes, _memory: memory })
}

fn reserve(bytes: usize, buffers: &CallbackBuffers) -> Result<OwnedSemaphorePermit, CallbackRejection> {
    let bytes = u32::try_from(bytes).map_err(|_| CallbackRejection::TooLarge)?;
    Arc::clone(&buffers.0).try_acquire_many_owned(bytes).map_err(|_| CallbackRejection::Overloaded)
}

fn merge(memory: &mut Option<OwnedSemaphorePermit>, more: OwnedSemaphorePermit) {
    match memory {
        Some(memory) => memory.merge(more),
        None => *memory = Some(more),
    }
}
