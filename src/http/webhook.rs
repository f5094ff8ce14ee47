//! `POST /webhook` and `POST /webhook/{receiver}`.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    http::Method,
};
use tokio::time::Instant;

use super::{
    answer::{Accepted, AcceptedAll, PathHint, Rejection},
    body::{self, Body},
    log_throttle::RequestLog,
    memory::Reservation,
    payloads::MAX_PAYLOAD_BYTES,
    refusals::peer,
    render_pool::RenderPool,
    state::ServerState,
};
use crate::{
    alertmanager::Repairs,
    delivery::decide::Cause,
    intake::{NothingToSend, Parsed, RenderedNotification},
    metrics::Metrics,
    outbox::{Enqueued, NewNotification, Outbox, ReceiverName, SenderName, StoreError},
    telemetry::clip,
};

/// Accepts a notification. Answers 200 when it is on disk.
pub(super) async fn receive<O: Outbox>(
    State(state): State<Arc<ServerState<O>>>,
    receiver: Result<Option<Path<String>>, PathRejection>,
    request: Request,
) -> Result<AcceptedAll, Rejection> {
    let Ok(receiver) = receiver else {
        // The path is not UTF-8, and the name of every receiver is.
        return Err(reject_unknown(&state, &request));
    };
    let peer = peer(request.extensions());
    let receiver = receiver.map(|Path(name)| name);
    let answer = accept(&state, receiver.as_deref(), request).await;
    match &answer {
        Ok(AcceptedAll(all)) => {
            for accepted in all {
                state.metrics.received(&accepted.receiver().0, accepted.result());
            }
        }
        Err(rejection) => {
            let known_receiver = rejection.receiver().map_or("", |receiver| receiver.0.as_str());
            state.metrics.received(known_receiver, rejection.result());
            log_rejection(&state, receiver.as_deref(), rejection);
            let path = receiver.map_or_else(|| "/webhook".to_owned(), |name| format!("/webhook/{name}"));
            state.refusals.record(state.clock.wall_time(state.clock.now()), peer, &path, rejection);
        }
    }
    answer
}

async fn accept<O: Outbox>(
    state: &ServerState<O>,
    receiver: Option<&str>,
    request: Request,
) -> Result<AcceptedAll, Rejection> {
    if state.stop.is_cancelled() {
        return Err(Rejection::Stopping);
    }
    // The memory stays reserved until the notification is stored.
    let Body { bytes, mut memory, turn: _turn } = body::read(request, &state.memory).await?;
    // The whole request uses one configuration, even if a reload happens meanwhile.
    let pool = state.render_pool.load_full();
    let now = state.clock.wall_time(state.clock.now());
    let bytes = Arc::new(bytes);
    let first = pool.parse(receiver, Arc::clone(&bytes), &memory, now).await?;
    let (name, repairs) = match &first {
        Parsed::Webhook(webhook) => (webhook.receiver().name.clone(), webhook.repairs()),
        Parsed::Nothing { why, repairs } => (why.receiver().clone(), *repairs),
    };
    report_repairs(state, &name, repairs);
    let also = pool.also(&name);
    let kept = (bytes.len() <= MAX_PAYLOAD_BYTES).then(|| Arc::clone(&bytes));
    // A large body must not stay in memory without need.
    let bytes = (!also.is_empty()).then_some(bytes);
    let deadline = pool.deadline();
    let mut rendered = vec![render(state, &pool, first, &memory, deadline).await?];
    for (receiver, bytes) in also.iter().zip(bytes.iter().cycle()) {
        memory = memory.for_another_payload()?;
        let parsed = pool.parse(Some(&receiver.0), Arc::clone(bytes), &memory, now).await?;
        rendered.push(render(state, &pool, parsed, &memory, deadline).await?);
    }
    let accepted = store(state, rendered).await?;
    if let Some(body) = kept {
        let notifications = accepted.iter().filter_map(Accepted::notification).collect();
        state.payloads.record(now, &name.0, notifications, &body);
    }
    Ok(AcceptedAll(accepted))
}

/// The notification of one receiver, if there is one.
enum Rendered {
    Notification(Box<NewNotification>),
    Nothing(NothingToSend),
}

