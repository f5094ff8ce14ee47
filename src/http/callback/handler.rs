//! The handlers of GET and POST.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    http::Uri,
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::field::display;

use super::{
    answer::{CallbackAnswer, CallbackRejection},
    apps::CallbackApp,
    body,
    state::CallbackState,
};
use crate::{
    http::{log_throttle::RequestLog, refusals::peer},
    outbox::{AcceptedPress, NewPress, Outbox, StoreError},
    wecom::callback::{CallbackMessage, CallbackQuery, CardPress, Event, encrypted},
};

/// The largest distance of a timestamp and of a press from the clock, in both directions.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(10);
/// A press that is not stored within this time is answered with 503. WeCom hangs up after 5 s.
const STORE_TIME: Duration = Duration::from_secs(3);
/// A refusal is answered this long after the request was read, so that the time does not say how far the checks came.
const REFUSAL_TIME: Duration = Duration::from_millis(50);

/// A request for an app with a callback, with fresh parameters of WeCom's form. Nothing is verified yet.
struct Admitted<'c> {
    app: &'c CallbackApp,
    query: CallbackQuery,
}

/// The app in the path of a request.
struct CalledApp {
    name: String,
    /// `None` if no app of this name has a callback.
    app: Option<Arc<CallbackApp>>,
}

type AppPath = Result<Option<Path<String>>, PathRejection>;

/// `GET`: WeCom verifies the URL. The answer is the decrypted text and nothing else.
pub(super) async fn verify<O: Outbox>(
    State(state): State<Arc<CallbackState<O>>>,
    path: AppPath,
    request: Request,
) -> Response {
    let read_at = Instant::now();
    let called = CalledApp::find(&state, path);
    let result = echo(&state, &called, request.uri());
    respond(&state, &called, peer(request.extensions()), read_at, result).await
}

/// `POST`: an event. The answer is 200 without a body when its press is on disk.
pub(super) async fn accept<O: Outbox>(
    State(state): State<Arc<CallbackState<O>>>,
    path: AppPath,
    request: Request,
) -> Response {
    let called = CalledApp::find(&state, path);
    let (parts, body) = request.into_parts();
    let admitted = admit(&state, &called, &parts.uri);
    let keep = admitted.is_ok();
    let read = body::read(body, &parts.headers, &state.buffers, keep).await;
    let read_at = Instant::now();
    let result = match (admitted, read) {
        _ if state.stop.is_cancelled() => Err(CallbackRejection::Stopping),
        (_, Err(rejection)) if rejection.is_temporary() => Err(rejection),
        (Err(rejection), _) | (_, Err(rejection)) => Err(rejection),
        (Ok(admitted), Ok(body)) => handle(&state, &admitted, &body.bytes).await,
    };
    respond(&state, &called, peer(&parts.extensions), read_at, result).await
}

impl CalledApp {
    fn find<O>(state: &CallbackState<O>, path: AppPath) -> Self {
        let name = path.ok().flatten().map(|Path(name)| name).unwrap_or_default();
        let app = state.apps.get(&name);
        Self { name, app }
    }

    fn known(&self) -> Result<&CallbackApp, CallbackRejection> {
        self.app.as_deref().ok_or(CallbackRejection::UnknownApp)
    }

    /// The name, or an empty text for an app without a callback, because strangers choose it.
    fn label(&self) -> &str {
        if self.app.is_some() { &self.name } else { "" }
    }
}

/// Checks everything that needs no body.
fn admit<'c, O>(
    state: &CallbackState<O>,
    called: &'c CalledApp,
    uri: &Uri,
) -> Result<Admitted<'c>, CallbackRejection> {
    let app = called.known()?;
    let query = CallbackQuery::parse(uri.query().unwrap_or_default())?;
    let age = age(state, query.at);
    if age.abs() > MAX_AGE {
        return Err(CallbackRejection::Stale(age));
    }
    Ok(Admitted { app, query })
}

/// Negative for the future.
fn age<O>(state: &CallbackState<O>, at: Timestamp) -> SignedDuration {
    state.clock.wall_time(state.clock.now()).duration_since(at)
}

