//! Who may use the relay: the credentials that Alertmanager's `http_config` sends.
//!
//! They are looked at before anything else of a request, in a time that does not depend on them: only digests are
//! kept and compared. Sessions, users and rights were rejected: one party sends alerts, and it may do so or not.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use tracing::field::{debug, display};

use super::{Answer, Rarely, Relay, server::Peer};
use crate::secret::Secret;

/// What is open to everybody: it tells nothing but that the relay is there.
const OPEN: [&str; 2] = ["/-/healthy", "/-/ready"];
/// At most one refusal is logged in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The credentials of which a request must bring one; without any, everybody is let in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Access {
    bearer: Option<Credentials>,
    basic: Option<Credentials>,
}

/// The digest of what stands behind the scheme in an `Authorization` header.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Credentials([u8; 32]);

impl Credentials {
    fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    fn are(self, text: &[u8]) -> bool {
        self.0.ct_eq(&Self::of(text).0).into()
    }
}

/// When a refusal is logged: rarely, so that nobody can flood the log.
#[derive(Debug)]
pub struct Refusals(Rarely);

impl Default for Refusals {
    fn default() -> Self {
        Self(Rarely::new(LOG_INTERVAL))
    }
}

/// The schemes by which a refused client could have proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// A bearer token.
    pub bearer: bool,
    /// User name and password.
    pub basic: bool,
}

impl Access {
    /// For those who bring this token, or this user name and password.
    pub fn new(bearer_token: Option<&Secret>, basic_auth: Option<(&str, &Secret)>) -> Self {
        let basic = |(username, password): (&str, &Secret)| {
            let encoded = STANDARD.encode(format!("{username}:{}", password.expose()));
            Credentials::of(encoded.as_bytes())
        };
        Self {
            bearer: bearer_token.map(|token| Credentials::of(token.expose().as_bytes())),
            basic: basic_auth.map(basic),
        }
    }

    /// Whether everybody is let in.
    pub fn is_open(&self) -> bool {
        self.bearer.is_none() && self.basic.is_none()
    }

    fn challenge(&self) -> Challenge {
        Challenge { bearer: self.bearer.is_some(), basic: self.basic.is_some() }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        if self.is_open() {
            return true;
        }
        let Some((scheme, offered)) = offered(headers) else { return false };
        let wanted = match scheme {
            Scheme::Bearer => self.bearer,
            Scheme::Basic => self.basic,
            Scheme::Other => None,
        };
        wanted.is_some_and(|wanted| wanted.are(offered))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({:?})", self.challenge())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Basic,
    Other,
}

/// The scheme and the rest of the `Authorization` header, if there is exactly one.
fn offered(headers: &HeaderMap) -> Option<(Scheme, &[u8])> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let value = one.as_bytes().trim_ascii();
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    let scheme = match scheme {
        bearer if bearer.eq_ignore_ascii_case(b"bearer") => Scheme::Bearer,
        basic if basic.eq_ignore_ascii_case(b"basic") => Scheme::Basic,
        _ => Scheme::Other,
    };
    Some((scheme, rest.trim_ascii()))
}

