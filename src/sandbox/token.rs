//! Access tokens: one for a corp and an app's secret, the same until it expires.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;

use super::directory::{App, Corp};
use super::reply::{Refusal, Reply};
use super::{Settings, State, api, later, opaque};

/// How WeCom refuses an expired token; both have been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// «access_token expired»
    With42001,
    /// «invalid access_token», the same as for one that never was
    With40014,
}

/// The app that a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Holder {
    pub(super) corp_id: String,
    pub(super) agent_id: u64,
    pub(super) secret: String,
}

struct Issued {
    holder: Holder,
    /// When it is said to end, and when it does.
    said: Timestamp,
    ends: Timestamp,
    expired: Option<Expired>,
}

#[derive(Default)]
pub(super) struct Tokens {
    issued: HashMap<String, Issued>,
    current: HashMap<Holder, String>,
}

// An expired token is known as such for a day, then it is like one that never was.
const REMEMBERED: Duration = Duration::from_secs(86_400);

impl Tokens {
    fn issue(
        &mut self,
        holder: Holder,
        settings: &Settings,
        now: Timestamp,
        rng: &mut impl Rng,
    ) -> (String, i64) {
        if !settings.new_token_each_call
            && let Some(token) = self.current.get(&holder)
            && let Some(issued) = self.issued.get(token)
            && issued.expired.is_none()
            && now < issued.ends
        {
            return (token.clone(), issued.said.duration_since(now).as_secs());
        }
        self.issued.retain(|_, issued| now < later(issued.ends, REMEMBERED));
        let token = opaque(rng, 214);
        let said = later(now, settings.expires_in);
        let ends = later(now, settings.token_lives.unwrap_or(settings.expires_in));
        self.current.insert(holder.clone(), token.clone());
        self.issued.insert(token.clone(), Issued { holder, said, ends, expired: None });
        (token, said.duration_since(now).as_secs())
    }

    /// Whose the token is, good or not.
    pub(super) fn holder(&self, token: &str) -> Option<&Holder> {
        self.issued.get(token).map(|issued| &issued.holder)
    }

    /// Whose the token is if it is good now.
    pub(super) fn check(&self, token: &str, settings: &Settings, now: Timestamp) -> Result<&Holder, Refusal> {
        let issued = self.issued.get(token).ok_or(Refusal::new(40014))?;
        let expired = issued.expired.or((now >= issued.ends).then_some(settings.expired_answer));
        match expired {
            None => Ok(&issued.holder),
            Some(Expired::With42001) => Err(Refusal::new(42001)),
            Some(Expired::With40014) => Err(Refusal::new(40014)),
        }
    }

    pub(super) fn expire_all(&mut self, answer: Expired) {
        for issued in self.issued.values_mut() {
            issued.expired = Some(answer);
        }
        self.current.clear();
    }
}

/// `gettoken`.
pub(super) fn gettoken(
    state: &mut State,
    settings: &Settings,
    arrived: &api::Arrival,
) -> Result<Reply, Refusal> {
    let secret = arrived.parameter("corpsecret").ok_or(Refusal::new(41004))?;
    let corp_id = arrived.parameter("corpid").ok_or(Refusal::new(41002))?;
    let corp = state.directory.corp(corp_id).ok_or(Refusal::new(40013))?;
    let Some(app) = corp.apps.iter().find(|app| app.secret == secret && !app.disabled) else {
        state.ban.wrong_secret(arrived.from, settings, arrived.at);
        return Err(Refusal::new(40001));
    };
    if state.ban.holds(arrived.from, arrived.at) {
        return Err(Refusal::new(45009));
    }
    let holder = Holder { corp_id: corp_id.to_owned(), agent_id: app.agent_id, secret: secret.to_owned() };
    let (access_token, expires_in) = state.tokens.issue(holder, settings, arrived.at, &mut state.rng);
    Ok(Reply { access_token: Some(access_token), expires_in: Some(expires_in), ..Reply::ok() })
}

/// The token's holder, its corp and its app, once everything that does not depend on the call was looked at.
pub(super) fn admitted<'s>(
    state: &'s State,
    settings: &Settings,
    arrived: &api::Arrival,
) -> Result<(Holder, &'s Corp, &'s App), Refusal> {
    let token = arrived.parameter("access_token").ok_or(Refusal::new(41001))?;
    let holder = state.tokens.check(token, settings, arrived.at)?;
    let corp = state.directory.corp(&holder.corp_id).ok_or(Refusal::new(40014))?;
    // A secret that was reset takes its tokens with it.
    let app =
        corp.app(holder.agent_id).filter(|app| app.secret == holder.secret).ok_or(Refusal::new(40014))?;
    if !app.trusts(arrived.from) {
        return Err(Refusal::new(60020));
    }
    if app.disabled {
        return Err(Refusal::new(50003));
    }
    Ok((holder.clone(), corp, app))
}
