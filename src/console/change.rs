//! The changes that an operator makes on a page. Each is logged and counted.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::Response,
};

use super::{
    bulk::{self, Action, BulkError, MAX_CHANGED, Selected},
    confirm::{self, HiddenField, Question},
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
    let question = Question {
        title: format!("{} #{id}", verb(&reader, action)),
        lines,
        action: format!("messages/{id}/{}", action.name()),
        fields: Vec::new(),
        button: verb(&reader, action),
        back: format!("messages/{id}"),
    };
    confirm::page(&state, &reader, Place::Messages, &question)
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
    match bulk::selected(&state.outbox, &wanted, action).await {
        Ok(selected) => confirm_selected(&state, &reader, &wanted, action, &selected, None),
        Err(bulk_error) => refuse(&state, &reader, &bulk_error),
    }
}

fn confirm_selected<O>(
    state: &ConsoleState<O>,
    reader: &Reader,
    wanted: &UrlFilter,
    action: Action,
    selected: &Selected,
    conflict: Option<String>,
) -> Response {
    let count = selected.ids.len();
    let mut fields: Vec<HiddenField> = wanted.fields().iter().map(HiddenField::from).collect();
    fields.push(HiddenField { name: "expect".to_owned(), value: count.to_string() });
    let twice = reader.language().choose(
        "A message that WeCom may already have can appear twice.",
        "企业微信可能已经收到的消息会重复显示。",
    );
    let sentence = match (action, reader.language()) {
        (Action::Requeue, Language::En) => format!("Messages that are sent again: {count}."),
        (Action::Requeue, Language::Zh) => format!("将重新发送 {count} 条消息。"),
        (Action::Discard, Language::En) => format!("Messages that are discarded: {count}."),
        (Action::Discard, Language::Zh) => format!("将丢弃 {count} 条消息。"),
    };
    let filter = wanted.fields().iter().map(|(name, value)| filter_line(name, value, reader));
    let names: Vec<&str> = selected.receivers.iter().map(|receiver| receiver.0.as_str()).collect();
    let receivers = format!("{}: {}", reader.words().receivers, names.join(", "));
    let receivers = Some(receivers).filter(|_| count > 0);
    let mut lines: Vec<String> =
        conflict.into_iter().chain([sentence]).chain(filter).chain(receivers).collect();
    if action == Action::Requeue {
        lines.push(twice.to_owned());
    }
    let question = Question {
        title: verb(reader, action).to_owned(),
        lines,
        action: format!("messages/{}", action.name()),
        fields,
        button: verb(reader, action),
        back: format!("messages{}", wanted.query(&[])),
    };
    confirm::page(state, reader, Place::Messages, &question)
}

/// A field of the filter in the words of the page.
fn filter_line(name: &str, value: &str, reader: &Reader) -> String {
    let words = reader.words();
    let name = match name {
        "state" => words.state,
        "receiver" => words.receiver,
        "sender" => words.sender,
        "group" => words.group,
        "since" => words.since,
        "until" => words.until,
        "q" => words.search,
        other => other,
    };
    let state = Delivery::ALL.into_iter().find(|state| state.name() == value).filter(|_| name == words.state);
    let value = state.map_or(value, |state| state_name(reader.language(), state));
    format!("{name}: {value}")
}

fn verb(reader: &Reader, action: Action) -> &'static str {
    match action {
        Action::Requeue => reader.words().requeue,
        Action::Discard => reader.words().discard,
    }
}

fn wanted(fields: &Fields, reader: &Reader) -> Result<(UrlFilter, Action), Refusal> {
    let wanted = UrlFilter::read(fields, &reader.moments.zone);
    let language = reader.language();
    let wanted = wanted.map_err(|bad| Refusal::BadRequest(bad.text(language)))?;
    let action = fields.get("do").and_then(Action::parse);
    let text = language.choose("do is requeue or discard.", "do 应为 requeue 或 discard。");
    let action = action.ok_or_else(|| Refusal::BadRequest(text.to_owned()))?;
    Ok((wanted, action))
}

