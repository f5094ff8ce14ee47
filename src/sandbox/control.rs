//! The control API over HTTP; the module documentation of `sandbox` lists it.

use std::fmt::Display;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::fault_json::FaultBody;
use super::{Directory, Expired, Fault, Sandbox};

const ROUTES: &str = "GET /sandbox/members/{userid}/messages, GET and DELETE /sandbox/messages, GET /sandbox/calls, \
                      GET, POST and DELETE /sandbox/faults, POST /sandbox/tokens/expire, \
                      GET and PUT /sandbox/directory";

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/members/{userid}/messages", get(member_messages))
        .route("/messages", get(messages).delete(clear_messages))
        .route("/calls", get(calls))
        .route("/faults", get(faults).post(inject).delete(clear_faults))
        .route("/tokens/expire", post(expire_tokens))
        .route("/directory", get(directory).put(replace_directory))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, format!("no such path; there are {ROUTES}")) })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, format!("no such method here; there are {ROUTES}"))
        })
}

async fn member_messages(
    State(sandbox): State<Sandbox>,
    Path(userid): Path<String>,
) -> Result<Response, Refused> {
    let userid = userid.to_lowercase();
    let known: Vec<String> = {
        let state = sandbox.state();
        let members = state.directory.corps.iter().flat_map(|corp| &corp.members);
        members.map(|member| member.userid.clone()).collect()
    };
    if !known.contains(&userid) {
        let known: Vec<&str> = known.iter().map(String::as_str).take(20).collect();
        let text = format!("no member `{userid}`; there are {}", known.join(", "));
        return Err(refuse(StatusCode::NOT_FOUND, text));
    }
    Ok(answer(&sandbox.delivered_to(&userid)))
}

async fn messages(State(sandbox): State<Sandbox>) -> Response {
    let messages = sandbox.messages();
    let shaped = messages.iter().map(|message| {
        let members =
            message.members.iter().map(|(userid, outcome)| json!({ "userid": userid, "outcome": outcome }));
        let mut shape = json!(message);
        if let Some(slot) = shape.get_mut("members") {
            *slot = members.collect();
        }
        shape
    });
    answer(&shaped.collect::<Vec<_>>())
}

async fn clear_messages(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.clear_messages();
    StatusCode::NO_CONTENT
}

async fn calls(State(sandbox): State<Sandbox>) -> Response {
    answer(sandbox.state().calls.counts())
}

async fn faults(State(sandbox): State<Sandbox>) -> Response {
    let now = sandbox.now();
    let faults = sandbox.state().faults.in_force(now);
    answer(&faults.iter().map(FaultBody::from).collect::<Vec<_>>())
}

async fn inject(State(sandbox): State<Sandbox>, body: Bytes) -> Result<StatusCode, Refused> {
    let fault = Fault::try_from(read::<FaultBody>(&body)?).map_err(bad)?;
    sandbox.inject(fault);
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_faults(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.clear_faults();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpireBody {
    errcode: i64,
}

async fn expire_tokens(State(sandbox): State<Sandbox>, body: Bytes) -> Result<StatusCode, Refused> {
    let answer = match read::<ExpireBody>(&body)?.errcode {
        42001 => Expired::With42001,
        40014 => Expired::With40014,
        errcode => return Err(bad(format!("errcode is {errcode}: it must be 42001 or 40014"))),
    };
    sandbox.expire_tokens(answer);
    Ok(StatusCode::NO_CONTENT)
}

async fn directory(State(sandbox): State<Sandbox>) -> Response {
    answer(&sandbox.state().directory)
}

async fn replace_directory(State(sandbox): State<Sandbox>, body: Bytes) -> Result<StatusCode, Refused> {
    let text =
        std::str::from_utf8(&body).map_err(|error| bad(format!("the directory is not UTF-8: {error}")))?;
    sandbox.replace_directory(Directory::from_yaml(text).map_err(bad)?);
    Ok(StatusCode::NO_CONTENT)
}

/// Why the control API does not do it: what is wrong, and what would be right.
struct Refused {
    status: StatusCode,
    text: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let error: Value = json!({ "error": self.text });
        (self.status, [(header::CONTENT_TYPE, "application/json")], error.to_string()).into_response()
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is not what is expected here: {error}")))
}

fn answer(value: &impl Serialize) -> Response {
    let json = serde_json::to_string(value).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

fn bad(text: impl Display) -> Refused {
    refuse(StatusCode::BAD_REQUEST, text.to_string())
}

fn refuse(status: StatusCode, text: String) -> Refused {
    Refused { status, text }
}
