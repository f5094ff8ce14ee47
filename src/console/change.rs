//! The changes that an operator makes on a page. Each is logged and counted.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Serialize;

use super::{
    bulk::{self, Action, BulkError, MAX_CHANGED},
    fields::Fields,
    filter::UrlFilter,
    message::unknown,
    messages::outbox_failed,
    reader::Reader,
    refusal::Refusal,
    site::Place,
    state::ConsoleState,
    words::state_name,
};
use crate::{
    language::Language,
    outbox::{Changed, DeliveryId, Outbox, SenderName, Sharing, State as Delivery, StoreError},
    pages::redirect,
};

#[derive(Serialize)]
struct View {
    title: String,
    lines: Vec<String>,
    action: String,
    fields: Vec<Field>,
    button: &'static str,
    back: String,
}

/// A hidden field of the form.
#[derive(Serialize)]
struct Field {
    name: String,
    value: String,
}

/// `GET /messages/{id}/confirm?do=requeue`
pub(super) async fn confirm_one<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
    uri: Uri,
) -> Response {
    let fields = Fields::of_query(&uri);
    let (Some(id), Some(action)) =
        (id.parse().ok().map(DeliveryId), fields.get("do").and_then(Action::parse))
    else {
        return unknown(&reader, &id).page(&state, &reader.visitor);
    };
    let detail = match state.outbox.show(id).await {
        Ok(Some(detail)) => detail,
        Ok(None) => return unknown(&reader, &id.to_string()).page(&state, &reader.visitor),
        Err(error) => return outbox_failed(&state, &reader, &error),
    };
    let (words, language) = (reader.words(), reader.language());
    let mut lines = vec![detail.listed.summary.clone(), state_name(language, detail.listed.state).to_owned()];
    if action == Action::Requeue && detail.unconfirmed_since.is_some() {
        lines.push(words.unconfirmed.to_owned());
    }
    let view = View {
        title: format!("{} #{id}", verb(&reader, action)),
        lines,
        action: format!("messages/{id}/{}", action.name()),
        fields: Vec::new(),
        button: verb(&reader, action),
        back: format!("messages/{id}"),
    };
    page(&state, &reader, &view)
}

/// `GET /messages/confirm?do=requeue&state=dead`
pub(super) async fn confirm_all<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Response {
    let fields = Fields::of_query(&uri);
    let (wanted, action) = match wanted(&fields, &reader) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal.page(&state, &reader.visitor),
    };
    if !reader.is_operator() {
        return Refusal::ViewerOnly.page(&state, &reader.visitor);
    }
    match bulk::selected(&state.outbox, &wanted).await {
        Ok(ids) => confirm_count(&state, &reader, &wanted, action, ids.len(), None),
        Err(bulk_error) => refuse(&state, &reader, &bulk_error),
    }
}

fn confirm_count<O>(
    state: &ConsoleState<O>,
    reader: &Reader,
    wanted: &UrlFilter,
    action: Action,
    count: usize,
    changed_count: Option<String>,
) -> Response {
    let mut fields: Vec<Field> = wanted
        .fields()
        .iter()
        .map(|(name, value)| Field { name: name.clone(), value: value.clone() })
        .collect();
    fields.push(Field { name: "expect".to_owned(), value: count.to_string() });
    let twice = reader.language().choose(
        "A message that WeCom may already have can appear twice.",
        "企业微信可能已经收到的消息会重复显示。",
    );
    let sentence = match (action, reader.language()) {
        (Action::Requeue, Language::En) => format!("Dead letters that are sent again: {count}."),
        (Action::Requeue, Language::Zh) => format!("将重新发送 {count} 条死信。"),
        (Action::Discard, Language::En) => format!("Dead letters that are discarded: {count}."),
        (Action::Discard, Language::Zh) => format!("将丢弃 {count} 条死信。"),
    };
    let filter = wanted.fields().iter().map(|(name, value)| format!("{name}: {value}"));
    let mut lines: Vec<String> = changed_count.into_iter().chain([sentence]).chain(filter).collect();
    if action == Action::Requeue {
        lines.push(twice.to_owned());
    }
    let view = View {
        title: verb(reader, action).to_owned(),
        lines,
        action: format!("messages/{}", action.name()),
        fields,
        button: verb(reader, action),
        back: format!("messages{}", wanted.query(&[])),
    };
    page(state, reader, &view)
}

fn page<O>(state: &ConsoleState<O>, reader: &Reader, view: &View) -> Response {
    if !reader.is_operator() {
        return Refusal::ViewerOnly.page(state, &reader.visitor);
    }
    let frame = reader.frame(Place::Messages, view.title.clone());
    state.pages.html("confirm.html", &reader.visitor, &frame, reader.words(), view)
}

