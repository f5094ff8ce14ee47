//! Takes back a delivered message, after a person has confirmed it.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    response::{IntoResponse, Json, Response},
};
use serde::Serialize;

use super::{
    change::audit, message::unknown, reader::Reader, refusal::Refusal, site::Place, state::ConsoleState,
};
use crate::{
    delivery::recall::recallable,
    language::Language,
    outbox::{DeliveryId, Detail, ListedJson, Outbox},
    pages::redirect,
    wecom::{Outcome, WecomError, errcode},
};

/// The page that asks.
#[derive(Serialize)]
struct Asked {
    title: String,
    lines: Vec<String>,
    action: String,
    /// Hidden fields; there are none.
    fields: [(); 0],
    button: &'static str,
    back: String,
}

/// `GET /messages/{id}/recall/confirm`
pub(super) async fn confirm<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
) -> Response {
    let detail = match found(&state, &reader, &id).await {
        Ok(detail) => detail,
        Err(refusal) => return refusal.page(&state, &reader.visitor),
    };
    if !reader.is_operator() {
        return Refusal::ViewerOnly.page(&state, &reader.visitor);
    }
    let (words, language) = (reader.words(), reader.language());
    let kept = language.choose(
        "The members see a grey line instead. Who read the message in personal WeChat keeps it.",
        "成员看到的消息会变为一行灰色提示。已在个人微信中看到的消息不会消失。",
    );
    let view = Asked {
        title: format!("{} #{id}", words.recall),
        lines: vec![detail.listed.summary, kept.to_owned()],
        action: format!("messages/{id}/recall"),
        fields: [],
        button: words.recall,
        back: format!("messages/{id}"),
    };
    let frame = reader.frame(Place::Messages, view.title.clone());
    state.pages.html("confirm.html", &reader.visitor, &frame, words, &view)
}

/// `POST /messages/{id}/recall`
pub(super) async fn recall<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
) -> Response {
    match recall_one(&state, &reader, &id).await {
        Ok(()) => redirect(&reader.visitor.root, &format!("messages/{id}?done=recall")),
        Err(refusal) => refusal.page(&state, &reader.visitor),
    }
}

/// `POST /api/v1/messages/{id}/recall`
pub(super) async fn recall_by_api<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
) -> Response {
    if let Err(refusal) = recall_one(&state, &reader, &id).await {
        return refusal.json();
    }
    match found(&state, &reader, &id).await {
        Ok(detail) => Json(ListedJson::new(&detail.listed, &reader.moments.zone)).into_response(),
        Err(refusal) => refusal.json(),
    }
}

async fn found<O: Outbox>(state: &ConsoleState<O>, reader: &Reader, id: &str) -> Result<Detail, Refusal> {
    let number = id.parse().map(DeliveryId).map_err(|_| unknown(reader, id))?;
    let shown = state.outbox.show(number).await.map_err(|error| Refusal::Outbox(error.to_string()))?;
    shown.ok_or_else(|| unknown(reader, id))
}

/// Recalls a message. WeCom is called once, and the result is recorded, even if the client goes away meanwhile.
async fn recall_one<O: Outbox>(
    state: &Arc<ConsoleState<O>>,
    reader: &Reader,
    id: &str,
) -> Result<(), Refusal> {
    let detail = found(state, reader, id).await?;
    let language = reader.language();
    let msgid =
        recallable(&detail, state.wall_time()).map_err(|not| refused(&not.reason(language), language))?;
    let (sender, number) = (&detail.listed.sender, detail.listed.id);
    let Some(call) = state.recaller.recall(sender, msgid.to_owned()) else {
        let gone = language.choose(
            format!("the app {sender}, which sent it, is not in the configuration"),
            format!("发送它的应用 {sender} 不在配置中"),
        );
        return Err(refused(&gone, language));
    };
    let (state, reader) = (Arc::clone(state), reader.clone());
    let tasks = state.tasks.clone();
    let running = tasks.run_to_end(async move { call_and_record(&state, &reader, number, call).await });
    running.await.unwrap_or_else(|panic| Err(Refusal::Outbox(panic.to_string())))
}

async fn call_and_record<O: Outbox>(
    state: &ConsoleState<O>,
    reader: &Reader,
    id: DeliveryId,
    call: impl Future<Output = Result<(), WecomError>>,
) -> Result<(), Refusal> {
    if let Err(error) = call.await {
        let outcome = Outcome::from(error);
        let advice = |language| errcode::advice_of(&outcome, language).unwrap_or_default();
        let (role, peer, reason) = (reader.role.name(), reader.peer.as_str(), advice(Language::En));
        tracing::warn!(role, peer, delivery = id.0, reason, "console: recall by a person failed");
        return Err(refused(advice(reader.language()).trim_end_matches(['.', '。']), reader.language()));
    }
    audit(state, reader, "recall", &id.to_string());
    let recorded = state.outbox.recalled(id, state.clock.now()).await;
    recorded.map_err(|error| Refusal::Outbox(error.to_string()))?;
    state.snapshots.forget().await;
    Ok(())
}

fn refused(reason: &str, language: Language) -> Refusal {
    let text = format!("The message is not recalled: {reason}.");
    Refusal::Conflict(language.choose(text, format!("消息没有撤回：{reason}。")))
}