async fn render<O: Outbox>(
    state: &ServerState<O>,
    pool: &RenderPool,
    parsed: Parsed,
    memory: &Reservation,
    deadline: Instant,
) -> Result<Rendered, Rejection> {
    let webhook = match parsed {
        Parsed::Webhook(webhook) => webhook,
        Parsed::Nothing { why, .. } => return Ok(Rendered::Nothing(why)),
    };
    let rendered = pool.render(webhook, memory, deadline).await?;
    report_failures(&rendered, &state.metrics);
    Ok(Rendered::Notification(Box::new(rendered.notification)))
}

/// The fields of log lines about a notification.
struct LogFields {
    app: SenderName,
    receiver: ReceiverName,
    group: String,
    dead: Option<String>,
    deliveries: usize,
}

impl LogFields {
    fn of(notification: &NewNotification) -> Self {
        Self {
            app: notification.sender.clone(),
            receiver: notification.receiver.clone(),
            group: clip(&notification.group_key).to_owned(),
            dead: notification.dead.clone(),
            deliveries: notification.deliveries.len(),
        }
    }
}

/// Stores the notifications of all receivers, or none of them.
async fn store<O: Outbox>(
    state: &ServerState<O>,
    rendered: Vec<Rendered>,
) -> Result<Vec<Accepted>, Rejection> {
    let mut notifications = Vec::with_capacity(rendered.len());
    let mut places = Vec::with_capacity(rendered.len());
    for rendered in rendered {
        match rendered {
            Rendered::Notification(notification) => {
                places.push(Ok(LogFields::of(&notification)));
                notifications.push(*notification);
            }
            Rendered::Nothing(why) => places.push(Err(why)),
        }
    }
    let enqueued = match notifications.is_empty() {
        true => Vec::new(),
        false => match enqueue(state, notifications).await {
            Ok(enqueued) => enqueued,
            Err(error) => return Err(report_not_stored(state, places.iter().flatten().next(), error)),
        },
    };
    let stored = places.iter().flatten().count();
    debug_assert_eq!(enqueued.len(), stored);
    if enqueued.len() != stored {
        let error =
            StoreError::Damaged(format!("{} of {stored} notifications have a number", enqueued.len()));
        return Err(report_not_stored(state, places.iter().flatten().next(), error));
    }
    let mut enqueued = enqueued.into_iter();
    let accepted = places.into_iter().filter_map(|place| match place {
        Ok(fields) => enqueued.next().map(|one| report_stored(state, &fields, one)),
        Err(why) => Some(Accepted::Filtered(why)),
    });
    Ok(accepted.collect())
}

/// While the clock may be wrong, nothing is stored with its time.
async fn enqueue<O: Outbox>(
    state: &ServerState<O>,
    notifications: Vec<NewNotification>,
) -> Result<Vec<Enqueued>, StoreError> {
    if !state.clock.is_known() {
        state.outbox.probe(state.clock.now()).await?;
        return Err(StoreError::Unavailable("its time is not known yet".to_owned()));
    }
    state.outbox.enqueue_all(notifications, state.clock.now()).await
}

fn report_not_stored<O>(state: &ServerState<O>, first: Option<&LogFields>, error: StoreError) -> Rejection {
    if let Some(LogFields { app, receiver, group, .. }) = first
        && let Some(suppressed) = state.log_throttles.allow(RequestLog::NotStored, &receiver.0)
    {
        tracing::error!(
            %app,
            %receiver,
            group,
            %error,
            suppressed,
            "notification not stored; the sender was asked to retry"
        );
    }
    Rejection::Store { receiver: first.map(|fields| fields.receiver.clone()), error }
}

fn report_stored<O>(state: &ServerState<O>, fields: &LogFields, enqueued: Enqueued) -> Accepted {
    let LogFields { app, receiver, group, dead, deliveries } = fields;
    match enqueued {
        Enqueued::Accepted(id) => {
            tracing::debug!(%app, %receiver, group, notification = id.0, "accepted");
            if let Some(reason) = dead {
                state.metrics.dead_letters(&receiver.0, Cause::Nobody.name(), *deliveries);
                tracing::error!(
                    %app,
                    %receiver,
                    group,
                    notification = id.0,
                    delivery = id.0,
                    reason,
                    "dead letter: no recipient and no fallback; see `wecom-relay outbox show`"
                );
            }
            Accepted::Stored { receiver: receiver.clone(), id }
        }
        Enqueued::Duplicate(id) => {
            if let Some(suppressed) = state.log_throttles.allow(RequestLog::Duplicate, &receiver.0) {
                tracing::info!(
                    %app,
                    %receiver,
                    group,
                    notification = id.0,
                    suppressed,
                    "duplicate notification ignored"
                );
            }
            Accepted::Duplicate { receiver: receiver.clone(), id }
        }
    }
}