fn verb(reader: &Reader, action: Action) -> &'static str {
    match action {
        Action::Requeue => reader.words().requeue,
        Action::Discard => reader.words().discard,
    }
}

fn wanted(fields: &Fields, reader: &Reader) -> Result<(UrlFilter, Action), Refusal> {
    let wanted = UrlFilter::read(fields, &reader.moments.zone);
    let wanted = wanted.map_err(|bad| Refusal::BadRequest(bad.to_string()))?;
    let action = fields.get("do").and_then(Action::parse);
    let action = action.ok_or_else(|| Refusal::BadRequest("do is requeue or discard".to_owned()))?;
    Ok((wanted, action))
}

fn refuse<O>(state: &ConsoleState<O>, reader: &Reader, bulk_error: &BulkError) -> Response {
    refusal(bulk_error, reader.language()).page(state, &reader.visitor)
}

/// The refusal of a change of several deliveries.
pub(super) fn refusal(bulk_error: &BulkError, language: Language) -> Refusal {
    match bulk_error {
        BulkError::OnlyDead => Refusal::BadRequest(
            language
                .choose(
                    "Only dead letters are changed together. Choose the state dead.",
                    "只有死信可以批量处理。请选择状态“死信”。",
                )
                .to_owned(),
        ),
        BulkError::TooMany => Refusal::BadRequest(language.choose(
            format!("There are more than {MAX_CHANGED}. Choose a shorter time or one receiver."),
            format!("超过 {MAX_CHANGED} 条。请缩短时间范围，或选择一个 receiver。"),
        )),
        BulkError::Count(count) => Refusal::Conflict(language.choose(
            format!("Nothing was changed, because there are {count} dead letters now."),
            format!("没有做任何修改，因为死信数量已变为 {count} 条。"),
        )),
        BulkError::Store { changed: 0, error } => Refusal::Outbox(error.to_string()),
        BulkError::Store { changed, error } => Refusal::Outbox(language.choose(
            format!("{error}. {changed} dead letters were changed before."),
            format!("{error}。在此之前已处理 {changed} 条死信。"),
        )),
    }
}

/// `POST /messages/requeue`
pub(super) async fn requeue_all<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Extension(fields): Extension<Fields>,
) -> Response {
    change_all(&state, &reader, &fields, Action::Requeue).await
}

/// `POST /messages/discard`
pub(super) async fn discard_all<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Extension(fields): Extension<Fields>,
) -> Response {
    change_all(&state, &reader, &fields, Action::Discard).await
}

async fn change_all<O: Outbox>(
    state: &ConsoleState<O>,
    reader: &Reader,
    fields: &Fields,
    action: Action,
) -> Response {
    let wanted = match UrlFilter::read(fields, &reader.moments.zone) {
        Ok(wanted) => wanted,
        Err(bad) => return Refusal::BadRequest(bad.to_string()).page(state, &reader.visitor),
    };
    let Some(expected) = fields.get("expect").and_then(|expect| expect.parse().ok()) else {
        return Refusal::BadRequest("expect is the number of dead letters".to_owned())
            .page(state, &reader.visitor);
    };
    match change_selected(state, reader, &wanted, expected, action).await {
        Ok(changed) => {
            let done = format!("{}-{changed}", action.name());
            redirect(&reader.visitor.root, &format!("messages?done={done}"))
        }
        Err(bulk_error @ BulkError::Count(count)) => {
            let text = refusal(&bulk_error, reader.language()).text(reader.language());
            let mut response = confirm_count(state, reader, &wanted, action, count, Some(text));
            *response.status_mut() = StatusCode::CONFLICT;
            response
        }
        Err(bulk_error) => refuse(state, reader, &bulk_error),
    }
}

/// Changes the dead letters of a filter.
///
/// # Errors
/// The error says whether any were changed.
pub(super) async fn change_selected<O: Outbox>(
    state: &ConsoleState<O>,
    reader: &Reader,
    wanted: &UrlFilter,
    expected: usize,
    action: Action,
) -> Result<usize, BulkError> {
    let mut audit = BulkAudit { state, reader, wanted, action, changed: 0 };
    let now = state.clock.now();
    bulk::change(&state.outbox, wanted, expected, action, now, &mut audit.changed).await?;
    state.snapshots.forget().await;
    Ok(audit.changed)
}

/// Logs the change of several deliveries when it ends: at its end, with an error, or because the client went away.
struct BulkAudit<'a, O> {
    state: &'a ConsoleState<O>,
    reader: &'a Reader,
    wanted: &'a UrlFilter,
    action: Action,
    changed: usize,
}

