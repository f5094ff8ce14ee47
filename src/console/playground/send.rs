//! Sends a draft to members, so that they see it on their phones. It takes the way of a test message.

use std::sync::Arc;

use axum::{Extension, extract::State, response::Response};

use super::{asked::Asked, page::unknown_receiver};
use crate::{
    console::{
        change::audit,
        confirm::{self, HiddenField, Question},
        fields::Fields,
        reader::Reader,
        refusal::Refusal,
        setup::{store_test, test_refusal},
        site::Place,
        state::ConsoleState,
    },
    intake::DraftMessage,
    outbox::{NewNotification, Outbox},
    pages::redirect,
    text::percent_encode,
};

/// The fields of the form that make a draft.
const DRAFT: [&str; 7] = ["receiver", "field", "engine", "template", "data", "payload", "to"];

/// `POST /templates/confirm`: names the members who get the draft, and sends nothing.
pub(in crate::console) async fn confirm<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Extension(fields): Extension<Arc<Fields>>,
) -> Response {
    let message = match message(&state, &reader, &fields).await {
        Ok(message) => message,
        Err(refusal) => return refusal.page(&state, &reader.visitor),
    };
    let words = reader.words();
    let value = |name| percent_encode(fields.get(name).unwrap_or_default());
    let question = Question {
        title: words.send_draft.to_owned(),
        lines: vec![
            format!("{}: {}", words.recipients, message.recipients.text(reader.language())),
            format!("{}: {}", words.sender, message.sender),
            format!("{}: {}", words.messages, message.deliveries.len()),
        ],
        action: "templates/send".to_owned(),
        fields: fields
            .0
            .iter()
            .filter(|(name, _)| DRAFT.contains(&name.as_str()))
            .map(HiddenField::from)
            .collect(),
        button: words.send_draft,
        back: format!("templates?receiver={}&field={}", value("receiver"), value("field")),
    };
    confirm::page(&state, &reader, Place::Templates, &question)
}

/// `POST /templates/send`
pub(in crate::console) async fn send<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Extension(fields): Extension<Arc<Fields>>,
) -> Response {
    let message = match message(&state, &reader, &fields).await {
        Ok(message) => message,
        Err(refusal) => return refusal.page(&state, &reader.visitor),
    };
    let what = format!("{} to {}", message.receiver, message.recipients);
    match store_test(&state, message).await {
        Ok(id) => {
            audit(&state, &reader, "send_draft", &what);
            redirect(&reader.visitor.root, &format!("messages/{id}"))
        }
        Err(refusal) => refusal.page(&state, &reader.visitor),
    }
}

/// The messages of the draft for the members that the form names.
async fn message<O: Outbox>(
    state: &ConsoleState<O>,
    reader: &Reader,
    fields: &Fields,
) -> Result<NewNotification, Refusal> {
    let (receiver, language) = (fields.get("receiver").unwrap_or_default(), reader.language());
    let asked = Asked::read(fields, receiver, state.desk.as_ref());
    let asked = asked.ok_or_else(|| unknown_receiver(state, reader, receiver))?;
    let outcome = state.desk.render(asked.draft).await;
    let outcome = outcome.map_err(|error| Refusal::BadRequest(error.text(language)))?;
    let contents: Vec<_> = outcome.messages.iter().filter_map(DraftMessage::content).collect();
    if contents.is_empty() {
        let text = language.choose("The draft makes no message.", "这份草稿没有生成消息。");
        return Err(Refusal::BadRequest(text.to_owned()));
    }
    let to = fields.get("to").unwrap_or_default();
    let message = state.setup.parts.relay.draft_message(receiver, to, contents);
    message.map_err(|refused| test_refusal(refused, receiver, language))
}