/// Logs and counts what was corrected in a payload. Clients choose the number of requests, so the lines are throttled.
fn report_repairs<O>(state: &ServerState<O>, receiver: &ReceiverName, repairs: Repairs) {
    for repair in repairs.iter() {
        state.metrics.repaired(repair.name());
    }
    if repairs.is_empty() {
        return;
    }
    if let Some(suppressed) = state.log_throttles.allow(RequestLog::Repaired, &receiver.0) {
        tracing::warn!(%receiver, %repairs, suppressed, "odd values of a payload were repaired; fix its sender");
    }
}

/// Logs and counts the failures of templates and recipients.
fn report_failures(rendered: &RenderedNotification, metrics: &Metrics) {
    let RenderedNotification { notification, failures, recipient_error } = rendered;
    let (app, receiver) = (&notification.sender, &notification.receiver);
    let group = clip(&notification.group_key);
    for failure in failures {
        metrics.template_fell_back(&receiver.0);
        let failure = failure.to_string();
        tracing::error!(%app, %receiver, group, failure, "the configured message failed; a simpler text is sent");
    }
    let Some(reason) = recipient_error else { return };
    let reason = reason.to_string();
    if notification.dead.is_none() {
        tracing::warn!(%app, %receiver, group, reason, "no recipient; the notification goes to the fallback");
    }
}

/// Logs a rejection. Clients choose the texts and the number of requests, so the texts are clipped and logged as
/// values, which are escaped, and the lines are throttled.
fn log_rejection<O>(state: &ServerState<O>, receiver: Option<&str>, rejection: &Rejection) {
    if matches!(rejection, Rejection::Store { .. }) {
        // Logged with more details where it happened.
        return;
    }
    let log = RequestLog::Rejected(rejection.reason());
    let Some(suppressed) = state.log_throttles.allow(log, receiver.unwrap_or_default()) else { return };
    let receiver = receiver.map(clip);
    let answer = rejection.to_string();
    let answer = clip(&answer);
    match rejection {
        // The sender of half a body may be gone without an answer.
        Rejection::Incomplete(_) => {
            tracing::warn!(receiver, answer, suppressed, "webhook rejected: its body did not arrive");
        }
        Rejection::Overloaded | Rejection::Stopping => {
            tracing::warn!(receiver, answer, suppressed, "webhook rejected; the sender was asked to retry");
        }
        _ => tracing::error!(receiver, answer, suppressed, "webhook rejected; the sender will not retry"),
    }
}

/// Answers a request to an unknown path.
pub(super) async fn unknown_path<O: Outbox>(
    State(state): State<Arc<ServerState<O>>>,
    request: Request,
) -> Rejection {
    reject_unknown(&state, &request)
}

/// Answers a request to a known path by a method that it does not have.
pub(super) async fn wrong_method<O: Outbox>(
    State(state): State<Arc<ServerState<O>>>,
    request: Request,
) -> Rejection {
    let is_reload = request.uri().path() == "/-/reload";
    let rejection = if is_reload { Rejection::ReloadMethod } else { Rejection::WrongMethod };
    reject_unrouted(&state, &request, rejection)
}

fn reject_unknown<O>(state: &ServerState<O>, request: &Request) -> Rejection {
    reject_unrouted(state, request, Rejection::UnknownPath(PathHint::of(request.uri().path())))
}

/// Logs and counts a request without a route if it may be a notification, which is lost then.
fn reject_unrouted<O>(state: &ServerState<O>, request: &Request, rejection: Rejection) -> Rejection {
    let (method, path) = (request.method(), request.uri().path());
    if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        return rejection;
    }
    state.metrics.received("", rejection.result());
    state.refusals.record(
        state.clock.wall_time(state.clock.now()),
        peer(request.extensions()),
        path,
        &rejection,
    );
    if let Some(suppressed) = state.log_throttles.allow(RequestLog::Rejected(rejection.reason()), "") {
        let (path, method) = (clip(path), clip(method.as_str()));
        tracing::error!(
            path,
            method,
            suppressed,
            "request rejected: this path and method accept no webhook; use POST /webhook"
        );
    }
    rejection
}