impl<O> Drop for BulkAudit<'_, O> {
    fn drop(&mut self) {
        if self.changed > 0 {
            let what = format!("{} dead letters{}", self.changed, self.wanted.query(&[]));
            audit(self.state, self.reader, self.action.name(), &what);
        }
    }
}

/// `POST /messages/{id}/requeue`
pub(super) async fn requeue<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
) -> Response {
    change_one(&state, &reader, &id, Action::Requeue).await
}

/// `POST /messages/{id}/discard`
pub(super) async fn discard<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
) -> Response {
    change_one(&state, &reader, &id, Action::Discard).await
}

async fn change_one<O: Outbox>(
    state: &ConsoleState<O>,
    reader: &Reader,
    id: &str,
    action: Action,
) -> Response {
    match change_delivery(state, reader, id, action).await {
        Ok(id) => redirect(&reader.visitor.root, &format!("messages/{id}?done={}", action.name())),
        Err(refusal) => refusal.page(state, &reader.visitor),
    }
}

/// Changes one delivery.
///
/// # Errors
/// Its state does not allow that, or there is no such delivery.
pub(super) async fn change_delivery<O: Outbox>(
    state: &ConsoleState<O>,
    reader: &Reader,
    id: &str,
    action: Action,
) -> Result<DeliveryId, Refusal> {
    let number = id.parse().map(DeliveryId).map_err(|_| unknown(reader, id))?;
    let changed = action.apply(&state.outbox, number, state.clock.now()).await;
    match changed.map_err(|error: StoreError| Refusal::Outbox(error.to_string()))? {
        Changed::Deliveries(_) => {}
        Changed::Unknown => return Err(unknown(reader, id)),
        Changed::NotIn(present) => return Err(Refusal::Conflict(not_in(present, reader.language()))),
        Changed::NoRecipient => {
            let text = reader.language().choose(
                "Nothing was changed, because a template named no recipient for this message. Correct the receiver's \
                 recipients, or add a fallback.",
                "没有做任何修改，因为模板没有给出这条消息的接收人。请修正 receiver 的接收人，或添加 fallback。",
            );
            return Err(Refusal::Conflict(text.to_owned()));
        }
    }
    audit(state, reader, action.name(), id);
    state.snapshots.forget().await;
    Ok(number)
}

fn not_in(present: Delivery, language: Language) -> String {
    let name = state_name(language, present);
    language.choose(
        format!(
            "Nothing was changed, because the message is in the state “{name}” now. Somebody else or the relay was \
             faster."
        ),
        format!("没有做任何修改，因为消息现在的状态是“{name}”，可能是其他人或 relay 先处理了。"),
    )
}

/// `POST /senders/{name}/probe`
pub(super) async fn probe<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(name): Path<String>,
) -> Response {
    match probe_sender(&state, &reader, &name).await {
        Ok(()) => redirect(&reader.visitor.root, ""),
        Err(refusal) => refusal.page(&state, &reader.visitor),
    }
}

/// Probes a held sender soon.
///
/// # Errors
/// Another replica dispatches it, or it is not in the configuration.
pub(super) async fn probe_sender<O: Outbox>(
    state: &ConsoleState<O>,
    reader: &Reader,
    name: &str,
) -> Result<(), Refusal> {
    let is_elsewhere = |sharing: Sharing| sharing.elsewhere.iter().any(|sender| sender.0 == name);
    if state.outbox.sharing().is_some_and(is_elsewhere) {
        let text = reader.language().choose(
            format!("Another replica sends for {name}. Use the console of that replica, or wait for its next attempt."),
            format!("{name} 由另一个副本发送。请在那个副本的控制台上操作，或等待它的下一次尝试。"),
        );
        return Err(Refusal::Conflict(text));
    }
    if !state.status.probe(&SenderName(name.to_owned())) {
        let text = reader.language().choose(
            format!("There is no app or robot {name} in the configuration of this relay."),
            format!("这个 relay 的配置里没有应用或机器人 {name}。"),
        );
        return Err(Refusal::NotFound(text));
    }
    audit(state, reader, "probe", name);
    state.snapshots.forget().await;
    Ok(())
}

/// Logs and counts a change.
pub(super) fn audit<O>(state: &ConsoleState<O>, reader: &Reader, action: &'static str, what: &str) {
    state.metrics.console_changed(action);
    let (role, peer) = (reader.role.name(), reader.peer.as_str());
    tracing::info!(role, peer, action, what, "console: changed by a person");
}
