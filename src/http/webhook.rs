//! `POST /webhook` and `POST /webhook/{receiver}`.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    http::{Method, Uri, header::CONTENT_LENGTH},
};

use super::{Answer, Relay, body};
use crate::{
    intake::Taken,
    outbox::{Enqueued, Outbox},
    render::Moment,
};

/// Takes a notification; answers 200 when it is on disk.
pub(super) async fn take<O: Outbox>(
    State(relay): State<Arc<Relay<O>>>,
    receiver: Result<Option<Path<String>>, PathRejection>,
    request: Request,
) -> Answer {
    // No name of a receiver is anything but UTF-8.
    let Ok(receiver) = receiver else {
        return nowhere(request.method().clone(), request.uri().clone()).await;
    };
    let receiver = receiver.map(|Path(name)| name);
    let mut known = String::new();
    let answer =
        accept(&relay, receiver.as_deref(), request, &mut known).await.unwrap_or_else(|refused| refused);
    if let Some(result) = answer.result() {
        relay.metrics.received(&known, result);
    }
    match &answer {
        Answer::Accepted(id) => tracing::debug!(notification = %id, "accepted"),
        Answer::Duplicate(id) => tracing::info!(notification = %id, "a copy was not taken again"),
        Answer::Store(error) => tracing::error!(receiver, %error, "a notification was not accepted"),
        Answer::Overload | Answer::Draining | Answer::Incomplete(_) => {
            tracing::warn!(receiver, answer = ?answer, "a notification was not accepted; it will be sent again");
        }
        Answer::Rejected(rejected) => {
            tracing::error!(receiver, %rejected, "a request was refused, and will not be sent again");
        }
        Answer::TooLarge => tracing::error!(receiver, "a request was refused: the body is too large"),
        _ => {}
    }
    answer
}

/// Answers what goes to a path that there is not. A notification that does is lost for its sender, so it is told.
pub(super) async fn nowhere(method: Method, uri: Uri) -> Answer {
    if matches!(method, Method::POST | Method::PUT) {
        tracing::error!(path = uri.path(), "a request was refused: there is nothing at this path");
    }
    Answer::UnknownPath
}

async fn accept<O: Outbox>(
    relay: &Relay<O>,
    receiver: Option<&str>,
    request: Request,
    known: &mut String,
) -> Result<Answer, Answer> {
    if relay.stop.is_cancelled() {
        return Err(Answer::Draining);
    }
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let body = body::read(request.into_body(), length, &relay.memory).await?;
    let moment = Moment { now: relay.clock.now(), zone: None };
    let taken = relay.intake.take(receiver, &body.bytes, &moment).map_err(Answer::Rejected)?;
    drop(body);
    let (notification, failures) = match taken {
        Taken::Notification { notification, failures } => (*notification, failures),
        Taken::Unwanted(receiver) => {
            known.clone_from(&receiver.0);
            return Ok(Answer::Unwanted(receiver));
        }
    };
    known.clone_from(&notification.receiver.0);
    for failure in failures {
        relay.metrics.template_fell_back(&notification.receiver.0);
        tracing::error!(
            receiver = %notification.receiver, group = notification.group_key, %failure,
            "a template failed; the built-in text is sent in its place"
        );
    }
    match relay.outbox.enqueue(notification, relay.clock.now()).await.map_err(Answer::Store)? {
        Enqueued::Accepted(id) => Ok(Answer::Accepted(id)),
        Enqueued::Duplicate(id) => Ok(Answer::Duplicate(id)),
    }
}
