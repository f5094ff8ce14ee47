//! Faults on request: what goes wrong, on which calls, and for how long.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Api, later};

/// Something that goes wrong. Several may be in force: latencies and skews add up, of the others the oldest that fits a
/// call wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub effect: Effect,
    /// On which API; `None`: on each.
    pub api: Option<Api>,
    /// Only on calls with this app's token or secret.
    pub app: Option<u64>,
    /// Only on messages that name this member in `touser`.
    pub member: Option<String>,
    /// For how long.
    pub lasts: Lasts,
}

/// What goes wrong. `taken` says whether WeCom deals with the call before it gives the wrong answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A reply with this errcode.
    Errcode {
        /// Not 0.
        errcode: i64,
        /// Given as it stands; `None`: WeCom's own text for the errcode, with hint, address and link.
        errmsg: Option<String>,
        /// Whether the call takes effect all the same.
        taken: bool,
    },
    /// An HTTP error, as a proxy gives it.
    HttpStatus {
        /// 400 to 599.
        status: u16,
        /// Sent as `text/html`.
        body: String,
        /// Whether the call takes effect all the same.
        taken: bool,
    },
    /// No answer, ever.
    Hang {
        /// Whether the call takes effect all the same.
        taken: bool,
    },
    /// The connection is closed without an answer.
    Drop(Moment),
    /// The call takes effect, and the connection is closed in the middle of the answer.
    Truncate,
    /// The call takes effect when it arrives, and the answer is given this much later.
    Latency(Duration),
    /// The answer's `Date` is off by this much.
    ClockSkew(SignedDuration),
}

/// When a connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the call takes effect.
    Before,
    /// After it took effect.
    After,
}

/// How long a fault is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// Until [`Sandbox::clear_faults`](super::Sandbox::clear_faults).
    UntilCleared,
    /// For so many calls that it fits.
    Calls(u32),
    /// For a time, by the sandbox's clock.
    For(Duration),
}

impl Fault {
    /// On every call of every API until it is cleared.
    pub fn new(effect: Effect) -> Self {
        Self { effect, api: None, app: None, member: None, lasts: Lasts::UntilCleared }
    }

    /// A reply with this errcode in place of WeCom's own.
    pub fn errcode(errcode: i64) -> Self {
        Self::new(Effect::Errcode { errcode, errmsg: None, taken: false })
    }

    /// Only on this API.
    pub fn on(self, api: Api) -> Self {
        Self { api: Some(api), ..self }
    }

    /// Only for the next `calls` calls that it fits.
    pub fn times(self, calls: u32) -> Self {
        Self { lasts: Lasts::Calls(calls), ..self }
    }

    /// Only for this long.
    pub fn lasting(self, time: Duration) -> Self {
        Self { lasts: Lasts::For(time), ..self }
    }

    /// Only on calls of this app.
    pub fn for_app(self, agent_id: u64) -> Self {
        Self { app: Some(agent_id), ..self }
    }

    /// Only on messages that name this member in `touser`.
    pub fn for_member(self, userid: impl Into<String>) -> Self {
        Self { member: Some(userid.into()), ..self }
    }
}

/// What a fault can look at.
pub(super) struct Target<'a> {
    pub(super) api: Api,
    pub(super) app: Option<u64>,
    pub(super) touser: &'a [String],
}

/// What the faults in force make of one call.
pub(super) struct Plan {
    pub(super) effect: Option<Effect>,
    pub(super) latency: Duration,
    pub(super) clock_skew: SignedDuration,
}

impl Plan {
    /// Whether WeCom deals with the call.
    pub(super) fn takes(&self) -> bool {
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
    active: Vec<Active>,
}

struct Active {
    fault: Fault,
    ends: Timestamp,
    calls_left: u32,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault, now: Timestamp) {
        let (ends, calls_left) = match fault.lasts {
            Lasts::UntilCleared => (Timestamp::MAX, u32::MAX),
            Lasts::Calls(calls) => (Timestamp::MAX, calls),
            Lasts::For(time) => (later(now, time), u32::MAX),
        };
        self.active.push(Active { fault, ends, calls_left });
    }

    pub(super) fn clear(&mut self) {
        self.active.clear();
    }

    /// The faults in force, with the calls that those by count have left.
    pub(super) fn in_force(&mut self, now: Timestamp) -> Vec<Fault> {
        self.forget_ended(now);
        let left = |one: &Active| match one.fault.lasts {
            Lasts::Calls(_) => one.fault.clone().times(one.calls_left),
            Lasts::UntilCleared | Lasts::For(_) => one.fault.clone(),
        };
        self.active.iter().map(left).collect()
    }

    pub(super) fn plan(&mut self, target: &Target<'_>, now: Timestamp) -> Plan {
        self.forget_ended(now);
        let mut plan = Plan { effect: None, latency: Duration::ZERO, clock_skew: SignedDuration::ZERO };
        for one in self.active.iter_mut().filter(|one| one.fault.fits(target)) {
            match &one.fault.effect {
                Effect::Latency(time) => plan.latency += *time,
                Effect::ClockSkew(skew) => plan.clock_skew = plan.clock_skew.saturating_add(*skew),
                effect if plan.effect.is_none() => plan.effect = Some(effect.clone()),
                _ => continue,
            }
            if matches!(one.fault.lasts, Lasts::Calls(_)) {
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
    fn fits(&self, target: &Target<'_>) -> bool {
        self.api.is_none_or(|api| api == target.api)
            && self.app.is_none_or(|app| target.app == Some(app))
            && self
                .member
                .as_ref()
                .is_none_or(|member| target.touser.iter().any(|named| named.eq_ignore_ascii_case(member)))
    }
}
