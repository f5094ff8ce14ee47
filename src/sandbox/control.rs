//! The control API over HTTP. The module documentation of `sandbox` lists its requests.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use super::control_answer::{ControlError, bad_request, control_error, json_response, read};
use super::control_callbacks;
use super::directory::Directory;
use super::fault_json::FaultBody;
use super::faults::Fault;
use super::instance::Sandbox;
use super::settings::Expired;
use crate::pages::{OwnOrigin, SEC_FETCH_SITE, names_foreign_host, protected};

const ROUTES: &str = "GET /, GET /sandbox/members/{userid}/messages, GET /sandbox/groups/{name}/messages, GET and DELETE /sandbox/messages, GET /sandbox/calls, \
                      GET, POST and DELETE /sandbox/faults, POST /sandbox/tokens/expire, \
                      GET and POST /sandbox/presses, GET /sandbox/callbacks, PUT /sandbox/callbacks/{agent_id}, \
                      GET and PUT /sandbox/directory";

/// The fields of a fault, for people.
pub const FAULTS_HELP: &str = include_str!("faults.txt");

/// `GET /`. The addresses are those by which the caller reached the sandbox.
pub(super) async fn explain(headers: HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let help = include_str!("help.txt").replace("{address}", host.unwrap_or("127.0.0.1:8062"));
    help + FAULTS_HELP
}

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/members/{userid}/messages", get(member_messages))
        .route("/groups/{name}/messages", get(group_messages))
        .route("/messages", get(messages).delete(clear_messages))
        .route("/calls", get(calls))
        .route("/faults", get(faults).post(inject).delete(clear_faults))
        .route("/tokens/expire", post(expire_tokens))
        .route("/directory", get(directory).put(replace_directory))
        .merge(control_callbacks::routes())
        .layer(from_fn(refuse_foreign))
        .fallback(|| async {
            control_error(StatusCode::NOT_FOUND, format!("unknown path: use one of {ROUTES}"))
        })
        .method_not_allowed_fallback(|| async {
            control_error(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("unknown method for this path: use one of {ROUTES}"),
            )
        })
        .layer(map_response(async |response| protected(response)))
}

/// Refuses what a browser sends for a page of another site. Other programs send neither `Origin` nor `Sec-Fetch-Site`.
async fn refuse_foreign(request: Request, next: Next) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    let is_browser = headers.contains_key(header::ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_foreign =
        names_foreign_host(uri, headers) || !is_read && OwnOrigin::OfHost.check(uri, headers).is_err();
    if is_browser && is_foreign {
        let text = "the request comes from a page of another site: use the page of the sandbox, or curl";
        return control_error(StatusCode::FORBIDDEN, text.to_owned()).into_response();
    }
    next.run(request).await
}

async fn member_messages(
    State(sandbox): State<Sandbox>,
    Path(userid): Path<String>,
) -> Result<Response, ControlError> {
    let userid = userid.to_lowercase();
    let known: Vec<String> = {
        let state = sandbox.state();
        let members = state.directory.corps.iter().flat_map(|corp| &corp.members);
        members.map(|member| member.userid.clone()).collect()
    };
    if !known.contains(&userid) {
        let known: Vec<&str> = known.iter().map(String::as_str).take(20).collect();
        let text = format!("unknown member `{userid}`: there are {}", known.join(", "));
        return Err(control_error(StatusCode::NOT_FOUND, text));
    }
    Ok(json_response(&sandbox.delivered_to(&userid)))
}

async fn group_messages(
    State(sandbox): State<Sandbox>,
    Path(name): Path<String>,
) -> Result<Response, ControlError> {
    let known: Vec<String> = {
        let state = sandbox.state();
        let robots = state.directory.corps.iter().flat_map(|corp| &corp.robots);
        let robots = robots.map(|robot| robot.name.clone());
        robots.chain(state.chats.ids().map(str::to_owned)).collect()
    };
    if !known.contains(&name) {
        let known: Vec<&str> = known.iter().map(String::as_str).take(20).collect();
        let text = format!("unknown group `{name}`: there are {}", known.join(", "));
        return Err(control_error(StatusCode::NOT_FOUND, text));
    }
    Ok(json_response(&sandbox.delivered_to_group(&name)))
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
    json_response(&shaped.collect::<Vec<_>>())
}

async fn clear_messages(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.clear_messages();
    StatusCode::NO_CONTENT
}

async fn calls(State(sandbox): State<Sandbox>) -> Response {
    json_response(sandbox.state().calls.counts())
}

async fn faults(State(sandbox): State<Sandbox>) -> Response {
    let now = sandbox.now();
    let faults = sandbox.state().faults.active(now);
    json_response(&faults.iter().map(FaultBody::from).collect::<Vec<_>>())
}

async fn inject(State(sandbox): State<Sandbox>, body: Bytes) -> Result<StatusCode, ControlError> {
    let fault = Fault::try_from(read::<FaultBody>(&body)?).map_err(bad_request)?;
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

async fn expire_tokens(State(sandbox): State<Sandbox>, body: Bytes) -> Result<StatusCode, ControlError> {
    let answer = match read::<ExpireBody>(&body)?.errcode {
        42001 => Expired::With42001,
        40014 => Expired::With40014,
        errcode => return Err(bad_request(format!("errcode is {errcode}: it must be 42001 or 40014"))),
    };
    sandbox.expire_tokens(answer);
    Ok(StatusCode::NO_CONTENT)
}

async fn directory(State(sandbox): State<Sandbox>) -> Response {
    json_response(&sandbox.state().directory)
}

async fn replace_directory(State(sandbox): State<Sandbox>, body: Bytes) -> Result<StatusCode, ControlError> {
    let text = std::str::from_utf8(&body)
        .map_err(|error| bad_request(format!("the directory is not UTF-8: {error}")))?;
    sandbox.replace_directory(Directory::from_yaml(text).map_err(bad_request)?);
    Ok(StatusCode::NO_CONTENT)
}
