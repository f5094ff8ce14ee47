//! The error of a single call.

use crate::{
    http_client::describe,
    wecom::{TransportErrorKind, reply::InvalidReply},
};

/// A call without a usable reply.
pub(super) struct CallError {
    pub(super) kind: TransportErrorKind,
    pub(super) detail: String,
    /// WeCom surely did not get the request.
    pub(super) not_sent: bool,
}

impl CallError {
    pub(super) fn invalid_reply(detail: String) -> Self {
        Self { kind: TransportErrorKind::InvalidReply, detail, not_sent: false }
    }

    pub(super) fn foreign_reply(error: InvalidReply, body: &[u8]) -> Self {
        Self::invalid_reply(format!("a reply of {} bytes that is not WeCom's: {error}", body.len()))
    }
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        // A connect that timed out is both. `Connect` wins, because then the request was surely not sent.
        let (kind, not_sent) = if error.is_connect() || error.is_builder() {
            (TransportErrorKind::Connect, true)
        } else if error.is_timeout() {
            (TransportErrorKind::Timeout, false)
        } else {
            (TransportErrorKind::Lost, false)
        };
        Self { kind, detail: describe(error), not_sent }
    }
}
