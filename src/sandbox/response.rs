//! The HTTP response to a call: how and when it is given.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::calls::CallResponse;
use super::reply::Reply;

/// RFC 9110's format of a date. A [`Timestamp`] is in UTC.
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// Marks a response whose connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct HangUp;

fn hang_up() -> Response<Body> {
    let text = "The sandbox closes this connection instead, but only behind Sandbox::serve.";
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.extensions_mut().insert(HangUp);
    response
}

pub(super) struct TimedResponse {
    pub(super) kind: ResponseKind,
    pub(super) latency: Duration,
    /// The value of the header `Date`.
    pub(super) date: Timestamp,
}

pub(super) enum ResponseKind {
    Reply(Reply),
    Status(u16, String),
    /// The first half of a reply, then the connection is closed.
    HalfReply(Reply),
    /// No response, while the connection stays open.
    Hang,
    /// The connection is closed without a response.
    HangUp,
}

impl ResponseKind {
    pub(super) fn summary(&self) -> CallResponse {
        match self {
            Self::Reply(reply) => CallResponse::Errcode(reply.errcode),
            Self::Status(status, _) => CallResponse::Status(*status),
            Self::HalfReply(_) | Self::Hang | Self::HangUp => CallResponse::None,
        }
    }

    /// Empty if this is not a reply of WeCom.
    pub(super) fn errmsg(&self) -> &str {
        match self {
            Self::Reply(reply) => &reply.errmsg,
            Self::Status(..) | Self::HalfReply(_) | Self::Hang | Self::HangUp => "",
        }
    }
}

impl TimedResponse {
    pub(super) async fn send(self) -> Response<Body> {
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        let mut response = match self.kind {
            ResponseKind::Reply(reply) => reply.into_response(),
            ResponseKind::Status(status, body) => {
                let mut response = Response::new(Body::from(body));
                *response.status_mut() =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let headers = response.headers_mut();
                headers.insert(header::SERVER, HeaderValue::from_static("nginx"));
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
                response
            }
            ResponseKind::HalfReply(reply) => half_reply(&reply),
            ResponseKind::Hang => std::future::pending().await,
            ResponseKind::HangUp => hang_up(),
        };
        if let Ok(date) = HeaderValue::try_from(self.date.strftime(HTTP_DATE).to_string()) {
            response.headers_mut().insert(header::DATE, date);
        }
        response
    }
}

fn half_reply(reply: &Reply) -> Response<Body> {
    let json = Bytes::from(reply.json());
    let length = json.len();
    let lost = || async {
        // The first half must be sent before the connection is closed.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    };
    let first = stream::iter([Ok(json.slice(..length / 2))]);
    let mut response = Response::new(Body::from_stream(first.chain(stream::once(lost()))));
    reply.write_headers(&mut response);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}
