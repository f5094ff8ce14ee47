//! The answers of the server, and the status of each.
//!
//! The status is a protocol with Alertmanager, which retries after 5xx and transport errors only. After 4xx, also 408,
//! 413 and 429, it drops the notification. So 2xx means that the notification is on disk, 4xx that it can never be
//! accepted, and 503 that Alertmanager should retry.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    access_control::Challenge, encoding::EncodingError, memory::MAX_BODY_BYTES, render_pool::Overloaded,
};
use crate::{
    intake::{NothingToSend, ParseError},
    outbox::{NotificationId, ReceiverName, StoreError},
};

/// The seconds after which a client should try again. Alertmanager has its own pauses.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// A webhook that is answered with 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Accepted {
    /// The notification is on disk.
    Stored { receiver: ReceiverName, id: NotificationId },
    /// The notification repeats `id`, which is on disk.
    Duplicate { receiver: ReceiverName, id: NotificationId },
    /// The payload causes no message.
    Filtered(NothingToSend),
}

impl Accepted {
    pub(super) fn receiver(&self) -> &ReceiverName {
        match self {
            Self::Stored { receiver, .. } | Self::Duplicate { receiver, .. } => receiver,
            Self::Filtered(why) => why.receiver(),
        }
    }

    /// The notification that is on disk.
    pub(super) fn notification(&self) -> Option<NotificationId> {
        match self {
            Self::Stored { id, .. } | Self::Duplicate { id, .. } => Some(*id),
            Self::Filtered(_) => None,
        }
    }

    /// The `result` label of the metric.
    pub(super) fn result(&self) -> &'static str {
        match self {
            Self::Stored { .. } => "accepted",
            Self::Duplicate { .. } => "duplicate",
            Self::Filtered(_) => "filtered",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Stored { id, .. } => format!("accepted as notification {id}"),
            Self::Duplicate { id, .. } => {
                format!("duplicate of notification {id}, which was accepted before")
            }
            Self::Filtered(why) => why.to_string(),
        }
    }
}

/// The results of one webhook, for each of its receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AcceptedAll(pub(super) Vec<Accepted>);

impl IntoResponse for AcceptedAll {
    fn into_response(self) -> Response {
        let text = match self.0.as_slice() {
            [only] => only.text(),
            all => {
                let line = |one: &Accepted| format!("receiver {}: {}", one.receiver(), one.text());
                all.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        };
        plain_text(StatusCode::OK, text)
    }
}

/// A request that is not answered with 200. The text is for the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rejection {
    #[error(transparent)]
    Invalid(#[from] ParseError),
    #[error(
        "the body is larger than {} MiB; set max_alerts in Alertmanager's webhook_configs",
        MAX_BODY_BYTES >> 20
    )]
    TooLarge,
    /// The body did not arrive in time, or ended early.
    #[error("the body did not arrive: {0}")]
    Incomplete(String),
    /// `receiver` is known if a notification was not stored.
    #[error("not accepted, try again: {error}")]
    Store { receiver: Option<ReceiverName>, error: StoreError },
    #[error("not accepted, try again: too much at once")]
    Overloaded,
    #[error("not accepted, try again: the relay is stopping")]
    Stopping,
    #[error("{0}")]
    Unauthorized(Challenge),
    #[error(
        "refused, because a browser sent this request for a page of another site (Sec-Fetch-Site, Origin); send it \
         without a browser, or from a page of the relay"
    )]
    CrossOrigin,
    #[error(
        "refused, because everybody on this machine may use the relay, and the Host header may be that of a foreign \
         site; use http://127.0.0.1 or http://localhost in the URL, or set server.auth"
    )]
    ForeignHost,
    /// The problems of the new configuration.
    #[error("not reloaded, the old configuration stays in force:\n{0}")]
    NotReloaded(String),
    #[error("not found; {0}")]
    UnknownPath(PathHint),
    #[error("this method is not allowed; send a webhook by POST, or see the Allow header")]
    WrongMethod,
    #[error("this method is not allowed; a reload is a POST")]
    ReloadMethod,
    #[error(transparent)]
    Encoding(#[from] EncodingError),
}

/// The probable intention of a request to an unknown path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathHint {
    #[error("send Alertmanager's webhook to /webhook or /webhook/{{receiver}}")]
    Webhook,
    #[error(
        "this is a path of Alertmanager's API: point Prometheus at Alertmanager, and `webhook_configs` of Alertmanager \
         at /webhook or /webhook/{{receiver}}"
    )]
    AlertmanagerApi,
    #[error(
        "this is a path of WeCom's API: use `webhook_configs` instead of `wechat_configs`, and send Alertmanager's \
         webhook to /webhook or /webhook/{{receiver}}"
    )]
    WecomApi,
}

impl PathHint {
    pub(super) fn of(path: &str) -> Self {
        let begins = |beginning: &str| path.trim_start_matches('/').starts_with(beginning);
        if begins("api/v1") || begins("api/v2") || begins("api/prom") {
            Self::AlertmanagerApi
        } else if begins("cgi-bin") {
            Self::WecomApi
        } else {
            Self::Webhook
        }
    }
}

impl Rejection {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(ParseError::Payload(_)) => StatusCode::BAD_REQUEST,
            Self::Invalid(ParseError::UnknownReceiver { .. } | ParseError::NoReceiver { .. })
            | Self::UnknownPath(_) => StatusCode::NOT_FOUND,
            Self::Encoding(EncodingError::Damaged) => StatusCode::BAD_REQUEST,
            Self::Encoding(EncodingError::Zstd | EncodingError::Brotli) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::CrossOrigin | Self::ForeignHost => StatusCode::FORBIDDEN,
            Self::WrongMethod | Self::ReloadMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotReloaded(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Incomplete(_) | Self::Store { .. } | Self::Overloaded | Self::Stopping => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The receiver of a notification that was not stored; otherwise it is not known.
    pub(super) fn receiver(&self) -> Option<&ReceiverName> {
        match self {
            Self::Store { receiver, .. } => receiver.as_ref(),
            _ => None,
        }
    }

    /// The `result` label of the metric.
    pub(super) fn result(&self) -> &'static str {
        match self {
            Self::Incomplete(_) => "incomplete",
            Self::Store { .. } => "storage_error",
            Self::Overloaded => "overload",
            Self::Stopping => "draining",
            Self::Invalid(_)
            | Self::TooLarge
            | Self::Unauthorized(_)
            | Self::CrossOrigin
            | Self::ForeignHost
            | Self::NotReloaded(_)
            | Self::UnknownPath(_)
            | Self::Encoding(_)
            | Self::WrongMethod
            | Self::ReloadMethod => "rejected",
        }
    }

    /// Tells apart what the log limits separately.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(ParseError::Payload(_)) => "payload",
            Self::Invalid(_) => "receiver",
            Self::UnknownPath(_) => "path",
            Self::WrongMethod | Self::ReloadMethod => "method",
            Self::Encoding(_) => "encoding",
            _ => self.result(),
        }
    }
}

impl From<Overloaded> for Rejection {
    fn from(_: Overloaded) -> Self {
        Self::Overloaded
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = plain_text(self.status(), self.to_string());
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if let Self::Unauthorized(challenge) = self {
            for value in challenge.headers() {
                response.headers_mut().append(header::WWW_AUTHENTICATE, value);
            }
        }
        response
    }
}

/// A line of text.
pub(super) fn plain_text(status: StatusCode, text: impl Into<String>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, content_type, text.into() + "\n").into_response()
}
