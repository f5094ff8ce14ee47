//! `POST /api/v1/render`: a draft as JSON.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::asked::Asked;
use crate::{
    console::{
        fields::Fields,
        reader::Reader,
        refusal::{Problem, Refusal},
        state::ConsoleState,
    },
    intake::{DraftError, DraftProblem},
    language::Language,
    outbox::Outbox,
    wecom::{
        limits,
        look::{Appearance, Viewer},
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct RenderJson {
    receiver: String,
    /// The name of the template; by default the message.
    field: Option<String>,
    /// `tera` or `go`; by default that of the receiver.
    engine: Option<String>,
    /// By default the template in use.
    template: Option<String>,
    /// A name of a sample. The default is `firing`.
    sample: Option<String>,
    /// A webhook in place of a sample.
    payload: Option<Value>,
}

#[derive(Serialize)]
struct RenderedJson {
    messages: Vec<MessageJson>,
    problems: Vec<DraftProblem>,
    /// The reason why the payload causes no message.
    nothing: Option<String>,
}

#[derive(Serialize)]
struct MessageJson {
    msgtype: String,
    text: String,
    bytes: usize,
    usage: String,
    wecom: Option<Appearance>,
    wechat: Option<Appearance>,
}

pub(in crate::console) async fn render<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    body: Result<Json<RenderJson>, JsonRejection>,
) -> Response {
    let Json(wanted) = match body {
        Ok(wanted) => wanted,
        Err(rejection) => return Refusal::BadRequest(rejection.body_text()).json(),
    };
    let receiver = wanted.receiver.clone();
    let Some(asked) = Asked::read(&fields(wanted), &receiver, state.desk.as_ref()) else {
        return Refusal::NotFound(format!("the configuration has no receiver {receiver:?}")).json();
    };
    tracing::debug!(receiver, peer = reader.peer, "a draft is rendered");
    let outcome = match state.desk.render(asked.draft.clone()).await {
        Ok(outcome) => outcome,
        Err(error) => return failed(&error),
    };
    let recipients = asked.draft.receiver.audience.recipients();
    let messages = outcome.messages.into_iter().map(|message| {
        let content = message.content();
        let seen = |viewer| content.as_ref().map(|content| Appearance::of(content, &recipients, viewer));
        MessageJson {
            bytes: message.text.len(),
            wecom: seen(Viewer::Wecom),
            wechat: seen(Viewer::Wechat),
            msgtype: message.msgtype,
            text: message.text,
            usage: content
                .as_ref()
                .map(|content| limits::usage(content, &recipients, Language::En))
                .unwrap_or_default(),
        }
    });
    let rendered =
        RenderedJson { messages: messages.collect(), problems: outcome.problems, nothing: outcome.nothing };
    Json(rendered).into_response()
}

fn failed(error: &DraftError) -> Response {
    let status = match error {
        DraftError::Busy => StatusCode::TOO_MANY_REQUESTS,
        DraftError::TimedOut(_) => StatusCode::UNPROCESSABLE_ENTITY,
        DraftError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = Problem { status, detail: error.text(Language::En), fix: None }.into_response();
    if matches!(error, DraftError::Busy) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn fields(wanted: RenderJson) -> Fields {
    let RenderJson { field, engine, template, sample, payload, .. } = wanted;
    let data = if payload.is_some() { Some("paste".to_owned()) } else { sample };
    let payload = payload.map(|payload| match payload {
        Value::String(text) => text,
        json => json.to_string(),
    });
    let named =
        [("field", field), ("engine", engine), ("template", template), ("data", data), ("payload", payload)];
    let given = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Fields(given.collect())
}