fn echo<O>(
    state: &CallbackState<O>,
    called: &CalledApp,
    uri: &Uri,
) -> Result<CallbackAnswer, CallbackRejection> {
    let Admitted { app, query } = admit(state, called, uri)?;
    let echostr = query.echostr.as_deref().unwrap_or_default();
    app.keys.verify(&query, echostr)?;
    let message = app.keys.decrypt(echostr)?;
    Ok(CallbackAnswer::Echo(CallbackMessage::echo(message)?))
}

async fn handle<O: Outbox>(
    state: &CallbackState<O>,
    admitted: &Admitted<'_>,
    body: &[u8],
) -> Result<CallbackAnswer, CallbackRejection> {
    let Admitted { app, query } = admitted;
    let encrypted = encrypted(body)?;
    app.keys.verify(query, &encrypted)?;
    let message = CallbackMessage::parse(&app.keys.decrypt(&encrypted)?)?;
    if message.agent_id.is_some_and(|agent_id| agent_id != app.agent_id) {
        return Err(CallbackRejection::AgentId);
    }
    match message.event {
        Event::Press(press) => {
            // The Token alone signs a recorded press again with another timestamp, but does not change its message.
            let age = age(state, press.created_at);
            if age.abs() > MAX_AGE {
                return Err(CallbackRejection::StalePress(age));
            }
            store(state, app, press).await
        }
        Event::Other { kind } => {
            tracing::debug!(app = %app.sender.0, kind, "callback not used");
            Ok(CallbackAnswer::Unused)
        }
    }
}

async fn store<O: Outbox>(
    state: &CallbackState<O>,
    app: &CallbackApp,
    press: CardPress,
) -> Result<CallbackAnswer, CallbackRejection> {
    // While the clock may be wrong, nothing is stored with its time.
    if !state.clock.is_known() {
        let error = StoreError::Unavailable("its time is not known yet".to_owned());
        return Err(CallbackRejection::Store(error));
    }
    let press = NewPress {
        sender: app.sender.clone(),
        task_id: press.task_id,
        user: press.user,
        button: press.button,
        response_code: press.response_code,
        pressed_at: press.created_at,
    };
    let stored = timeout(STORE_TIME, state.outbox.accept_press(press, state.clock.now())).await;
    match stored.map_err(|_| CallbackRejection::Slow(STORE_TIME))?.map_err(CallbackRejection::Store)? {
        AcceptedPress::Stored(_) => {
            state.presses.wake();
            Ok(CallbackAnswer::Stored)
        }
        AcceptedPress::Duplicate(_) => Ok(CallbackAnswer::Duplicate),
    }
}

/// Counts and logs the result, and makes the answer.
async fn respond<O>(
    state: &CallbackState<O>,
    called: &CalledApp,
    peer: Option<SocketAddr>,
    read_at: Instant,
    result: Result<CallbackAnswer, CallbackRejection>,
) -> Response {
    match result {
        Ok(answer) => {
            state.metrics.called_back(called.label(), answer.name());
            answer.into_response()
        }
        Err(rejection) => {
            state.metrics.called_back(called.label(), rejection.name());
            log(state, called, peer, &rejection);
            if !rejection.is_temporary() {
                sleep_until(read_at + REFUSAL_TIME).await;
            }
            rejection.into_response()
        }
    }
}

/// Strangers choose the number of requests, so the lines are throttled, and have no text of a request.
fn log<O>(
    state: &CallbackState<O>,
    called: &CalledApp,
    peer: Option<SocketAddr>,
    rejection: &CallbackRejection,
) {
    let app = called.label();
    let log = RequestLog::Callback(rejection.name());
    let Some(suppressed) = state.log_throttles.allow(log, app) else { return };
    let peer = peer.map(|peer| display(peer.ip()));
    if rejection.is_temporary() {
        tracing::error!(app, %rejection, suppressed, "callback not stored; WeCom was asked to send it again");
    } else {
        tracing::warn!(app, peer, %rejection, suppressed, "callback refused");
    }
}
