//! Sessions: a signed cookie, and nothing on the server.
//!
//! The key comes from a random secret of the outbox and from the passwords. So a session survives a restart, is valid on every
//! replica, and ends when a password changes.

use std::{fmt, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use rand::{Rng, RngExt};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::password::{Passwords, Role};
use crate::secret::Secret;

/// A reader that has logged in, or that needs no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) role: Role,
    expires: i64,
    nonce: String,
}

impl Session {
    pub(super) fn new(role: Role, now: Timestamp, length: Duration, rng: &mut impl Rng) -> Self {
        let length = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        let nonce = format!("{:032x}", rng.random::<u128>());
        Self { role, expires: now.as_second().saturating_add(length), nonce }
    }
}

/// Signs sessions and the tokens of their forms.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey([u8; 64]);

impl SessionKey {
    /// `secret` is one that nobody can guess, because a reader has signed texts and could try passwords with them.
    pub fn derive(secret: &Secret, passwords: &Passwords) -> Self {
        let mut hash = Sha256::new();
        hash.update("wecom-relay console session");
        hash.update(Sha256::digest(secret.expose()));
        hash.update(passwords.fingerprint());
        let mut key = [0; 64];
        key.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Self(key)
    }

    /// Differs between relays on one host, because a browser sends a cookie to all ports of a host.
    pub(super) fn cookie_name(&self) -> String {
        let digest = self.mac("cookie name");
        format!("wecom_relay_{}", digest.chars().take(6).collect::<String>())
    }

    pub(super) fn sign(&self, session: &Session) -> String {
        let text = unsigned(session);
        let mac = self.mac(&text);
        format!("{text}.{mac}")
    }

    /// The session of a cookie. `None` if it is not signed with this key, or has expired.
    pub(super) fn verify(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let (text, mac) = cookie.rsplit_once('.')?;
        let is_signed: bool = self.mac(text).as_bytes().ct_eq(mac.as_bytes()).into();
        let mut parts = text.split('.');
        let role = match parts.next()? {
            "operator" => Role::Operator,
            "viewer" => Role::Viewer,
            _ => return None,
        };
        let session = Session { role, expires: parts.next()?.parse().ok()?, nonce: parts.next()?.to_owned() };
        (is_signed && session.expires > now.as_second()).then_some(session)
    }

    /// The token of the forms that are shown to `session`.
    pub(super) fn form_token(&self, session: &Session) -> String {
        self.mac(&format!("form {}", unsigned(session)))
    }

    pub(super) fn is_form_token(&self, session: &Session, token: &str) -> bool {
        self.form_token(session).as_bytes().ct_eq(token.as_bytes()).into()
    }

    fn mac(&self, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new(&self.0.into());
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey")
    }
}

fn unsigned(session: &Session) -> String {
    format!("{}.{}.{}", session.role.name(), session.expires, session.nonce)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn now() -> Timestamp {
        Timestamp::from_second(1_795_248_000).unwrap()
    }

    fn key(password: &str) -> SessionKey {
        let mut passwords = Passwords::default();
        passwords.add(&Secret::new(password), Role::Operator);
        SessionKey::derive(&Secret::new("random"), &passwords)
    }

    fn session(role: Role) -> Session {
        Session::new(role, now(), HOUR, &mut StdRng::seed_from_u64(1))
    }

    #[test]
    fn a_session_is_valid_until_it_expires() {
        let key = key("a long password");
        let cookie = key.sign(&session(Role::Viewer));
        assert_eq!(key.verify(&cookie, now()), Some(session(Role::Viewer)));
        assert_eq!(key.verify(&cookie, now() + HOUR), None);
    }

    #[test]
    fn a_changed_session_is_not_valid() {
        let key = key("a long password");
        let cookie = key.sign(&session(Role::Viewer));
        for changed in [
            cookie.replace("viewer", "operator"),
            cookie.replacen("17952", "27952", 1),
            cookie.get(..cookie.len() - 1).unwrap().to_owned(),
            format!("{}.", unsigned(&session(Role::Operator))),
            String::new(),
            ".".to_owned(),
        ] {
            assert_eq!(key.verify(&changed, now()), None, "{changed}");
        }
    }

    #[test]
    fn another_password_ends_sessions_and_a_restart_does_not() {
        let cookie = key("a long password").sign(&session(Role::Operator));
        assert!(key("a long password").verify(&cookie, now()).is_some());
        assert!(key("another password").verify(&cookie, now()).is_none());
    }

    #[test]
    fn relays_with_the_same_password_have_different_keys() {
        let mut passwords = Passwords::default();
        passwords.add(&Secret::new("a long password"), Role::Operator);
        let [left, right] =
            ["one", "another"].map(|secret| SessionKey::derive(&Secret::new(secret), &passwords));
        let cookie = left.sign(&session(Role::Operator));
        assert!(right.verify(&cookie, now()).is_none());
        assert_ne!(left.cookie_name(), right.cookie_name());
    }

    #[test]
    fn swapped_passwords_end_sessions() {
        let key = |roles: [Role; 2]| {
            let mut passwords = Passwords::default();
            for (password, role) in ["a long password", "another password"].into_iter().zip(roles) {
                passwords.add(&Secret::new(password), role);
            }
            SessionKey::derive(&Secret::new("random"), &passwords)
        };
        let cookie = key([Role::Operator, Role::Viewer]).sign(&session(Role::Operator));
        assert!(key([Role::Operator, Role::Viewer]).verify(&cookie, now()).is_some());
        assert!(key([Role::Viewer, Role::Operator]).verify(&cookie, now()).is_none());
    }

    #[test]
    fn a_form_token_belongs_to_one_session() {
        let key = key("a long password");
        let token = key.form_token(&session(Role::Operator));
        assert!(key.is_form_token(&session(Role::Operator), &token));
        assert!(!key.is_form_token(&session(Role::Viewer), &token));
        assert!(!key.is_form_token(&session(Role::Operator), ""));
    }
}
