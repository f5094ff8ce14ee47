//! The answers to callbacks.
//!
//! WeCom repeats a POST up to three times unless it is answered with 200 within 5 s. So 200 means that a press is on disk, or
//! that there is nothing to store. 503 means that WeCom should try again. A stranger gets the same 403 for every mistake.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::SignedDuration;

use crate::{http::answer::plain_text, outbox::StoreError, wecom::callback::CallbackError};

/// A callback that is answered with 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallbackAnswer {
    /// The URL is verified: this is the whole body.
    Echo(String),
    /// The press is on disk.
    Stored,
    /// The press was on disk already.
    Duplicate,
    /// An event that the relay does not use.
    Unused,
}

impl CallbackAnswer {
    /// The `result` label of the metric.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Echo(_) => "verified",
            Self::Stored => "press",
            Self::Duplicate => "duplicate",
            Self::Unused => "unused",
        }
    }
}

impl IntoResponse for CallbackAnswer {
    fn into_response(self) -> Response {
        let text = match self {
            Self::Echo(text) => text,
            Self::Stored | Self::Duplicate | Self::Unused => String::new(),
        };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        (headers, text).into_response()
    }
}

/// A callback that is not answered with 200. `Display` says to operators why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallbackRejection {
    #[error(
        "no app of this name has a callback; the URL in WeCom's console ends in /callback/ and the name of an app with a \
         callback"
    )]
    UnknownApp,
    #[error(transparent)]
    Invalid(#[from] CallbackError),
    /// The age of the timestamp, which is negative for the future.
    #[error("its timestamp is {}; {}", shown_age(*.0), if_stale())]
    Stale(SignedDuration),
    /// The age of the press, which is negative for the future.
    #[error("its press was made {}; {}", shown_age(*.0), if_stale())]
    StalePress(SignedDuration),
    #[error(
        "it is for another app of the corp; in WeCom's console, the URL of each app ends in the name of that app"
    )]
    AgentId,
    #[error("its body is larger than 16 KiB, which none of WeCom's is")]
    TooLarge,
    #[error("its body did not arrive within 5 s")]
    Incomplete,
    #[error("{0}")]
    Store(StoreError),
    #[error("the outbox did not store it within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("too many bodies arrive at once")]
    Overloaded,
    #[error("the relay is stopping")]
    Stopping,
}

fn shown_age(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    let side = if seconds < 0 { "ahead of" } else { "behind" };
    format!("{} s {side} the clock of this machine", seconds.unsigned_abs())
}

fn if_stale() -> &'static str {
    "set the clock if it is wrong, for example with NTP; otherwise somebody repeats an old request"
}

impl CallbackRejection {
    /// The `result` label of the metric.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::UnknownApp => "unknown_app",
            Self::Invalid(error) => error.name(),
            Self::Stale(_) | Self::StalePress(_) => "stale",
            Self::AgentId => "agent_id",
            Self::TooLarge => "too_large",
            Self::Incomplete => "incomplete",
            Self::Store(_) | Self::Slow(_) => "storage_error",
            Self::Overloaded => "overload",
            Self::Stopping => "draining",
        }
    }

    /// True if the relay is the reason, and WeCom should try again.
    pub(super) fn is_temporary(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Slow(_) | Self::Overloaded | Self::Stopping)
    }
}

impl IntoResponse for CallbackRejection {
    fn into_response(self) -> Response {
        let mut response = match self.is_temporary() {
            true => plain_text(StatusCode::SERVICE_UNAVAILABLE, "try again"),
            false => plain_text(StatusCode::FORBIDDEN, "refused"),
        };
        // A stranger does not need to keep a connection slot.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// The answer to every method but GET and POST.
pub(super) fn wrong_method() -> Response {
    let mut response = plain_text(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_timestamp_says_on_which_side_it_is() {
        let text = |seconds| CallbackRejection::Stale(SignedDuration::from_secs(seconds)).to_string();
        assert!(text(700).starts_with("its timestamp is 700 s behind the clock"), "{}", text(700));
        assert!(text(-700).starts_with("its timestamp is 700 s ahead of the clock"), "{}", text(-700));
    }
}
