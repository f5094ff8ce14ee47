//! Access tokens: each corp and secret has one until it expires.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;

use super::random::random_text;
use super::reply::ErrorReply;
use super::settings::{Expired, Settings};
use super::time::later;

/// The app that a token was granted to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenOwner {
    pub(super) corp_id: String,
    pub(super) agent_id: u64,
    pub(super) secret: String,
}

struct Issued {
    owner: TokenOwner,
    /// The end of its lifetime according to `expires_in`.
    announced_end: Timestamp,
    real_end: Timestamp,
    expired: Option<Expired>,
}

#[derive(Default)]
pub(super) struct Tokens {
    issued: HashMap<String, Issued>,
    current: HashMap<TokenOwner, String>,
}

// An expired token is remembered for a day. After that it is like an unknown token.
const REMEMBERED: Duration = Duration::from_secs(86_400);

impl Tokens {
    pub(super) fn issue(
        &mut self,
        owner: TokenOwner,
        settings: &Settings,
        now: Timestamp,
        rng: &mut impl Rng,
    ) -> (String, i64) {
        if !settings.new_token_each_call
            && let Some(token) = self.current.get(&owner)
            && let Some(issued) = self.issued.get(token)
            && issued.expired.is_none()
            && now < issued.real_end
        {
            return (token.clone(), issued.announced_end.duration_since(now).as_secs());
        }
        self.issued.retain(|_, issued| now < later(issued.real_end, REMEMBERED));
        let token = random_text(rng, 214);
        let announced_end = later(now, settings.expires_in);
        let real_end = later(now, settings.token_lives.unwrap_or(settings.expires_in));
        self.current.insert(owner.clone(), token.clone());
        self.issued.insert(token.clone(), Issued { owner, announced_end, real_end, expired: None });
        (token, announced_end.duration_since(now).as_secs())
    }

    /// The owner of a token, even if the token has expired.
    pub(super) fn owner(&self, token: &str) -> Option<&TokenOwner> {
        self.issued.get(token).map(|issued| &issued.owner)
    }

    /// The owner of a token that is valid now.
    pub(super) fn check(
        &self,
        token: &str,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<&TokenOwner, ErrorReply> {
        let issued = self.issued.get(token).ok_or(ErrorReply::new(40014))?;
        let expired = issued.expired.or((now >= issued.real_end).then_some(settings.expired_answer));
        match expired {
            None => Ok(&issued.owner),
            Some(Expired::With42001) => Err(ErrorReply::new(42001)),
            Some(Expired::With40014) => Err(ErrorReply::new(40014)),
        }
    }

    pub(super) fn expire_all(&mut self, answer: Expired) {
        for issued in self.issued.values_mut() {
            issued.expired = Some(answer);
        }
        self.current.clear();
    }
}
