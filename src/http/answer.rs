//! Every answer and its status, in one place.
//!
//! Alertmanager tries again after 5xx only; after 4xx, 408, 413 and 429 among them, it drops the notification. So
//! 4xx says "as it is this can never be taken", 503 says "not now", and 200 says "it is on disk".

use std::fmt;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{BODY_BYTES, Challenge};
use crate::{
    intake::Rejected,
    outbox::{NotificationId, ReceiverName, StoreError},
};

/// The `result` of what can never be taken.
pub(super) const REJECTED: &str = "rejected";

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The notification is on disk.
    Accepted(NotificationId),
    /// This one, of which the request is a copy, is on disk.
    Duplicate(NotificationId),
    /// The receiver does not want resolved alerts.
    Unwanted(ReceiverName),
    /// The body is nothing that can be delivered, or nobody is there to get it.
    Rejected(Rejected),
    /// The body, or what would be made of it, is larger than any notification.
    TooLarge,
    /// The body did not arrive in time, or ended early.
    Incomplete(String),
    /// The store does not take it.
    Store(StoreError),
    /// Too much at once.
    Overload,
    /// The request brings none of the credentials that are asked for.
    Unauthorized(Challenge),
    /// The daemon is stopping.
    Draining,
    /// The process is alive.
    Healthy,
    /// The store takes writes.
    Ready,
    /// The configuration was read again; what came of it.
    Reloaded(String),
    /// The configuration was read again and not taken; why.
    NotReloaded(String),
    /// There is nothing at this path.
    UnknownPath,
    /// Not with this method.
    WrongMethod,
}

impl Answer {
    /// The status, which decides what Alertmanager does next.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Accepted(_)
            | Self::Duplicate(_)
            | Self::Unwanted(_)
            | Self::Healthy
            | Self::Ready
            | Self::Reloaded(_) => StatusCode::OK,
            Self::NotReloaded(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Rejected(Rejected::Payload(_)) => StatusCode::BAD_REQUEST,
            Self::Rejected(Rejected::UnknownReceiver { .. }) | Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete(_) | Self::Store(_) | Self::Overload | Self::Draining => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// What a webhook came to, as `result` of a metric; `None` for what no webhook's handler answers.
    pub(super) fn result(&self) -> Option<&'static str> {
        Some(match self {
            Self::Accepted(_) => "accepted",
            Self::Duplicate(_) => "duplicate",
            Self::Unwanted(_) => "filtered",
            Self::Rejected(_) | Self::TooLarge => REJECTED,
            Self::Incomplete(_) => "incomplete",
            Self::Store(_) => "storage_error",
            Self::Overload => "overload",
            Self::Draining => "draining",
            Self::Healthy
            | Self::Ready
            | Self::Reloaded(_)
            | Self::NotReloaded(_)
            | Self::UnknownPath
            | Self::Unauthorized(_)
            | Self::WrongMethod => return None,
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Accepted(id) => format!("accepted as notification {id}"),
            Self::Duplicate(id) => format!("a copy of notification {id}, which was accepted before"),
            Self::Unwanted(receiver) => {
                format!(
                    "nothing to send: all alerts are resolved and receiver {receiver} has send_resolved: false"
                )
            }
            Self::Rejected(rejected) => rejected.to_string(),
            Self::TooLarge => format!(
                "the body is larger than {} MiB, or has too many values; set max_alerts in Alertmanager's \
                 webhook_configs",
                BODY_BYTES >> 20
            ),
            Self::Incomplete(detail) => format!("the body did not arrive: {detail}"),
            Self::Store(error) => format!("not accepted, try again: {error}"),
            Self::Overload => "not accepted, try again: too much at once".to_owned(),
            Self::Unauthorized(challenge) => challenge.to_string(),
            Self::Draining => "not accepted, try again: the relay is stopping".to_owned(),
            Self::Healthy => "alive".to_owned(),
            Self::Ready => "ready".to_owned(),
            Self::Reloaded(said) => said.clone(),
            Self::NotReloaded(problems) => {
                format!("not reloaded, and the old configuration stays:\n{problems}")
            }
            Self::UnknownPath => {
                "nothing here; Alertmanager's webhook goes to /webhook or /webhook/{receiver}".to_owned()
            }
            Self::WrongMethod => "not with this method; a webhook is a POST".to_owned(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        let mut response = (self.status(), plain, self.text() + "\n").into_response();
        if let Self::Unauthorized(challenge) = self {
            for value in challenge.headers() {
                response.headers_mut().append(header::WWW_AUTHENTICATE, value);
            }
        }
        response
    }
}
