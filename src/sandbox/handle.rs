//! Handles one call: the faults decide first, then WeCom's own checks.

use super::arrival::Arrival;
use super::calls::Call;
use super::directory::RecipientNames;
use super::faults::{Effect, Target};
use super::reply::{ErrorReply, Reply};
use super::request::{Api, ApiRequest};
use super::response::{ResponseKind, TimedResponse};
use super::settings::Settings;
use super::state::State;
use super::{appchat, auth, json, reads, recall, send, update, webhook};

/// Answers a call. The faults decide first.
pub(super) fn handle(state: &mut State, settings: &Settings, request: &ApiRequest) -> TimedResponse {
    let app = calling_app(state, request);
    let named = touser(request, settings.recover_json);
    let message = String::from_utf8_lossy(&request.body);
    let robot = request.parameter("key").filter(|_| request.api == Api::WebhookSend);
    let target = Target { api: request.api, app, robot, touser: &named, message: &message };
    let plan = state.faults.plan(&target, request.at);

    let taken = plan.reaches_wecom();
    let reply = taken.then(|| {
        let result = match request.api {
            Api::Gettoken => auth::gettoken(state, settings, request),
            Api::MessageSend => send::send(state, settings, request),
            Api::AgentGet | Api::UserGet | Api::DepartmentGet | Api::TagGet => {
                reads::read(state, settings, request)
            }
            Api::WebhookSend => webhook::send(state, settings, request),
            Api::AppchatCreate => appchat::create(state, settings, request),
            Api::AppchatGet => appchat::get(state, settings, request),
            Api::AppchatSend => appchat::send(state, settings, request),
            Api::UpdateTemplateCard => update::update(state, settings, request),
            Api::MessageRecall => recall::recall(state, settings, request),
        };
        result.unwrap_or_else(|error| error.into_reply(request.from, request.at, &mut state.rng))
    });
    let msgid = reply.as_ref().and_then(|reply| reply.recorded.clone());
    let change = reply.as_ref().and_then(|reply| reply.change.clone());
    let kind = match (plan.effect, reply) {
        (Some(Effect::Errcode { errcode, errmsg, .. }), _) => ResponseKind::Reply(match errmsg {
            Some(errmsg) => Reply { errcode, errmsg, ..Reply::default() },
            None => ErrorReply::new(errcode).into_reply(request.from, request.at, &mut state.rng),
        }),
        (Some(Effect::HttpStatus { status, body, .. }), _) => ResponseKind::Status(status, body),
        (Some(Effect::Hang { .. }), _) => ResponseKind::Hang,
        (Some(Effect::Truncate), Some(reply)) => ResponseKind::HalfReply(reply),
        (None | Some(Effect::Latency(_) | Effect::ClockSkew(_)), Some(reply)) => ResponseKind::Reply(reply),
        (Some(Effect::Drop(_)), _) | (_, None) => ResponseKind::HangUp,
    };
    let call = Call {
        api: request.api,
        at: request.at,
        from: request.from,
        app,
        request: String::from_utf8_lossy(&request.body).into(),
        taken,
        response: kind.summary(),
    };
    state.arrivals.report(|| Arrival {
        call: call.clone(),
        errmsg: kind.errmsg().to_owned(),
        message: state.record.last().filter(|last| msgid.as_ref() == Some(&last.msgid)).cloned(),
        change,
    });
    state.calls.add(call);
    let date = request.at.checked_add(plan.clock_skew).unwrap_or(request.at);
    TimedResponse { kind, latency: plan.latency, date }
}

fn calling_app(state: &State, request: &ApiRequest) -> Option<u64> {
    match request.api {
        Api::Gettoken => {
            let corp = state.directory.corp(request.parameter("corpid")?)?;
            let secret = request.parameter("corpsecret")?;
            corp.apps.iter().find(|app| app.secret == secret).map(|app| app.agent_id)
        }
        Api::WebhookSend => None,
        _ => state.tokens.owner(request.parameter("access_token")?).map(|one| one.agent_id),
    }
}

fn touser(request: &ApiRequest, recover: bool) -> Vec<String> {
    let fields = json::read(&request.body, recover).map(|body| body.fields);
    let touser = fields.as_ref().and_then(|fields| fields.get("touser")).and_then(|touser| touser.as_str());
    RecipientNames::new(touser.unwrap_or_default(), "", "").users
}
