//! The requests of the control API about callbacks: press a button, and set the URL of an app.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, put};
use serde::Deserialize;
use serde_json::{Value, json};

use super::callback::{Callback, PressFault};
use super::control_answer::{ControlError, bad_request, json_response, read};
use super::instance::Sandbox;

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/presses", get(presses).post(press))
        .route("/callbacks", get(callbacks))
        .route("/callbacks/{agent_id}", put(save_callback))
}

async fn presses(State(sandbox): State<Sandbox>) -> Response {
    json_response(&sandbox.presses())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PressBody {
    member: String,
    task_id: String,
    key: String,
    fault: Option<String>,
    late_ms: Option<u64>,
}

/// Answers at once; `GET /sandbox/presses` shows what becomes of the press.
async fn press(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Response, ControlError> {
    let PressBody { member, task_id, key, fault, late_ms } = read::<PressBody>(&body)?;
    let mut fault = fault.as_deref().map(named_fault).transpose()?;
    match (&mut fault, late_ms) {
        (_, None) => {}
        (Some(PressFault::Late(time)), Some(late_ms)) => *time = Duration::from_millis(late_ms),
        (_, Some(_)) => return Err(bad_request("late_ms is given without \"fault\": \"late\": add it")),
    }
    let id = sandbox.press(&member, &task_id, &key, fault).map_err(bad_request)?;
    Ok(json_response(&json!({ "id": id })))
}

fn named_fault(name: &str) -> Result<PressFault, ControlError> {
    let known = || PressFault::ALL.map(PressFault::name).join(", ");
    let fault = PressFault::ALL.into_iter().find(|fault| fault.name() == name);
    fault.ok_or_else(|| bad_request(format!("fault is `{name}`: it must be one of {}", known())))
}

async fn callbacks(State(sandbox): State<Sandbox>) -> Response {
    let state = sandbox.state();
    let apps: Vec<Value> =
        state.callbacks.all().map(|(app, url)| json!({ "agent_id": app, "url": url })).collect();
    json_response(&apps)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallbackBody {
    url: String,
    token: Option<String>,
    encoding_aes_key: Option<String>,
}

/// As when an administrator presses Save.
async fn save_callback(
    State(sandbox): State<Sandbox>,
    Path(agent_id): Path<u64>,
    body: Bytes,
) -> Result<StatusCode, ControlError> {
    let CallbackBody { url, token, encoding_aes_key } = read::<CallbackBody>(&body)?;
    let token = token.as_deref().unwrap_or(Callback::SAMPLE_TOKEN);
    let key = encoding_aes_key.as_deref().unwrap_or(Callback::SAMPLE_AES_KEY);
    let callback = Callback::new(&url, token, key).map_err(bad_request)?;
    sandbox.save_callback(agent_id, callback).await.map_err(bad_request)?;
    Ok(StatusCode::NO_CONTENT)
}
