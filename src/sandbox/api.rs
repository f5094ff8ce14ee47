//! The way of a call: it arrives, the faults have their say, WeCom deals with it, it is answered.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Query, Request, State as Shared};
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::routing::any;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::directory::Named;
use super::faults::{Effect, Target};
use super::reply::{Refusal, Reply};
use super::serve::{Caller, hang_up};
use super::{Answer, Call, Sandbox, State, control, json, send, token};

/// An API of WeCom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// `gettoken`
    Gettoken,
    /// `message/send`
    MessageSend,
}

impl Api {
    /// The path after `/cgi-bin/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gettoken => "gettoken",
            Self::MessageSend => "message/send",
        }
    }
}

/// A request, read to its end.
pub(super) struct Arrival {
    pub(super) api: Api,
    pub(super) at: Timestamp,
    pub(super) from: Option<IpAddr>,
    pub(super) method: Method,
    pub(super) body: Bytes,
    query: HashMap<String, String>,
}

impl Arrival {
    /// A query parameter that is not empty.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

// nginx's answer to a larger one is a bare 413.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

impl Sandbox {
    /// WeCom's routes and the control API. Only behind [`Sandbox::serve`] can a connection be dropped, and is the caller's
    /// address known; elsewhere a drop is a 500 with a text that says so.
    pub fn router(&self) -> Router {
        let gettoken = |sandbox, request| receive(sandbox, Api::Gettoken, request);
        let send = |sandbox, request| receive(sandbox, Api::MessageSend, request);
        Router::new()
            .route("/cgi-bin/gettoken", any(gettoken))
            .route("/cgi-bin/message/send", any(send))
            .nest("/sandbox", control::routes())
            .fallback(not_found)
            .with_state(self.clone())
    }

    fn take(&self, arrived: &Arrival) -> Ending {
        self.change(|state| take(state, self, arrived))
    }
}

async fn not_found() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("nginx"));
    response
}

async fn receive(Shared(sandbox): Shared<Sandbox>, api: Api, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    };
    let arrived = Arrival {
        api,
        at: sandbox.now(),
        from: parts.extensions.get::<Caller>().map(|caller| caller.0),
        method: parts.method,
        body,
        query: query(&parts.uri),
    };
    // Nothing is awaited before this: a caller who hangs up does not undo what was taken.
    let ending = sandbox.take(&arrived);
    ending.answer().await
}

fn query(uri: &Uri) -> HashMap<String, String> {
    Query::try_from_uri(uri).map(|Query(query)| query).unwrap_or_default()
}

fn take(state: &mut State, sandbox: &Sandbox, arrived: &Arrival) -> Ending {
    let settings = sandbox.settings();
    let app = caller(state, arrived);
    let named = touser(arrived, settings.recover_json);
    let target = Target { api: arrived.api, app, touser: &named };
    let plan = state.faults.plan(&target, arrived.at);

    let taken = plan.takes();
    let reply = taken.then(|| {
        let result = match arrived.api {
            Api::Gettoken => token::gettoken(state, settings, arrived),
            Api::MessageSend => send::send(state, settings, arrived),
        };
        result.unwrap_or_else(|refusal| refusal.into_reply(arrived.from, arrived.at, &mut state.rng))
    });
    let how = match (plan.effect, reply) {
        (Some(Effect::Errcode { errcode, errmsg, .. }), _) => How::Reply(match errmsg {
            Some(errmsg) => Reply { errcode, errmsg, ..Reply::default() },
            None => Refusal::new(errcode).into_reply(arrived.from, arrived.at, &mut state.rng),
        }),
        (Some(Effect::HttpStatus { status, body, .. }), _) => How::Status(status, body),
        (Some(Effect::Hang { .. }), _) => How::Hang,
        (Some(Effect::Truncate), Some(reply)) => How::Half(reply),
        (None | Some(Effect::Latency(_)), Some(reply)) => How::Reply(reply),
        (Some(Effect::Drop(_)), _) | (_, None) => How::HangUp,
    };
    let request = String::from_utf8_lossy(&arrived.body).into();
    let answer = how.summary();
    state.calls.add(Call {
        api: arrived.api,
        at: arrived.at,
        from: arrived.from,
        app,
        request,
        taken,
        answer,
    });
    Ending { how, latency: plan.latency }
}

fn caller(state: &State, arrived: &Arrival) -> Option<u64> {
    match arrived.api {
        Api::MessageSend => state.tokens.holder(arrived.parameter("access_token")?).map(|one| one.agent_id),
        Api::Gettoken => {
            let corp = state.directory.corp(arrived.parameter("corpid")?)?;
            let secret = arrived.parameter("corpsecret")?;
            corp.apps.iter().find(|app| app.secret == secret).map(|app| app.agent_id)
        }
    }
}

fn touser(arrived: &Arrival, recover: bool) -> Vec<String> {
    let fields = json::read(&arrived.body, recover).map(|body| body.fields);
    let touser = fields.as_ref().and_then(|fields| fields.get("touser")).and_then(|touser| touser.as_str());
    Named::new(touser.unwrap_or_default(), "", "").users
}

/// How and when a call is answered.
struct Ending {
    how: How,
    latency: Duration,
}

enum How {
    Reply(Reply),
    Status(u16, String),
    Half(Reply),
    Hang,
    HangUp,
}

impl How {
    fn summary(&self) -> Answer {
        match self {
            Self::Reply(reply) => Answer::Errcode(reply.errcode),
            Self::Status(status, _) => Answer::Status(*status),
            Self::Half(_) | Self::Hang | Self::HangUp => Answer::None,
        }
    }
}

impl Ending {
    async fn answer(self) -> Response<Body> {
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        match self.how {
            How::Reply(reply) => reply.into_response(),
            How::Status(status, body) => {
                let mut response = Response::new(Body::from(body));
                *response.status_mut() =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let headers = response.headers_mut();
                headers.insert(header::SERVER, HeaderValue::from_static("nginx"));
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
                response
            }
            How::Half(reply) => half(&reply),
            How::Hang => std::future::pending().await,
            How::HangUp => hang_up(),
        }
    }
}

fn half(reply: &Reply) -> Response<Body> {
    let json = Bytes::from(reply.json());
    let length = json.len();
    let lost = || async {
        // The first half must be on its way before the connection is closed.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    };
    let first = stream::iter([Ok(json.slice(..length / 2))]);
    let mut response = Response::new(Body::from_stream(first.chain(stream::once(lost()))));
    reply.write_headers(&mut response);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}