fn refuse<O>(state: &ConsoleState<O>, reader: &Reader, bulk_error: &BulkError) -> Response {
    refusal(bulk_error, reader.language()).page(state, &reader.visitor)
}

/// The refusal of a change of several deliveries.
pub(super) fn refusal(bulk_error: &BulkError, language: Language) -> Refusal {
    match bulk_error {
        BulkError::States(action) => {
            let states = Delivery::ALL.into_iter().filter(|state| action.changes(*state));
            let names: Vec<&str> = states.map(Delivery::name).collect();
            Refusal::BadRequest(language.choose(
                format!("Choose one of these states in the filter, or several: {}.", names.join(", ")),
                format!("请在筛选条件中选择以下状态中的一个或几个：{}。", names.join("、")),
            ))
        }
        BulkError::TooMany => Refusal::BadRequest(language.choose(
            format!("There are more than {MAX_CHANGED}. Choose a shorter time or one receiver."),
            format!("超过 {MAX_CHANGED} 条。请缩短时间范围，或选择一个 receiver。"),
        )),
        BulkError::Count(count) => Refusal::Conflict(language.choose(
            format!("Nothing was changed, because the filter selects {count} messages now."),
            format!("没有做任何修改，因为符合条件的消息现在是 {count} 条。"),
        )),
        BulkError::Store { changed: 0, error } => Refusal::Outbox(error.to_string()),
        BulkError::Store { changed, error } => Refusal::Outbox(language.choose(
            format!("{error}. {changed} messages were changed before."),
            format!("{error}。在此之前已处理 {changed} 条消息。"),
        )),
    }
}

/// `POST /messages/requeue`, `POST /messages/discard`
pub(super) async fn change_all<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Extension(fields): Extension<Arc<Fields>>,
    Extension(action): Extension<Action>,
) -> Response {
    let wanted = match UrlFilter::read(&fields, &reader.moments.zone) {
        Ok(wanted) => wanted,
        Err(bad) => return Refusal::BadRequest(bad.text(reader.language())).page(&state, &reader.visitor),
    };
    let Some(expected) = fields.get("expect").and_then(|expect| expect.parse().ok()) else {
        let text = reader.language().choose("expect is the number of messages.", "expect 应为消息的条数。");
        return Refusal::BadRequest(text.to_owned()).page(&state, &reader.visitor);
    };
    match change_selected(&state, &reader, &wanted, expected, action).await {
        Ok(changed) => {
            let done = format!("{}-{changed}", action.name());
            redirect(&reader.visitor.root, &format!("messages?done={done}"))
        }
        Err(bulk_error @ BulkError::Count(_)) => {
            let text = refusal(&bulk_error, reader.language()).text(reader.language());
            let selected = match bulk::selected(&state.outbox, &wanted, action).await {
                Ok(selected) => selected,
                Err(bulk_error) => return refuse(&state, &reader, &bulk_error),
            };
            let mut response = confirm_selected(&state, &reader, &wanted, action, &selected, Some(text));
            *response.status_mut() = StatusCode::CONFLICT;
            response
        }
        Err(bulk_error) => refuse(&state, &reader, &bulk_error),
    }
}

/// Changes the messages of a filter.
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
            let what = format!("{} messages{}", self.changed, self.wanted.query(&[]));
            audit(self.state, self.reader, self.action.name(), &what);
        }
    }
}

/// `POST /messages/{id}/requeue`, `POST /messages/{id}/discard`
pub(super) async fn change_one<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Extension(action): Extension<Action>,
    Path(id): Path<String>,
) -> Response {
    match change_delivery(&state, &reader, &id, action).await {
        Ok(id) => redirect(&reader.visitor.root, &format!("messages/{id}?done={}", action.name())),
        Err(refusal) => refusal.page(&state, &reader.visitor),
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
