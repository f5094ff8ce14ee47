//! Login and log-out, and the choices of a reader that need no session.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, SET_COOKIE},
    },
    response::Response,
};
use serde::Serialize;

use super::{
    access::{Access, access},
    fields::Fields,
    reader::{ended_cookie, peer, session_cookie, visitor},
    refusal::Refusal,
    site,
    state::ConsoleState,
    throttle::Client,
    words::Words,
};
use crate::{
    language::Language,
    outbox::Outbox,
    pages::{Frame, LANGUAGE_COOKIE, Mark, THEME_COOKIE, Theme, Visitor, redirect},
};

/// A year, for the choices of a reader.
const CHOICE_SECONDS: u32 = 365 * 86_400;

#[derive(Serialize)]
struct View<'a> {
    next: &'a str,
    is_wrong: bool,
}

/// `GET /login`
pub(super) async fn form<O: Outbox>(State(state): State<Arc<ConsoleState<O>>>, request: Request) -> Response {
    let (visitor, settings) = (visitor(&request), state.settings.current());
    let access = access(&settings.config, state.is_on_loopback, &request);
    if access == Ok(Access::Open) {
        return redirect(&visitor.root, "");
    }
    let fields = Fields::of_query(request.uri());
    page(&state, &visitor, fields.get("next").unwrap_or_default(), StatusCode::OK)
}

fn page<O>(state: &ConsoleState<O>, visitor: &Visitor, next: &str, status: StatusCode) -> Response {
    let words = Words::of(visitor.language);
    let frame = Frame {
        site: site::NAME,
        title: words.login.to_owned(),
        count: 0,
        mark: Mark::Ok,
        nav: Vec::new(),
        role: None,
        token: String::new(),
        now: state.wall_time(),
    };
    let view = View { next, is_wrong: status == StatusCode::UNAUTHORIZED };
    let mut response = state.pages.html("login.html", visitor, &frame, words, &view);
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    response
}

/// `POST /login`
pub(super) async fn login<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    mut request: Request,
) -> Response {
    let (visitor, peer, client) = (visitor(&request), peer(&request), Client::of(&request));
    let fields = request.extensions_mut().remove::<Arc<Fields>>().unwrap_or_default();
    let next = fields.get("next").unwrap_or_default().to_owned();
    // The configuration accepts no password with spaces, so those around it were pasted by mistake.
    let password = fields.get("password").unwrap_or_default().to_owned();
    // An attempt that waits keeps nothing else.
    drop((fields, request));
    if state.throttle.wait(client).await.is_err() {
        return Refusal::TooManyAttempts.page(&state, &visitor);
    }
    let settings = state.settings.current();
    let Some(role) = settings.config.passwords.role(&password) else {
        state.throttle.failed(&peer);
        state.metrics.unauthorized();
        return page(&state, &visitor, &next, StatusCode::UNAUTHORIZED);
    };
    tracing::info!(peer, role = role.name(), "console: logged in");
    let session = state.new_session(role, &settings);
    with_cookie(redirect(&visitor.root, &next), session_cookie(&settings, &session))
}

/// `POST /logout`
pub(super) async fn logout<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    request: Request,
) -> Response {
    let root = visitor(&request).root;
    with_cookie(redirect(&root, "login"), ended_cookie(&state.settings.current()))
}

/// `POST /lang`
pub(super) async fn language(Extension(fields): Extension<Arc<Fields>>, request: Request) -> Response {
    let chosen = fields.get("lang").and_then(Language::parse).map(Language::code);
    choose(&request, &fields, LANGUAGE_COOKIE, chosen)
}

/// `POST /theme`
pub(super) async fn theme(Extension(fields): Extension<Arc<Fields>>, request: Request) -> Response {
    let chosen = fields.get("theme").and_then(Theme::parse).map(Theme::name);
    choose(&request, &fields, THEME_COOKIE, chosen)
}

fn choose(request: &Request, fields: &Fields, cookie: &str, value: Option<&'static str>) -> Response {
    let response = redirect(&visitor(request).root, fields.get("next").unwrap_or_default());
    let text = value.map(|value| format!("{cookie}={value}; SameSite=Lax; Max-Age={CHOICE_SECONDS}"));
    with_cookie(response, text.and_then(|text| HeaderValue::try_from(text).ok()))
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `GET /assets/{version}/{name}`
pub(super) async fn asset<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Path((version, name)): Path<(String, String)>,
) -> Response {
    state.pages.assets.answer(&version, &name)
}