impl Challenge {
    /// The values of `WWW-Authenticate`.
    pub(super) fn headers(self) -> impl Iterator<Item = HeaderValue> {
        let bearer = self.bearer.then(|| HeaderValue::from_static(r#"Bearer realm="wecom-relay""#));
        let basic =
            self.basic.then(|| HeaderValue::from_static(r#"Basic realm="wecom-relay", charset="UTF-8""#));
        bearer.into_iter().chain(basic)
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BEARER: &str =
            "`authorization: { credentials_file: … }` with the relay's server.auth.bearer_token";
        const BASIC: &str =
            "`basic_auth: { username: …, password_file: … }` as in the relay's server.auth.basic_auth";
        f.write_str("no valid credentials; in Alertmanager, give the http_config of this webhook_configs ")?;
        match (self.bearer, self.basic) {
            (true, true) => write!(f, "{BEARER}, or {BASIC}"),
            (true, false) => f.write_str(BEARER),
            (false, _) => f.write_str(BASIC),
        }
    }
}

/// Lets a request through, or answers it with 401 before its body is read, and ends its connection.
pub(super) async fn guard<O: Send + Sync + 'static>(
    State(relay): State<Arc<Relay<O>>>,
    request: Request,
    next: Next,
) -> Response {
    let access = &relay.entrance.current().access;
    if OPEN.contains(&request.uri().path()) || access.admits(request.headers()) {
        return next.run(request).await;
    }
    relay.metrics.unauthorized();
    if let Some(unlogged) = relay.refusals.0.tell(Instant::now()) {
        let peer = request.extensions().get::<Peer>().map(|Peer(address)| display(address.ip()));
        let offered = offered(request.headers()).map(|(scheme, _)| debug(scheme));
        if matches!(*request.method(), Method::POST | Method::PUT) {
            tracing::error!(
                peer,
                offered,
                unlogged,
                "a request was refused, and will not be sent again: its credentials are not those of server.auth"
            );
        } else {
            tracing::warn!(
                peer,
                offered,
                unlogged,
                "a request was refused: its credentials are not those of server.auth"
            );
        }
    }
    let mut answer = Answer::Unauthorized(access.challenge()).into_response();
    // Who has no credentials has no use for the place of a connection.
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(access: &Access, values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        access.admits(&headers)
    }

    #[test]
    fn without_credentials_everybody_is_let_in() {
        assert!(admitted(&Access::default(), &[]));
        assert!(admitted(&Access::default(), &["Bearer anything"]));
    }

    #[test]
    fn only_the_whole_token_in_one_header_is_let_in() {
        let access = Access::new(Some(&Secret::new("not-a-real-token")), None);
        for good in ["Bearer not-a-real-token", "bearer not-a-real-token", "BEARER   not-a-real-token "] {
            assert!(admitted(&access, &[good]), "{good}");
        }
        let bad = [
            "",
            "Bearer",
            "Bearer ",
            "Bearer not-a-real-toke",
            "Bearer not-a-real-token2",
            "Bearernot-a-real-token",
            "not-a-real-token",
            "Basic not-a-real-token",
            "Token not-a-real-token",
            "Bearer Not-a-real-token",
        ];
        for bad in bad {
            assert!(!admitted(&access, &[bad]), "{bad}");
        }
        assert!(!admitted(&access, &[]));
        assert!(!admitted(&access, &["Bearer not-a-real-token", "Bearer not-a-real-token"]));
    }

    #[test]
    fn user_name_and_password_are_let_in_together_only() {
        let access = Access::new(None, Some(("alertmanager", &Secret::new("pässword"))));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert!(admitted(&access, &[&basic("alertmanager:pässword")]));
        for bad in [
            "alertmanager:",
            "alertmanager",
            ":pässword",
            "alertmanager:passwor",
            "Alertmanager:pässword",
            "",
        ] {
            assert!(!admitted(&access, &[&basic(bad)]), "{bad}");
        }
        assert!(!admitted(&access, &["Basic !!!"]));
        assert!(!admitted(&access, &["Bearer pässword"]));
    }

    #[test]
    fn either_of_two_schemes_is_let_in() {
        let access = Access::new(Some(&Secret::new("token")), Some(("u", &Secret::new("p"))));
        assert!(admitted(&access, &["Bearer token"]) && admitted(&access, &["Basic dTpw"]));
        assert!(!admitted(&access, &["Bearer dTpw"]) && !admitted(&access, &["Basic token"]));
    }

    #[test]
    fn credentials_are_not_shown_by_debug() {
        let access = Access::new(Some(&Secret::new("token")), None);
        assert_eq!(format!("{access:?}"), "Access(Challenge { bearer: true, basic: false })");
    }
}
