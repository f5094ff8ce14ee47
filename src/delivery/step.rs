//! What the end of a send means for the delivery and for its sender.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::Rng;

use super::instead::instead;
use crate::{
    outbox::{Claimed, Verdict},
    retry::{Schedule, Stage as RetryStep},
    wecom::{
        Outcome,
        errcode::{self, Class},
    },
};

/// How failures are answered.
#[derive(Debug, Clone)]
pub struct Policy {
    /// After this time since its acceptance, a failed attempt makes a delivery a dead letter.
    pub expire_after: Duration,
    /// Delays after transient failures of one delivery.
    pub transient: Schedule,
    /// When a held sender is probed.
    pub probes: Probes,
    /// How often an errcode that nobody knows is tried.
    pub unknown_tries: u32,
}

impl Policy {
    /// The product's own: a retry each second while an outage is young, each half minute when it is old.
    pub fn new(expire_after: Duration) -> Self {
        Self { expire_after, transient: transient_schedule(), probes: Probes::default(), unknown_tries: 3 }
    }
}

/// Delays after transient failures, of one delivery and of probes of a sender in trouble. At most some 600
/// failing calls in an hour, far from the 2,000 after which WeCom blocks a caller.
pub fn transient_schedule() -> Schedule {
    let step = |times, secs| RetryStep { times, delay: Duration::from_secs(secs) };
    Schedule::new(vec![step(60, 1), step(60, 2), step(60, 5), step(60, 15)], Duration::from_secs(30))
}

/// What the end of a send says of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// WeCom works for this app.
    Well,
    /// WeCom cannot be reached or is busy.
    Trouble,
    /// Nothing will get through before this has passed or somebody has mended it.
    Blocked(Block),
}

/// Why nothing gets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Whether it passes by itself or must be mended.
    pub kind: BlockKind,
    /// WeCom's errcode, when there was one.
    pub errcode: Option<i64>,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

/// Kinds of [`Block`], which differ in how often a probe may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// Too many calls.
    RateLimited,
    /// The caller's address is not trusted; works a minute after it was entered.
    UntrustedIp,
    /// Something in the configuration of the app, here or in WeCom.
    Configuration,
}

/// How long after a failed probe of a held sender the next one goes out. Probes are counted from 1, which is the
/// message that met the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probes {
    /// For [`BlockKind::RateLimited`].
    pub rate_limited: Schedule,
    /// For [`BlockKind::UntrustedIp`].
    pub untrusted_ip: Schedule,
    /// For [`BlockKind::Configuration`].
    pub configuration: Schedule,
    /// At least this long after a probe without an answer.
    pub unanswered: Duration,
}

impl Default for Probes {
    /// The product's own. A bad secret is tried rarely: WeCom bans the caller's IP for an hour.
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let step = |times, delay| RetryStep { times, delay: minutes(delay) };
        Self {
            rate_limited: Schedule::new(vec![step(3, 1)], minutes(5)),
            untrusted_ip: Schedule::new(Vec::new(), minutes(1)),
            configuration: Schedule::new(vec![step(1, 1), step(1, 2)], minutes(5)),
            unanswered: Duration::from_secs(10),
        }
    }
}

impl Probes {
    /// How long after failed probe number `probes` the next one goes out.
    pub fn after(&self, kind: BlockKind, probes: u32) -> Duration {
        let schedule = match kind {
            BlockKind::RateLimited => &self.rate_limited,
            BlockKind::UntrustedIp => &self.untrusted_ip,
            BlockKind::Configuration => &self.configuration,
        };
        schedule.nominal(probes)
    }
}

/// The consequence of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// For the delivery.
    pub verdict: Verdict,
    /// For the sender.
    pub health: Health,
    /// Whether WeCom took the message, or may have.
    pub counted: bool,
    /// Of which kind a dead letter is.
    pub cause: Option<Cause>,
}

/// Why a delivery is given up, in a few words that do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// WeCom refuses the message.
    Refused,
    /// None of its recipients can get it.
    Nobody,
    /// WeCom keeps answering with an errcode that nobody knows.
    UnknownCode,
    /// It took too long.
    Expired,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Refused, Self::Nobody, Self::UnknownCode, Self::Expired];

    /// Its name, for metrics and the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Nobody => "nobody",
            Self::UnknownCode => "unknown_code",
            Self::Expired => "expired",
        }
    }
}

