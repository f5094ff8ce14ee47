//! The forms of the Setup page.

use std::sync::Arc;

use axum::{Extension, extract::State, http::Uri, response::Response};

use super::{
    test_messages::{self, send, too_early},
    words::Words,
};
use crate::{
    console::{
        change::audit,
        confirm::{self, HiddenField, Question},
        fields::Fields,
        reader::Reader,
        refusal::Refusal,
        site::Place,
        state::ConsoleState,
    },
    doctor::StartError,
    outbox::Outbox,
    pages::redirect,
};

const PAGE: &str = "setup";

/// `GET /setup/test?receiver=wechat`: names the people who get the message.
pub(in crate::console) async fn confirm_test<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Response {
    let fields = Fields::of_query(&uri);
    let receiver = fields.get("receiver").unwrap_or_default().to_owned();
    match state.setup.parts.relay.test_message(&receiver, state.wall_time()) {
        Ok(message) => {
            let words = Words::of(reader.language());
            let question = Question {
                title: words.confirm_test.to_owned(),
                lines: vec![
                    format!("{}: {}", words.confirm_text, message.recipients.text(reader.language())),
                    format!("{}: {receiver}", reader.words().receiver),
                ],
                action: "setup/test".to_owned(),
                fields: vec![HiddenField { name: "receiver".to_owned(), value: receiver }],
                button: words.send_test,
                back: PAGE.to_owned(),
            };
            confirm::page(&state, &reader, Place::Setup, &question)
        }
        Err(refused) => {
            test_messages::refusal(refused, &receiver, reader.language()).page(&state, &reader.visitor)
        }
    }
}

/// `POST /setup/test`
pub(in crate::console) async fn send_test<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Extension(fields): Extension<Arc<Fields>>,
) -> Response {
    match send(&state, &reader, fields.get("receiver").unwrap_or_default()).await {
        Ok(_) => redirect(&reader.visitor.root, PAGE),
        Err(refusal) => refusal.page(&state, &reader.visitor),
    }
}

/// `POST /setup/doctor`
pub(in crate::console) async fn run_doctor<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
) -> Response {
    match start_doctor(&state, &reader) {
        Ok(()) => redirect(&reader.visitor.root, PAGE),
        Err(refusal) => refusal.page(&state, &reader.visitor),
    }
}

/// Starts the checks.
///
/// # Errors
/// They run already, or ran a short time ago.
pub(super) fn start_doctor<O: Outbox>(state: &ConsoleState<O>, reader: &Reader) -> Result<(), Refusal> {
    match state.setup.parts.doctor.start(state.wall_time()) {
        Ok(()) => {
            audit(state, reader, "doctor", "");
            Ok(())
        }
        Err(StartError::TooEarly(wait)) => Err(too_early(wait)),
        Err(StartError::Stopping) => Err(stopping()),
    }
}

/// `POST /setup/reload`
pub(in crate::console) async fn reload<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
) -> Response {
    match reload_now(&state, &reader).await {
        // A failed reload is on the page.
        Ok(_) => redirect(&reader.visitor.root, PAGE),
        Err(refusal) => refusal.page(&state, &reader.visitor),
    }
}

/// Reloads the configuration.
///
/// # Errors
/// A reader asked for one a short time ago, or the relay is stopping.
pub(super) async fn reload_now<O: Outbox>(
    state: &ConsoleState<O>,
    reader: &Reader,
) -> Result<Result<String, String>, Refusal> {
    state.setup.take_reload().map_err(too_early)?;
    audit(state, reader, "reload", "");
    let result = state.setup.parts.relay.reload().await.ok_or_else(stopping)?;
    state.snapshots.forget().await;
    Ok(result)
}

fn stopping() -> Refusal {
    Refusal::Stopping
}
