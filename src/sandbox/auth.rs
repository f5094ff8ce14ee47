//! `gettoken`, and the checks of a token.

use super::directory::{App, Corp};
use super::reply::{ErrorReply, Reply};
use super::request::ApiRequest;
use super::settings::Settings;
use super::state::State;
use super::token::TokenOwner;

pub(super) fn gettoken(
    state: &mut State,
    settings: &Settings,
    request: &ApiRequest,
) -> Result<Reply, ErrorReply> {
    let secret = request.parameter("corpsecret").ok_or(ErrorReply::new(41004))?;
    let corp_id = request.parameter("corpid").ok_or(ErrorReply::new(41002))?;
    let corp = state.directory.corp(corp_id).ok_or(ErrorReply::new(40013))?;
    let Some(app) = corp.apps.iter().find(|app| app.secret == secret && !app.disabled) else {
        state.ban.wrong_secret(request.from, settings, request.at);
        return Err(ErrorReply::new(40001));
    };
    if state.ban.is_banned(request.from, request.at) {
        return Err(ErrorReply::new(45009));
    }
    let owner = TokenOwner { corp_id: corp_id.to_owned(), agent_id: app.agent_id, secret: secret.to_owned() };
    let (access_token, expires_in) = state.tokens.issue(owner, settings, request.at, &mut state.rng);
    Ok(Reply { access_token: Some(access_token), expires_in: Some(expires_in), ..Reply::ok() })
}

/// The app that a valid token belongs to.
pub(super) struct Authorized<'s> {
    pub(super) owner: TokenOwner,
    pub(super) corp: &'s Corp,
    pub(super) app: &'s App,
}

/// Makes the checks that are the same for all calls with a token.
pub(super) fn authorize<'s>(
    state: &'s State,
    settings: &Settings,
    request: &ApiRequest,
) -> Result<Authorized<'s>, ErrorReply> {
    let token = request.parameter("access_token").ok_or(ErrorReply::new(41001))?;
    let owner = state.tokens.check(token, settings, request.at)?;
    let corp = state.directory.corp(&owner.corp_id).ok_or(ErrorReply::new(40014))?;
    // The tokens of an old secret are no longer valid.
    let app =
        corp.app(owner.agent_id).filter(|app| app.secret == owner.secret).ok_or(ErrorReply::new(40014))?;
    if !app.trusts(request.from) {
        return Err(ErrorReply::new(60020));
    }
    if app.disabled {
        return Err(ErrorReply::new(50003));
    }
    Ok(Authorized { owner: owner.clone(), corp, app })
}
