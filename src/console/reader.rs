//! The reader of a page of the console, with its session.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderValue},
};

use super::{
    password::Role,
    reader_key::ReaderKey,
    session::Session,
    settings::ConsoleSettings,
    site::{self, Place},
    state::ConsoleState,
    words::Words,
};
use crate::{
    language::Language,
    pages::{Frame, Mark, Moments, Visitor, cookie},
};

/// A reader that may see the page.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) visitor: Visitor,
    pub(super) role: Role,
    /// The token of its forms.
    pub(super) token: String,
    /// True if a password is needed, so that the reader can log out.
    pub(super) has_login: bool,
    pub(super) moments: Moments,
    pub(super) peer: String,
    /// The key of its limits.
    pub(super) key: ReaderKey,
    pub(super) settings: Arc<ConsoleSettings>,
}

impl Reader {
    pub(super) fn language(&self) -> Language {
        self.visitor.language
    }

    pub(super) fn words(&self) -> &'static Words {
        Words::of(self.language())
    }

    pub(super) fn is_operator(&self) -> bool {
        self.role == Role::Operator
    }

    /// The frame of a page without things that need a person.
    pub(super) fn frame(&self, place: Place, title: impl Into<String>) -> Frame {
        Frame {
            site: site::NAME,
            title: title.into(),
            count: 0,
            mark: Mark::Ok,
            nav: site::nav(self.words(), place),
            role: self.has_login.then(|| self.role.name()),
            token: self.token.clone(),
            now: self.moments.now,
        }
    }
}

/// The session of a request.
pub(super) fn session<O>(
    state: &ConsoleState<O>,
    settings: &ConsoleSettings,
    headers: &HeaderMap,
) -> Option<Session> {
    let (name, now) = (settings.key.cookie_name(), state.wall_time());
    let is_valid = |value: &str| settings.key.verify(value, now).is_some();
    settings.key.verify(cookie(headers, &name, is_valid)?, now)
}

/// The value of `Set-Cookie` that begins `session`. Without a path it is valid for the pages beside this one and below,
/// whatever prefix a proxy adds.
pub(super) fn session_cookie(settings: &ConsoleSettings, session: &Session) -> Option<HeaderValue> {
    set_cookie(settings, &settings.key.sign(session), "")
}

/// The value of `Set-Cookie` that ends a session.
pub(super) fn ended_cookie(settings: &ConsoleSettings) -> Option<HeaderValue> {
    set_cookie(settings, "", "; Max-Age=0")
}

fn set_cookie(settings: &ConsoleSettings, value: &str, more: &str) -> Option<HeaderValue> {
    let name = settings.key.cookie_name();
    let is_https = settings.config.external_url.as_ref().is_some_and(|url| url.is_https());
    let secure = if settings.has_tls || is_https { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{name}={value}; HttpOnly; SameSite=Lax{secure}{more}")).ok()
}

/// The address of the client, for the log.
pub(super) fn peer(request: &Request) -> String {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
    address.map(|address| address.0.ip().to_string()).unwrap_or_default()
}

pub(super) fn visitor(request: &Request) -> Visitor {
    Visitor::of(request.headers(), request.uri().path(), request.uri().query())
}
