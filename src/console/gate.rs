//! The middleware before the handlers: access, sessions, and the checks of requests that change something.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Form, FromRequest, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, ORIGIN, SET_COOKIE, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::time::timeout;

use super::{
    access::{Access, access},
    fields::Fields,
    password::Role,
    reader::{Reader, peer, session, session_cookie, visitor},
    reader_key::ReaderKey,
    refusal::{Problem, Refusal},
    request_limits::RequestKind,
    session::Session,
    settings::ConsoleSettings,
    state::ConsoleState,
    throttle::Client,
};
use crate::{
    language::Bilingual,
    outbox::Outbox,
    pages::{Moments, OwnOrigin, SEC_FETCH_SITE, redirect},
    text::percent_encode,
};

/// The time for the body of a form.
const FORM_TIME: Duration = Duration::from_secs(10);

/// The largest number of fields in a form of a reader without a session.
const MAX_FIELDS_OUTSIDE: usize = 16;

/// Lets readers with a session pass, and leads others to the login. It does not count them as unauthorized, because that
/// would fire an alert about webhooks.
pub(super) async fn page<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let visitor = visitor(&request);
    let Entered { settings, access } = match enter(&state, &request) {
        Ok(entered) => entered,
        Err(refusal) => return refusal.page(&state, &visitor),
    };
    let known = session(&state, &settings, request.headers());
    let (session, is_new) = match (access, known) {
        (_, Some(session)) => (session, false),
        (Access::Login, None) => {
            // A form cannot be repeated by a link.
            let next = if *request.method() == Method::GET { visitor.here.as_str() } else { "" };
            return redirect(&visitor.root, &format!("login?next={}", percent_encode(next)));
        }
        (Access::Open, None) => (state.new_session(Role::Operator, &settings), true),
    };
    let key = match is_new {
        true => ReaderKey::Client(Client::of(&request)),
        false => ReaderKey::Session(settings.key.form_token(&session)),
    };
    // `change` counts the forms that it lets pass, so a page of another site uses up no limit.
    let allowed = match RequestKind::of(&request) {
        RequestKind::Read => state.limits.take(&key, RequestKind::Read),
        RequestKind::Render | RequestKind::Change => Ok(()),
    };
    let reader = reader(&state, &settings, &session, key, &request);
    request.extensions_mut().insert(reader);
    let mut response = match allowed {
        Ok(()) => next.run(request).await,
        Err(wait) => Refusal::TooManyRequests(wait).page(&state, &visitor),
    };
    if is_new && let Some(cookie) = session_cookie(&settings, &session) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// The settings in use, and the access that a request has.
struct Entered {
    settings: Arc<ConsoleSettings>,
    access: Access,
}

fn enter<O>(state: &ConsoleState<O>, request: &Request) -> Result<Entered, Refusal> {
    let settings = state.settings.current();
    let access = access(&settings.config, state.is_on_loopback, request).map_err(Refusal::Closed)?;
    Ok(Entered { settings, access })
}

fn reader<O>(
    state: &ConsoleState<O>,
    settings: &Arc<ConsoleSettings>,
    session: &Session,
    key: ReaderKey,
    request: &Request,
) -> Reader {
    let visitor = visitor(request);
    let moments = Moments { now: state.wall_time(), zone: settings.zone.clone(), language: visitor.language };
    Reader {
        visitor,
        role: session.role,
        token: settings.key.form_token(session),
        has_login: !settings.config.passwords.is_empty(),
        moments,
        peer: peer(request),
        key,
        settings: Arc::clone(settings),
    }
}

/// Lets forms pass that a page of the console sent for an operator. It runs behind [`page`]. The handler gets the
/// [`Fields`].
pub(super) async fn change<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    request: Request,
    next: Next,
) -> Response {
    if *request.method() != Method::POST {
        // The router answers 405.
        return next.run(request).await;
    }
    let visitor = visitor(&request);
    let Some(reader) = request.extensions().get::<Reader>().cloned() else {
        return Refusal::OldForm.page(&state, &visitor);
    };
    let (request, fields) = match read_form(&reader.settings, request).await {
        Ok(read) => read,
        Err(refusal) => return refusal.page(&state, &visitor),
    };
    // The session of an open console is new if its cookie is missing, and then the token cannot match.
    let token = fields.get("token").unwrap_or_default();
    let has_token = session(&state, &reader.settings, request.headers())
        .is_some_and(|session| reader.settings.key.is_form_token(&session, token));
    if !has_token {
        return Refusal::OldForm.page(&state, &visitor);
    }
    if !reader.is_operator() {
        return Refusal::ViewerOnly.page(&state, &visitor);
    }
    if let Err(wait) = state.limits.take(&reader.key, RequestKind::of(&request)) {
        return Refusal::TooManyRequests(wait).page(&state, &visitor);
    }
    next.run(request).await
}

