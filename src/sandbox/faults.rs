//! Injected faults: an effect, the calls that it applies to, and its duration.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::request::Api;
use super::time::later;

/// An injected fault. Several may be active: latencies and clock skews add up, and the oldest other fault that applies to a
/// call wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub effect: Effect,
    /// `None` applies to every call.
    pub api: Option<Api>,
    /// Apply only to calls with this app's token or secret.
    pub app: Option<u64>,
    /// Apply only to calls with this key of a robot.
    pub robot: Option<String>,
    /// Apply only to messages with this member in `touser`.
    pub member: Option<String>,
    /// Apply only to messages that have this text. It is compared with JSON, so it should be a plain word.
    pub text: Option<String>,
    pub lasts: FaultDuration,
}

/// The effect of a fault. If `taken` is true, WeCom handles the call before the wrong response is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A reply with this errcode.
    Errcode {
        /// Not 0.
        errcode: i64,
        /// `None` means WeCom's own text for the errcode, with hint, address and link.
        errmsg: Option<String>,
        taken: bool,
    },
    /// An HTTP error like that of a proxy.
    HttpStatus {
        /// 400 to 599.
        status: u16,
        /// Sent as `text/html`.
        body: String,
        taken: bool,
    },
    /// The call is never answered.
    Hang { taken: bool },
    /// The connection is closed without a response.
    Drop(Moment),
    /// WeCom handles the call, and the connection is closed in the middle of the reply.
    Truncate,
    /// WeCom handles the call at once, and the reply is delayed by this time.
    Latency(Duration),
    /// The header `Date` of the response is wrong by this time.
    ClockSkew(SignedDuration),
}

/// The moment when a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before WeCom handles the call.
    Before,
    /// After WeCom handled the call.
    After,
}

/// The duration of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultDuration {
    /// Until [`Sandbox::clear_faults`](super::Sandbox::clear_faults).
    UntilCleared,
    /// For this number of calls that it applies to.
    Calls(u32),
    /// For this time, by the sandbox's clock.
    For(Duration),
}

impl Fault {
    /// A fault for every call until it is cleared.
    pub fn new(effect: Effect) -> Self {
        Self {
            effect,
            api: None,
            app: None,
            robot: None,
            member: None,
            text: None,
            lasts: FaultDuration::UntilCleared,
        }
    }

    /// A fault that replaces WeCom's reply with this errcode.
    pub fn errcode(errcode: i64) -> Self {
        Self::new(Effect::Errcode { errcode, errmsg: None, taken: false })
    }

    pub fn on(self, api: Api) -> Self {
        Self { api: Some(api), ..self }
    }

    pub fn times(self, calls: u32) -> Self {
        Self { lasts: FaultDuration::Calls(calls), ..self }
    }

    pub fn lasting(self, time: Duration) -> Self {
        Self { lasts: FaultDuration::For(time), ..self }
    }

    pub fn for_app(self, agent_id: u64) -> Self {
        Self { app: Some(agent_id), ..self }
    }

    pub fn for_robot(self, key: impl Into<String>) -> Self {
        Self { robot: Some(key.into()), ..self }
    }

    pub fn for_member(self, userid: impl Into<String>) -> Self {
        Self { member: Some(userid.into()), ..self }
    }

    pub fn for_text(self, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..self }
    }
}

/// The properties of a call that decide if a fault applies.
pub(super) struct Target<'a> {
    pub(super) api: Api,
    pub(super) app: Option<u64>,
    /// The key of the robot.
    pub(super) robot: Option<&'a str>,
    pub(super) touser: &'a [String],
    /// The body of the request.
    pub(super) message: &'a str,
}

/// The combined effect of the active faults on one call.
pub(super) struct Plan {
    pub(super) effect: Option<Effect>,
    pub(super) latency: Duration,
    pub(super) clock_skew: SignedDuration,
}

impl Plan {
    /// True if WeCom handles the call.
    pub(super) fn reaches_wecom(&self) -> bool {
        match &self.effect {
            Some(
                Effect::Errcode { taken, .. } | Effect::HttpStatus { taken, .. } | Effect::Hang { taken },
            ) => *taken,
            Some(Effect::Drop(moment)) => *moment == Moment::After,
            Some(Effect::Truncate | Effect::Latency(_) | Effect::ClockSkew(_)) | None => true,
        }
    }
}

#[derive(Default)]
pub(super) struct Faults {
    active: Vec<ActiveFault>,
}

struct ActiveFault {
    fault: Fault,
    ends: Timestamp,
    calls_left: u32,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault, now: Timestamp) {
        let (ends, calls_left) = match fault.lasts {
            FaultDuration::UntilCleared => (Timestamp::MAX, u32::MAX),
            FaultDuration::Calls(calls) => (Timestamp::MAX, calls),
            FaultDuration::For(time) => (later(now, time), u32::MAX),
        };
        self.active.push(ActiveFault { fault, ends, calls_left });
    }

    pub(super) fn clear(&mut self) {
        self.active.clear();
    }

    /// The active faults, with the number of calls that are left.
    pub(super) fn active(&mut self, now: Timestamp) -> Vec<Fault> {
        self.forget_ended(now);
        let left = |one: &ActiveFault| match one.fault.lasts {
            FaultDuration::Calls(_) => one.fault.clone().times(one.calls_left),
            FaultDuration::UntilCleared | FaultDuration::For(_) => one.fault.clone(),
        };
        self.active.iter().map(left).collect()
    }

    pub(super) fn plan(&mut self, target: &Target<'_>, now: Timestamp) -> Plan {
        self.forget_ended(now);
        let mut plan = Plan { effect: None, latency: Duration::ZERO, clock_skew: SignedDuration::ZERO };
        for one in self.active.iter_mut().filter(|one| one.fault.applies_to(target)) {
            match &one.fault.effect {
                Effect::Latency(time) => plan.latency += *time,
                Effect::ClockSkew(skew) => plan.clock_skew = plan.clock_skew.saturating_add(*skew),
                effect if plan.effect.is_none() => plan.effect = Some(effect.clone()),
                _ => continue,
            }
            if matches!(one.fault.lasts, FaultDuration::Calls(_)) {
                one.calls_left = one.calls_left.saturating_sub(1);
            }
        }
        plan
    }

    fn forget_ended(&mut self, now: Timestamp) {
        self.active.retain(|one| one.calls_left > 0 && now < one.ends);
    }
}

impl Fault {
    fn applies_to(&self, target: &Target<'_>) -> bool {
        self.api.is_none_or(|api| api == target.api)
            && self.app.is_none_or(|app| target.app == Some(app))
            && self.robot.as_deref().is_none_or(|key| target.robot == Some(key))
            && self.text.as_ref().is_none_or(|text| target.message.contains(text))
            && self
                .member
                .as_ref()
                .is_none_or(|member| target.touser.iter().any(|named| named.eq_ignore_ascii_case(member)))
    }
}