/// Decides what follows from `outcome`.
pub fn step(
    claimed: &Claimed,
    outcome: &Outcome,
    policy: &Policy,
    now: Timestamp,
    rng: &mut impl Rng,
) -> Step {
    if let Outcome::Accepted(receipt) = outcome {
        let verdict = Verdict::Delivered(receipt.clone());
        return Step { verdict, health: Health::Well, counted: true, cause: None };
    }
    let class = errcode::class_of(outcome).unwrap_or(Class::Unknown);
    let unconfirmed = matches!(outcome, Outcome::Unknown(_));
    let unknown = class == Class::Unknown;
    let retry =
        |delay: Duration, charged| Verdict::Retry { at: later(now, delay), charged, unconfirmed, unknown };
    let attempts = claimed.attempts.saturating_add(1);
    let expired = now.duration_since(claimed.accepted_at) >= signed(policy.expire_after);
    let describe = || describe(outcome);
    // Tries of their own: what failed before for reasons that pass says nothing of this one.
    let unknown_tries = claimed.unknown.saturating_add(1);
    let mut cause = None;
    let mut dead = |why, reason| {
        cause = Some(why);
        Verdict::Dead(reason)
    };
    let mut given_up = |why, reason: String| match instead(claimed, &reason) {
        Some(content) => Verdict::Replace { content, reason },
        None => dead(why, reason),
    };
    let (verdict, health) = match class {
        Class::Message => (given_up(Cause::Refused, describe()), Health::Well),
        Class::Recipient => (dead(Cause::Nobody, describe()), Health::Well),
        Class::Unknown if unknown_tries >= policy.unknown_tries => {
            let reason = format!("{}; tried {unknown_tries} times", describe());
            (given_up(Cause::UnknownCode, reason), Health::Well)
        }
        Class::Unknown => (retry(policy.transient.delay(attempts, rng), true), Health::Well),
        Class::Transient => (retry(policy.transient.delay(attempts, rng), true), Health::Trouble),
        Class::RateLimited => (retry(Duration::ZERO, false), blocked(BlockKind::RateLimited, outcome)),
        Class::Token | Class::Configuration => {
            let kind = match outcome {
                Outcome::Rejected(refusal) if refusal.errcode == errcode::NOT_TRUSTED => {
                    BlockKind::UntrustedIp
                }
                _ => BlockKind::Configuration,
            };
            (retry(Duration::ZERO, false), blocked(kind, outcome))
        }
    };
    let verdict = match verdict {
        Verdict::Retry { .. } if expired => {
            let hours = policy.expire_after.as_secs_f64() / 3600.0;
            let reason = format!("not delivered within {hours:.1} h (expire_after); at last: {}", describe());
            dead(Cause::Expired, reason)
        }
        verdict => verdict,
    };
    Step { verdict, health, counted: unconfirmed, cause }
}

fn blocked(kind: BlockKind, outcome: &Outcome) -> Health {
    let (errcode, reason) = match outcome {
        Outcome::Accepted(_) => (Some(0), String::new()),
        Outcome::Rejected(refusal) => (Some(refusal.errcode.0), errcode::advice(refusal)),
        Outcome::NotSent(fault) | Outcome::Unknown(fault) => (None, errcode::transport_advice(fault)),
    };
    Health::Blocked(Block { kind, errcode, reason })
}

/// The end of a send in words.
pub fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(_) => "accepted".to_owned(),
        Outcome::Rejected(refusal) => {
            format!("{} answered errcode {}: {}", refusal.api.name(), refusal.errcode, refusal.errmsg)
        }
        Outcome::NotSent(fault) => format!("{} was not reached: {}", fault.api.name(), fault.detail),
        Outcome::Unknown(fault) => format!("{} may have been done: {}", fault.api.name(), fault.detail),
    }
}

/// `delay` after `now`; the end of time when that is past it.
pub fn later(now: Timestamp, delay: Duration) -> Timestamp {
    now.checked_add(delay).unwrap_or(Timestamp::MAX)
}

/// `delay` before `now`.
pub fn earlier(now: Timestamp, delay: Duration) -> Timestamp {
    now.checked_sub(delay).unwrap_or(Timestamp::MIN)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests;
