//! The credentials that Alertmanager's `http_config` sends.
//!
//! Only digests are kept and compared, so the time of a check does not depend on the credentials.

use std::fmt;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// A request must have one of these credentials. Without any, every request is allowed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AccessControl {
    bearer: Option<CredentialsDigest>,
    basic: Option<CredentialsDigest>,
}

/// The digest of an `Authorization` header without its scheme.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CredentialsDigest([u8; 32]);

impl CredentialsDigest {
    fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    fn matches(self, text: &[u8]) -> bool {
        self.0.ct_eq(&Self::of(text).0).into()
    }
}

/// The schemes that the relay accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Challenge {
    bearer: bool,
    basic: bool,
}

impl AccessControl {
    /// Allows requests with this token, or with this user name and password.
    pub fn new(bearer_token: Option<&Secret>, basic_auth: Option<(&str, &Secret)>) -> Self {
        let basic = |(username, password): (&str, &Secret)| {
            let encoded = STANDARD.encode(format!("{username}:{}", password.expose()));
            CredentialsDigest::of(encoded.as_bytes())
        };
        Self {
            bearer: bearer_token.map(|token| CredentialsDigest::of(token.expose().as_bytes())),
            basic: basic_auth.map(basic),
        }
    }

    /// True if every request is allowed.
    pub fn is_open(&self) -> bool {
        self.bearer.is_none() && self.basic.is_none()
    }

    /// True if a request with a token can be allowed.
    pub fn takes_bearer(&self) -> bool {
        self.bearer.is_some()
    }

    pub(super) fn challenge(&self) -> Challenge {
        Challenge { bearer: self.bearer.is_some(), basic: self.basic.is_some() }
    }

    pub(super) fn allows(&self, headers: &HeaderMap) -> bool {
        if self.is_open() {
            return true;
        }
        let Some((scheme, offered)) = offered_credentials(headers) else { return false };
        let expected = match scheme {
            Scheme::Bearer => self.bearer,
            Scheme::Basic => self.basic,
            Scheme::Other => None,
        };
        expected.is_some_and(|expected| expected.matches(offered))
    }
}

impl fmt::Debug for AccessControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessControl({:?})", self.challenge())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Bearer,
    Basic,
    Other,
}

/// The scheme of the `Authorization` header, if there is exactly one.
pub(super) fn offered_scheme(headers: &HeaderMap) -> Option<Scheme> {
    offered_credentials(headers).map(|(scheme, _)| scheme)
}

fn offered_credentials(headers: &HeaderMap) -> Option<(Scheme, &[u8])> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(access: &AccessControl, values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        access.allows(&headers)
    }

    #[test]
    fn without_credentials_every_request_is_allowed() {
        assert!(allows(&AccessControl::default(), &[]));
        assert!(allows(&AccessControl::default(), &["Bearer anything"]));
    }

    #[test]
    fn only_the_whole_token_in_one_header_is_allowed() {
        let access = AccessControl::new(Some(&Secret::new("not-a-real-token")), None);
        for good in ["Bearer not-a-real-token", "bearer not-a-real-token", "BEARER   not-a-real-token "] {
            assert!(allows(&access, &[good]), "{good}");
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
            assert!(!allows(&access, &[bad]), "{bad}");
        }
        assert!(!allows(&access, &[]));
        assert!(!allows(&access, &["Bearer not-a-real-token", "Bearer not-a-real-token"]));
    }

    #[test]
    fn user_name_and_password_are_only_allowed_together() {
        let access = AccessControl::new(None, Some(("alertmanager", &Secret::new("pässword"))));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert!(allows(&access, &[&basic("alertmanager:pässword")]));
        for bad in [
            "alertmanager:",
            "alertmanager",
            ":pässword",
            "alertmanager:passwor",
            "Alertmanager:pässword",
            "",
        ] {
            assert!(!allows(&access, &[&basic(bad)]), "{bad}");
        }
        assert!(!allows(&access, &["Basic !!!"]));
        assert!(!allows(&access, &["Bearer pässword"]));
    }

    #[test]
    fn either_of_two_schemes_is_allowed() {
        let access = AccessControl::new(Some(&Secret::new("token")), Some(("u", &Secret::new("p"))));
        assert!(allows(&access, &["Bearer token"]) && allows(&access, &["Basic dTpw"]));
        assert!(!allows(&access, &["Bearer dTpw"]) && !allows(&access, &["Basic token"]));
    }

    #[test]
    fn credentials_are_not_shown_by_debug() {
        let access = AccessControl::new(Some(&Secret::new("token")), None);
        assert_eq!(format!("{access:?}"), "AccessControl(Challenge { bearer: true, basic: false })");
    }
}
