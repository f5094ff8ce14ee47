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
use super::{Answer, Call, Sandbox, State, control, json, reads, send, token};

/// An API of WeCom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// `gettoken`
    Gettoken,
    /// `message/send`
    MessageSend,
    /// `agent/get`
    AgentGet,
    /// `user/get`
    UserGet,
    /// `department/get`
    DepartmentGet,
    /// `tag/get`
    TagGet,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Gettoken, Self::MessageSend, Self::AgentGet, Self::UserGet, Self::DepartmentGet, Self::TagGet];

    /// The path after `/cgi-bin/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gettoken => "gettoken",
            Self::MessageSend => "message/send",
            Self::AgentGet => "agent/get",
            Self::UserGet => "user/get",
            Self::DepartmentGet => "department/get",
            Self::TagGet => "tag/get",
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

/// RFC 9110's form of a date; a [`Timestamp`] is in UTC.
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

// nginx's answer to a larger one is a bare 413.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

impl Sandbox {
    /// WeCom's routes and the control API. Only behind [`Sandbox::serve`] can a connection be dropped, and is the caller's
    /// address known; elsewhere a drop is a 500 with a text that says so.
    pub fn router(&self) -> Router {
        let apis = Api::ALL.into_iter().fold(Router::new(), |router, api| {
            let receive = move |sandbox, request| receive(sandbox, api, request);
            router.route(&format!("/cgi-bin/{}", api.name()), any(receive))
        });
        apis.nest("/sandbox", control::routes()).fallback(not_found).with_state(self.clone())
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
            Api::AgentGet | Api::UserGet | Api::DepartmentGet | Api::TagGet => {
                reads::read(state, settings, arrived)
            }
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
        (None | Some(Effect::Latency(_) | Effect::ClockSkew(_)), Some(reply)) => How::Reply(reply),
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
    let date = arrived.at.checked_add(plan.clock_skew).unwrap_or(arrived.at);
    Ending { how, latency: plan.latency, date }
}

fn caller(state: &State, arrived: &Arrival) -> Option<u64> {
    match arrived.api {
        Api::MessageSend | Api::AgentGet | Api::UserGet | Api::DepartmentGet | Api::TagGet => {
            state.tokens.holder(arrived.parameter("access_token")?).map(|one| one.agent_id)
        }
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
    /// What its `Date` says.
    date: Timestamp,
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
        let mut response = match self.how {
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
        };
        if let Ok(date) = HeaderValue::try_from(self.date.strftime(HTTP_DATE).to_string()) {
            response.headers_mut().insert(header::DATE, date);
        }
        response
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
