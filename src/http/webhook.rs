//! `POST /webhook` and `POST /webhook/{receiver}`.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    http::{Method, Uri, header::CONTENT_LENGTH},
};

use super::{Answer, Relay, answer::REJECTED, body};
use crate::{
    delivery::step::Cause,
    intake::{self, Taken},
    metrics::Metrics,
    outbox::{Enqueued, NewNotification, Outbox},
    telemetry::clip,
};

/// Takes a notification; answers 200 when it is on disk.
pub(super) async fn take<O: Outbox>(
    State(relay): State<Arc<Relay<O>>>,
    receiver: Result<Option<Path<String>>, PathRejection>,
    request: Request,
) -> Answer {
    // No name of a receiver is anything but UTF-8.
    let Ok(receiver) = receiver else {
        return untaken(&relay, request.method(), request.uri(), Answer::UnknownPath);
    };
    let receiver = receiver.map(|Path(name)| name);
    let mut known = Known::default();
    let answer =
        accept(&relay, receiver.as_deref(), request, &mut known).await.unwrap_or_else(|refused| refused);
    if let Some(result) = answer.result() {
        relay.metrics.received(&known.receiver, result);
    }
    log(&relay, receiver.as_deref().map(clip), &known, &answer);
    answer
}

/// Says what became of a webhook. What strangers write into a payload or a path is clipped, and logged as a value,
/// which escapes it; what they can cause without an alert is logged once a second at most, all of it together.
fn log<O>(relay: &Relay<O>, receiver: Option<&str>, known: &Known, answer: &Answer) {
    let Known { app, receiver: of, group } = known;
    let group = clip(group);
    match answer {
        Answer::Accepted(id) => tracing::debug!(app, receiver = of, group, notification = %id, "accepted"),
        Answer::Duplicate(id) => {
            tracing::info!(app, receiver = of, group, notification = %id, "a copy was not taken again");
        }
        Answer::Store(error) => {
            tracing::error!(app, receiver = of, group, %error, "a notification was not accepted");
        }
        Answer::Overload
        | Answer::Draining
        | Answer::Incomplete(_)
        | Answer::Rejected(_)
        | Answer::TooLarge => {
            if let Some(unlogged) = relay.complaints.tell() {
                complain(receiver, answer, unlogged);
            }
        }
        _ => {}
    }
}

fn complain(receiver: Option<&str>, refused: &Answer, unlogged: u64) {
    let answer = refused.to_string();
    let answer = clip(&answer);
    match refused {
        // Whoever sends half a body may be gone and hear nothing.
        Answer::Incomplete(_) => {
            tracing::warn!(receiver, answer, unlogged, "a request was not taken: its body did not come");
        }
        Answer::Overload | Answer::Draining => tracing::warn!(
            receiver,
            answer,
            unlogged,
            "a notification was not accepted; its sender was asked to send it again"
        ),
        _ => tracing::error!(receiver, answer, unlogged, "a request was refused, and will not be sent again"),
    }
}

/// Answers what goes to a path that there is not.
pub(super) async fn nowhere<O: Outbox>(
    State(relay): State<Arc<Relay<O>>>,
    method: Method,
    uri: Uri,
) -> Answer {
    untaken(&relay, &method, &uri, Answer::UnknownPath)
}

/// Answers what goes to a path that there is, by a method that it does not take.
pub(super) async fn wrong_method<O: Outbox>(
    State(relay): State<Arc<Relay<O>>>,
    method: Method,
    uri: Uri,
) -> Answer {
    untaken(&relay, &method, &uri, Answer::WrongMethod)
}

/// The `answer` to what no handler takes. A notification among that is lost for its sender: it is told and counted.
fn untaken<O>(relay: &Relay<O>, method: &Method, uri: &Uri, answer: Answer) -> Answer {
    if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        relay.metrics.received("", REJECTED);
        if let Some(unlogged) = relay.complaints.tell() {
            let (path, method) = (clip(uri.path()), clip(method.as_str()));
            tracing::error!(
                path,
                method,
                unlogged,
                "a request was refused: no webhook is taken here in this way"
            );
        }
    }
    answer
}

/// What a request turned out to be about.
#[derive(Default)]
struct Known {
    app: String,
    receiver: String,
    group: String,
}

async fn accept<O: Outbox>(
    relay: &Relay<O>,
    receiver: Option<&str>,
    request: Request,
    known: &mut Known,
) -> Result<Answer, Answer> {
    if relay.stop.is_cancelled() {
        return Err(Answer::Draining);
    }
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    // Kept until the store has it, and by threads that work on it when the client is gone.
    let body::Bytes { bytes, reserved } = body::read(request.into_body(), length, &relay.memory).await?;
    // One configuration for the whole of a request, though a reload comes in between.
    let intake = relay.intake.load_full();
    let request =
        intake.request(receiver, bytes, &reserved, relay.clock.now()).await.map_err(Answer::Rejected)?;
    let order = match request {
        intake::Request::Order(order) => order,
        intake::Request::Unwanted(receiver) => {
            known.receiver.clone_from(&receiver.0);
            return Ok(Answer::Unwanted(receiver));
        }
    };
    let taken = intake.fill(order, &reserved).await.map_err(|_busy| Answer::Overload)?;
    let NewNotification { sender, receiver, group_key, .. } = &taken.notification;
    *known = Known { app: sender.0.clone(), receiver: receiver.0.clone(), group: group_key.clone() };
    tell(&taken, &relay.metrics);
    let is_dead = taken.notification.dead.is_some();
    match relay.outbox.enqueue(taken.notification, relay.clock.now()).await.map_err(Answer::Store)? {
        Enqueued::Accepted(id) => {
            if is_dead {
                relay.metrics.dead_letter(&known.receiver, Cause::Nobody.name());
            }
            Ok(Answer::Accepted(id))
        }
        Enqueued::Duplicate(id) => Ok(Answer::Duplicate(id)),
    }
}

/// Logs and counts what is not as the configuration describes it.
fn tell(taken: &Taken, metrics: &Metrics) {
    let Taken { notification, failures, unaddressed } = taken;
    let (app, receiver) = (&notification.sender, &notification.receiver);
    let group = clip(&notification.group_key);
    for failure in failures {
        metrics.template_fell_back(&receiver.0);
        let failure = failure.to_string();
        tracing::error!(%app, %receiver, group, failure, "a message is not as configured; a plainer text stands in");
    }
    let why = unaddressed.as_ref().map(ToString::to_string);
    match (why, &notification.dead) {
        (Some(why), None) => {
            tracing::warn!(%app, %receiver, group, why, "sent to the fallback instead");
        }
        (Some(why), Some(_)) => tracing::error!(
            %app, %receiver, group, why,
            "dead letter: there is nobody to send to, and no fallback; see `wecom-relay outbox list --state dead`"
        ),
        (None, _) => {}
    }
}