/// Lets forms pass that need no session: login, log-out, language and theme. The handler gets the [`Fields`].
pub(super) async fn outside<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    request: Request,
    next: Next,
) -> Response {
    let visitor = visitor(&request);
    let settings = match enter(&state, &request) {
        Ok(entered) => entered.settings,
        Err(refusal) => return refusal.page(&state, &visitor),
    };
    if *request.method() != Method::POST {
        return next.run(request).await;
    }
    let (request, fields) = match read_form(&settings, request).await {
        Ok(read) => read,
        Err(refusal) => return refusal.page(&state, &visitor),
    };
    if fields.0.len() > MAX_FIELDS_OUTSIDE {
        let reason = Bilingual::new(
            format!("it has more than {MAX_FIELDS_OUTSIDE} fields"),
            format!("字段超过 {MAX_FIELDS_OUTSIDE} 个"),
        );
        return Refusal::BadForm(reason).page(&state, &visitor);
    }
    next.run(request).await
}

/// Lets programs pass that send a password as a token or by basic authentication, and pages of the console.
pub(super) async fn api<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Entered { settings, access } = match enter(&state, &request) {
        Ok(entered) => entered,
        Err(refusal) => return refusal.json(),
    };
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    let client = Client::of(&request);
    let offered = match offered_password(request.headers()) {
        // A wrong password waits for its turn, as at the login.
        Some(_) if state.throttle.wait(client).await.is_err() => {
            return Refusal::TooManyAttempts.json();
        }
        offered => offered.and_then(|offered| settings.config.passwords.role(&offered)),
    };
    let role = match (access, offered) {
        (_, Some(role)) => role,
        // Changes by a page are forms, so a cookie only reads here.
        (Access::Login, None) => match session(&state, &settings, request.headers()) {
            Some(session) if !is_change => session.role,
            _ => return unauthorized(&state, &request),
        },
        (Access::Open, None) if is_change && is_from_browser(&request) => {
            return check_origin(&settings, &request).err().unwrap_or(Refusal::OldForm).json();
        }
        (Access::Open, None) => Role::Operator,
    };
    if is_change && role != Role::Operator {
        return Refusal::ViewerOnly.json();
    }
    let key = ReaderKey::Client(client);
    if let Err(wait) = state.limits.take(&key, RequestKind::of(&request)) {
        return Refusal::TooManyRequests(wait).json();
    }
    let session = state.new_session(role, &settings);
    let reader = reader(&state, &settings, &session, key, &request);
    request.extensions_mut().insert(reader);
    next.run(request).await
}

/// A browser sends one of these headers with each request that changes something.
fn is_from_browser(request: &Request) -> bool {
    let headers = request.headers();
    headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE)
}

fn unauthorized<O>(state: &ConsoleState<O>, request: &Request) -> Response {
    state.metrics.unauthorized();
    if request.headers().contains_key(AUTHORIZATION) {
        state.throttle.failed(&peer(request));
    }
    let mut response = Problem {
        status: StatusCode::UNAUTHORIZED,
        detail: "The request has no valid password.".to_owned(),
        fix: Some("Send server.console.password as a bearer token, or by basic authentication.".to_owned()),
    }
    .into_response();
    let challenge = HeaderValue::from_static("Bearer realm=\"wecom-relay console\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// The password of the header `Authorization`. The user name of basic authentication does not matter.
fn offered_password(headers: &HeaderMap) -> Option<String> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

fn check_origin(settings: &ConsoleSettings, request: &Request) -> Result<(), Refusal> {
    let external = settings.config.external_url.as_ref();
    let own = external.map_or(OwnOrigin::OfHost, |url| OwnOrigin::Configured(&url.origin));
    own.check(request.uri(), request.headers()).map_err(Refusal::Foreign)
}

/// Reads a form that a page of the console sent. The request keeps its fields for the handler.
async fn read_form(settings: &ConsoleSettings, request: Request) -> Result<(Request, Arc<Fields>), Refusal> {
    check_origin(settings, &request)?;
    let (parts, body) = request.into_parts();
    let form = Form::<Vec<(String, String)>>::from_request(Request::from_parts(parts.clone(), body), &());
    let fields = match timeout(FORM_TIME, form).await {
        Ok(Ok(Form(pairs))) => Arc::new(Fields(pairs)),
        Ok(Err(error)) => return Err(Refusal::BadForm(Bilingual::same(error.body_text()))),
        Err(_elapsed) => {
            let late = Bilingual::new("it did not arrive in time", "没有及时收到");
            return Err(Refusal::BadForm(late.into()));
        }
    };
    let mut request = Request::from_parts(parts, axum::body::Body::empty());
    request.extensions_mut().insert(Arc::clone(&fields));
    Ok((request, fields))
}
