//! The consequences of an outcome, for the delivery and for its sender.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::Rng;

use super::degrade::degrade;
use crate::{
    outbox::{Claimed, Verdict},
    retry::{Schedule, Stage},
    wecom::{
        Outcome,
        errcode::{self, Class},
    },
};

/// The retry policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// A delivery that fails this long after its acceptance becomes a dead letter.
    pub expire_after: Duration,
    /// Delays after transient failures of one delivery.
    pub transient: Schedule,
    /// The delays between probes of a held sender.
    pub probes: Probes,
    /// The number of attempts for an unknown errcode.
    pub unknown_code_attempts: u32,
}

impl Policy {
    /// The default policy: one retry each second at the start of an outage, one each half minute later.
    pub fn new(expire_after: Duration) -> Self {
        Self {
            expire_after,
            transient: transient_schedule(),
            probes: Probes::default(),
            unknown_code_attempts: 3,
        }
    }
}

/// The delays after transient failures of one delivery, and between the probes of a half-open sender. They allow some 600
/// failing calls in an hour. WeCom blocks a caller after 2,000.
pub fn transient_schedule() -> Schedule {
    let stage = |times, secs| Stage { times, delay: Duration::from_secs(secs) };
    Schedule::new(vec![stage(60, 1), stage(60, 2), stage(60, 5), stage(60, 15)], Duration::from_secs(30))
}

/// The health of a sender, as an outcome shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// WeCom works for this app.
    Good,
    /// WeCom cannot be reached or is busy.
    Transient,
    /// Every message fails until the block has passed or a person has fixed the problem.
    Blocked(Block),
}

/// The reason why every message of a sender fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub kind: BlockKind,
    /// WeCom's errcode, if it answered.
    pub errcode: Option<i64>,
    pub reason: String,
}

/// Kinds of [`Block`]. They differ in the delays between probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// Too many calls.
    RateLimited,
    /// WeCom does not trust the address of the caller. It trusts the address a minute after an administrator has
    /// entered it.
    UntrustedIp,
    /// The configuration of the app is wrong, here or in WeCom.
    Configuration,
}

/// The delays between the probes of a held sender. Probe 1 is the message that met the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probes {
    /// For [`BlockKind::RateLimited`].
    pub rate_limited: Schedule,
    /// For [`BlockKind::UntrustedIp`].
    pub untrusted_ip: Schedule,
    /// For [`BlockKind::Configuration`].
    pub configuration: Schedule,
    /// The least delay after a probe without an answer.
    pub unanswered: Duration,
}

impl Default for Probes {
    /// A wrong secret is tried rarely, because WeCom blocks the caller's address for an hour.
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let stage = |times, delay| Stage { times, delay: minutes(delay) };
        Self {
            rate_limited: Schedule::new(vec![stage(3, 1)], minutes(5)),
            untrusted_ip: Schedule::new(Vec::new(), minutes(1)),
            configuration: Schedule::new(vec![stage(1, 1), stage(1, 2)], minutes(5)),
            unanswered: Duration::from_secs(10),
        }
    }
}

impl Probes {
    /// The delay after failed probe number `probes`.
    pub fn after(&self, kind: BlockKind, probes: u32) -> Duration {
        let schedule = match kind {
            BlockKind::RateLimited => &self.rate_limited,
            BlockKind::UntrustedIp => &self.untrusted_ip,
            BlockKind::Configuration => &self.configuration,
        };
        schedule.nominal(probes)
    }
}

/// The consequences of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// For the delivery.
    pub verdict: Verdict,
    /// For the sender.
    pub health: Health,
    /// True if WeCom accepted the message or may have accepted it.
    pub counted: bool,
    /// The cause of death, for a dead letter.
    pub cause: Option<Cause>,
}

/// The reason why a delivery becomes a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// WeCom rejects the message.
    Rejected,
    /// WeCom finds none of the recipients.
    Nobody,
    /// WeCom keeps answering with an unknown errcode.
    UnknownCode,
    /// `expire_after` has passed.
    Expired,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 4] = [Self::Rejected, Self::Nobody, Self::UnknownCode, Self::Expired];

    /// The name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Nobody => "nobody",
            Self::UnknownCode => "unknown_code",
            Self::Expired => "expired",
        }
    }
}

