//! `GET /templates` shows the template in use, and `POST /templates` a draft. Both change nothing.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderValue, StatusCode, Uri, header::RETRY_AFTER},
    response::Response,
};

use super::{
    asked::Asked,
    view::{PlaygroundView, view},
};
use crate::{
    console::{fields::Fields, reader::Reader, refusal::Refusal, site::Place, state::ConsoleState},
    intake::{DraftAudience, DraftError},
    outbox::Outbox,
};

pub(in crate::console) async fn show<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Response {
    let mut fields = Fields::of_query(&uri);
    // A link must not render a template of somebody else, and a viewer renders only those in use.
    fields.0.retain(|(name, _)| matches!(name.as_str(), "receiver" | "field" | "data"));
    page(&state, &reader, &fields).await
}

pub(in crate::console) async fn preview<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Extension(fields): Extension<Arc<Fields>>,
) -> Response {
    page(&state, &reader, &fields).await
}

async fn page<O: Outbox>(state: &ConsoleState<O>, reader: &Reader, fields: &Fields) -> Response {
    let receivers = receivers(state);
    let first = receivers.first().map(String::as_str).unwrap_or_default();
    let receiver = fields.get("receiver").unwrap_or(first);
    let Some(asked) = Asked::read(fields, receiver, state.desk.as_ref()) else {
        return unknown_receiver(state, reader, receiver).page(state, &reader.visitor);
    };
    let outcome = state.desk.render(asked.draft.clone()).await;
    let is_busy = matches!(outcome, Err(DraftError::Busy));
    let to = fields.get("to").unwrap_or_default();
    let view = PlaygroundView {
        can_send: reader.is_operator() && asked.draft.receiver.audience == DraftAudience::Members,
        to: to.to_owned(),
        ..view(&asked, receivers, outcome, &reader.moments)
    };
    let frame = reader.frame(Place::Templates, reader.words().templates);
    let mut response = state.pages.html("playground.html", &reader.visitor, &frame, reader.words(), &view);
    if is_busy {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn receivers<O>(state: &ConsoleState<O>) -> Vec<String> {
    state.status.receivers().into_iter().map(|receiver| receiver.name.0).collect()
}

pub(super) fn unknown_receiver<O>(state: &ConsoleState<O>, reader: &Reader, receiver: &str) -> Refusal {
    let known = receivers(state);
    Refusal::NotFound(reader.language().choose(
        format!("The configuration has no receiver {receiver:?}. It has: {}.", known.join(", ")),
        format!("配置中没有 receiver {receiver:?}。现有：{}。", known.join("、")),
    ))
}
