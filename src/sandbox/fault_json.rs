//! The JSON of a fault in the control API.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::faults::{Effect, Fault, FaultDuration, Moment};
use super::request::Api;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultBody {
    #[serde(default = "any_api")]
    api: String,
    fault: EffectBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    robot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct EffectBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    errcode: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errmsg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hang: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_skew_s: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<bool>,
}

const ONE_EFFECT: &str = "fault must have exactly one of errcode, http_status, hang: true, drop, truncate: true, latency_ms and \
                    clock_skew_s";

fn any_api() -> String {
    "*".to_owned()
}

impl TryFrom<FaultBody> for Fault {
    type Error = String;

    fn try_from(body: FaultBody) -> Result<Self, String> {
        let api = match body.api.as_str() {
            "*" => None,
            name => match Api::ALL.into_iter().find(|api| api.name() == name) {
                Some(api) => Some(api),
                None => {
                    let known: Vec<_> = Api::ALL.iter().map(|api| format!("`{}`", api.name())).collect();
                    return Err(format!("api is `{name}`: it must be {} or `*`", known.join(", ")));
                }
            },
        };
        let lasts = match (body.count, body.for_ms) {
            (None, None) => FaultDuration::UntilCleared,
            (Some(0), _) => return Err("count is 0: it must be at least 1".to_owned()),
            (Some(count), None) => FaultDuration::Calls(count),
            (None, Some(time)) => FaultDuration::For(Duration::from_millis(time)),
            (Some(_), Some(_)) => {
                return Err("count and for_ms are both given: give only one of them, or none".to_owned());
            }
        };
        if let (Some(_), Some(api)) = (&body.member, api.filter(|api| *api != Api::MessageSend)) {
            let api = api.name();
            return Err(format!("member is given for {api}, which has no touser: remove member or api"));
        }
        if let (Some(_), Some(api)) = (&body.robot, api.filter(|api| *api != Api::WebhookSend)) {
            let api = api.name();
            return Err(format!(
                "robot is given for {api}, which is no call of a robot: remove robot or api"
            ));
        }
        if let (Some(_), Some(api)) = (&body.text, api.filter(|api| !api.has_message())) {
            let api = api.name();
            return Err(format!("text is given for {api}, which has no content: remove text or api"));
        }
        let FaultBody { app, robot, member, text, .. } = body;
        Ok(Self { effect: body.fault.try_into()?, api, app, robot, member, text, lasts })
    }
}

impl TryFrom<EffectBody> for Effect {
    type Error = String;

    fn try_from(body: EffectBody) -> Result<Self, String> {
        let EffectBody {
            errcode,
            errmsg,
            http_status,
            body,
            hang,
            drop,
            truncate,
            latency_ms,
            clock_skew_s,
            taken,
        } = body;
        let others = (errcode, http_status, hang, drop.as_ref(), truncate, latency_ms);
        if let (Some(skew), (None, None, None, None, None, None)) = (clock_skew_s, others)
            && taken.is_none()
        {
            return Ok(Self::ClockSkew(SignedDuration::from_secs(i64::from(skew))));
        }
        if errmsg.is_some() && errcode.is_none() {
            return Err("errmsg is given without errcode: add errcode, or remove errmsg".to_owned());
        }
        if body.is_some() && http_status.is_none() {
            return Err("body is given without http_status: add http_status, or remove body".to_owned());
        }
        if taken.is_some() && errcode.is_none() && http_status.is_none() && hang.is_none() {
            return Err("taken can only be used with errcode, http_status or hang".to_owned());
        }
        let taken = taken.unwrap_or(false);
        if clock_skew_s.is_some() {
            return Err(ONE_EFFECT.to_owned());
        }
        match (errcode, http_status, hang, drop.as_deref(), truncate, latency_ms) {
            (Some(0), None, None, None, None, None) => {
                Err("errcode is 0, which is not a fault: use another errcode".to_owned())
            }
            (Some(errcode), None, None, None, None, None) => Ok(Self::Errcode { errcode, errmsg, taken }),
            (None, Some(status @ 400..=599), None, None, None, None) => {
                Ok(Self::HttpStatus { status, body: body.unwrap_or_default(), taken })
            }
            (None, Some(status), None, None, None, None) => {
                Err(format!("http_status is {status}: it must be 400 to 599"))
            }
            (None, None, Some(true), None, None, None) => Ok(Self::Hang { taken }),
            (None, None, None, Some("before"), None, None) => Ok(Self::Drop(Moment::Before)),
            (None, None, None, Some("after"), None, None) => Ok(Self::Drop(Moment::After)),
            (None, None, None, Some(other), None, None) => {
                Err(format!("drop is `{other}`: it must be `before` or `after`"))
            }
            (None, None, None, None, Some(true), None) => Ok(Self::Truncate),
            (None, None, None, None, None, Some(time)) => Ok(Self::Latency(Duration::from_millis(time))),
            _ => Err(ONE_EFFECT.to_owned()),
        }
    }
}

impl From<&Fault> for FaultBody {
    fn from(fault: &Fault) -> Self {
        let (count, for_ms) = match fault.lasts {
            FaultDuration::UntilCleared => (None, None),
            FaultDuration::Calls(calls) => (Some(calls), None),
            FaultDuration::For(time) => (None, Some(millis(time))),
        };
        let api = fault.api.map_or("*", Api::name).to_owned();
        Self {
            api,
            fault: (&fault.effect).into(),
            count,
            for_ms,
            app: fault.app,
            robot: fault.robot.clone(),
            member: fault.member.clone(),
            text: fault.text.clone(),
        }
    }
}

impl From<&Effect> for EffectBody {
    fn from(effect: &Effect) -> Self {
        let none = Self::default();
        match effect.clone() {
            Effect::Errcode { errcode, errmsg, taken } => {
                Self { errcode: Some(errcode), errmsg, taken: Some(taken), ..none }
            }
            Effect::HttpStatus { status, body, taken } => {
                Self { http_status: Some(status), body: Some(body), taken: Some(taken), ..none }
            }
            Effect::Hang { taken } => Self { hang: Some(true), taken: Some(taken), ..none },
            Effect::Drop(Moment::Before) => Self { drop: Some("before".to_owned()), ..none },
            Effect::Drop(Moment::After) => Self { drop: Some("after".to_owned()), ..none },
            Effect::Truncate => Self { truncate: Some(true), ..none },
            Effect::Latency(time) => Self { latency_ms: Some(millis(time)), ..none },
            Effect::ClockSkew(skew) => Self { clock_skew_s: i32::try_from(skew.as_secs()).ok(), ..none },
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