/// Decides the consequences of `outcome`.
pub fn decide(
    claimed: &Claimed,
    outcome: &Outcome,
    policy: &Policy,
    now: Timestamp,
    rng: &mut impl Rng,
) -> Decision {
    if let Outcome::Accepted(receipt) = outcome {
        let verdict = Verdict::Delivered(receipt.clone());
        return Decision { verdict, health: Health::Good, counted: true, cause: None };
    }
    let case = Case { claimed, outcome, policy, now };
    let attempts = claimed.attempts.saturating_add(1);
    let (fate, health) = match errcode::class_of(outcome).unwrap_or(Class::Unknown) {
        Class::Message => (case.reject(Cause::Rejected, describe(outcome)), Health::Good),
        Class::Recipient => (case.die(Cause::Nobody, describe(outcome)), Health::Good),
        Class::Unknown => (case.after_unknown_code(attempts, rng), Health::Good),
        Class::Transient => (case.retry(policy.transient.delay(attempts, rng), true), Health::Transient),
        Class::RateLimited => (case.retry(Duration::ZERO, false), blocked(BlockKind::RateLimited, outcome)),
        Class::Token | Class::Configuration => {
            let is_untrusted =
                matches!(outcome, Outcome::Rejected(error) if error.errcode == errcode::NOT_TRUSTED);
            let kind = if is_untrusted { BlockKind::UntrustedIp } else { BlockKind::Configuration };
            (case.retry(Duration::ZERO, false), blocked(kind, outcome))
        }
    };
    let Fate { verdict, cause } = case.expire(fate);
    Decision { verdict, health, counted: matches!(outcome, Outcome::Unknown(_)), cause }
}

/// The verdict about a delivery, with the cause if it dies.
struct Fate {
    verdict: Verdict,
    cause: Option<Cause>,
}

impl From<Verdict> for Fate {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, cause: None }
    }
}

/// One failed attempt.
struct Case<'a> {
    claimed: &'a Claimed,
    outcome: &'a Outcome,
    policy: &'a Policy,
    now: Timestamp,
}

impl Case<'_> {
    fn retry(&self, delay: Duration, charged: bool) -> Fate {
        let verdict = Verdict::Retry {
            at: later(self.now, delay),
            charged,
            unconfirmed: matches!(self.outcome, Outcome::Unknown(_)),
            unknown_code: errcode::class_of(self.outcome).is_none_or(|class| class == Class::Unknown),
        };
        verdict.into()
    }

    /// Attempts with an unknown errcode are counted apart, because earlier transient failures say nothing about it.
    fn after_unknown_code(&self, attempts: u32, rng: &mut impl Rng) -> Fate {
        let tried = self.claimed.unknown_codes.saturating_add(1);
        if tried < self.policy.unknown_code_attempts {
            return self.retry(self.policy.transient.delay(attempts, rng), true);
        }
        self.reject(Cause::UnknownCode, format!("{}; tried {tried} times", describe(self.outcome)))
    }

    /// Replaces the content that WeCom rejected by a plainer form, if there is one.
    fn reject(&self, cause: Cause, reason: String) -> Fate {
        match degrade(self.claimed, &reason) {
            Some(content) => Verdict::Replace { content, reason }.into(),
            None => self.die(cause, reason),
        }
    }

    fn die(&self, cause: Cause, reason: String) -> Fate {
        Fate { verdict: Verdict::Dead(reason), cause: Some(cause) }
    }

    fn expire(&self, fate: Fate) -> Fate {
        let age = self.now.duration_since(self.claimed.accepted_at);
        let is_expired = age >= signed(self.policy.expire_after);
        if !is_expired || !matches!(fate.verdict, Verdict::Retry { .. }) {
            return fate;
        }
        let limit = signed(self.policy.expire_after);
        let last = describe(self.outcome);
        self.die(
            Cause::Expired,
            format!("not delivered within {limit:#} (expire_after); last outcome: {last}"),
        )
    }
}

fn blocked(kind: BlockKind, outcome: &Outcome) -> Health {
    let (errcode, reason) = match outcome {
        Outcome::Accepted(_) => (Some(0), String::new()),
        Outcome::Rejected(refusal) => (Some(refusal.errcode.0), errcode::advice(refusal)),
        Outcome::NotSent(fault) | Outcome::Unknown(fault) => (None, errcode::transport_advice(fault)),
    };
    Health::Blocked(Block { kind, errcode, reason })
}

/// The outcome in words.
pub fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(_) => "accepted".to_owned(),
        Outcome::Rejected(refusal) => {
            format!("{} answered errcode {}: {}", refusal.api.name(), refusal.errcode, refusal.errmsg)
        }
        Outcome::NotSent(fault) => format!("{} was not reached: {}", fault.api.name(), fault.detail),
        Outcome::Unknown(fault) => format!("{} may have taken effect: {}", fault.api.name(), fault.detail),
    }
}

/// `delay` after `now`, or the end of time.
pub fn later(now: Timestamp, delay: Duration) -> Timestamp {
    now.checked_add(delay).unwrap_or(Timestamp::MAX)
}

/// `delay` before `now`, or the beginning of time.
pub fn earlier(now: Timestamp, delay: Duration) -> Timestamp {
    now.checked_sub(delay).unwrap_or(Timestamp::MIN)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests;
