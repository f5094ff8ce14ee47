//! The consequences of an outcome, for the delivery and for its sender.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rand::Rng;

use super::{
    card_calls::{is_sent_already, replacement},
    degrade::degrade,
    evidence::{BlockKind, Scope},
    languages::Languages,
};
use crate::{
    language::Language,
    outbox::{Claimed, Kind, Verdict},
    retry::{Schedule, rate_limited_delays, refused_secret_delays, retry_delays, usual_probe_delays},
    wecom::{
        Outcome, Receipt,
        errcode::{self, Class},
    },
};

/// The retry policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// A delivery that fails this long after its acceptance becomes a dead letter.
    pub expire_after: Duration,
    /// The delays between the attempts of one delivery.
    pub retries: Schedule,
    /// The delays between probes of a held sender.
    pub probes: Probes,
    /// The number of attempts for an unknown errcode, while other messages succeed.
    pub unknown_code_attempts: u32,
    /// The language of notes about messages that WeCom rejected.
    pub languages: Languages,
    /// The time zone of times in messages.
    pub zone: TimeZone,
}

impl Policy {
    /// The default policy.
    pub fn new(expire_after: Duration) -> Self {
        Self {
            expire_after,
            retries: retry_delays(),
            probes: Probes::default(),
            unknown_code_attempts: 3,
            languages: Languages::default(),
            zone: TimeZone::UTC,
        }
    }
}

/// The delays between the probes of a held sender. Probe 1 is the message that met the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probes {
    /// For [`BlockKind::RefusedSecret`].
    pub refused_secret: Schedule,
    /// For [`BlockKind::RateLimited`].
    pub rate_limited: Schedule,
    /// For every other kind.
    pub usual: Schedule,
    /// The least delay after a probe that a reload caused, and after a probe of a refused secret without an answer.
    pub shortest: Duration,
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            refused_secret: refused_secret_delays(),
            rate_limited: rate_limited_delays(),
            usual: usual_probe_delays(),
            shortest: Duration::from_secs(10),
        }
    }
}

impl Probes {
    /// The delay after failed probe number `probes`.
    pub fn after(&self, kind: BlockKind, probes: u32) -> Duration {
        let schedule = match kind {
            BlockKind::RefusedSecret => &self.refused_secret,
            BlockKind::RateLimited => &self.rate_limited,
            BlockKind::Configuration | BlockKind::Failing | BlockKind::Unanswered => &self.usual,
        };
        schedule.nominal(probes)
    }
}

/// The consequences of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub verdict: Verdict,
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

/// The number of attempts after which the content of a digest or a notice is a suspect, if others succeed.
const SUSPECT_ATTEMPTS: u32 = 5;
/// The same number if no other messages succeed, and every attempt was refused. These attempts take a few minutes. An outage
/// then costs no more than some smaller digests, because nobody has received the message.
const SUSPECT_ATTEMPTS_REFUSED: u32 = 10;
/// The same number if members may have received the message. These attempts take about half an hour.
const SUSPECT_ATTEMPTS_UNKNOWN: u32 = 30;

/// Decides the consequences of `outcome`, which is attributed to `scope`.
pub fn decide(
    claimed: &Claimed,
    outcome: &Outcome,
    scope: Scope,
    policy: &Policy,
    now: Timestamp,
    rng: &mut impl Rng,
) -> Decision {
    if let Outcome::Accepted(receipt) = outcome {
        return Decision { verdict: Verdict::Delivered(receipt.clone()), counted: true, cause: None };
    }
    if is_sent_already(claimed, outcome) {
        return Decision { verdict: Verdict::Delivered(Receipt::default()), counted: true, cause: None };
    }
    let case = Case { claimed, outcome, policy, now };
    let class = errcode::class_of(outcome).unwrap_or(Class::Unknown);
    let fate = match (class, scope) {
        (Class::Message, _) => case.reject(Cause::Rejected, reason(outcome)),
        (Class::Recipient, _) => case.die(Cause::Nobody, reason(outcome)),
        (_, Scope::Sender { retry_in }) if case.may_be_content(class) => case.suspect_or_wait(retry_in, rng),
        (_, Scope::Sender { retry_in }) => case.wait_for_sender(retry_in),
        (Class::Unknown, Scope::Message { others_succeed: true }) => case.after_unknown_code(rng),
        (_, Scope::Message { others_succeed }) if case.is_suspect(others_succeed) => case.reject_suspect(rng),
        (_, Scope::Message { .. }) => case.retry(rng),
    };
    let Fate { verdict, cause } = case.expire(fate);
    Decision { verdict, counted: matches!(outcome, Outcome::Unknown(_)), cause }
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
    /// Attempts with an unknown errcode are counted apart, because other failures say nothing about it.
    fn retry(&self, rng: &mut impl Rng) -> Fate {
        let attempts = self.claimed.attempts.saturating_add(1);
        let is_unknown = errcode::class_of(self.outcome) == Some(Class::Unknown);
        self.try_again(self.policy.retries.delay(attempts, rng), true, is_unknown)
    }

    fn wait_for_sender(&self, retry_in: Duration) -> Fate {
        self.try_again(retry_in, false, false)
    }

    fn try_again(&self, delay: Duration, charged: bool, unknown_code: bool) -> Fate {
        let unconfirmed = matches!(self.outcome, Outcome::Unknown(_));
        Verdict::Retry { at: later(self.now, delay), charged, unconfirmed, unknown_code }.into()
    }

    fn after_unknown_code(&self, rng: &mut impl Rng) -> Fate {
        let tried = self.claimed.unknown_codes.saturating_add(1);
        if tried < self.policy.unknown_code_attempts {
            return self.retry(rng);
        }
        self.reject(Cause::UnknownCode, format!("{}; tried {tried} times", reason(self.outcome)))
    }

    /// Replaces the content that WeCom rejected by a plainer form, if there is one. The notifications of a digest are sent
    /// again instead.
    fn reject(&self, cause: Cause, reason: String) -> Fate {
        if self.claimed.kind == Kind::Digest {
            return Verdict::Undo(reason).into();
        }
        if let Some(content) = replacement(self.claimed, self.outcome) {
            return Verdict::Replace { content, reason }.into();
        }
        let language = self.policy.languages.of(&self.claimed.receiver);
        match degrade(self.claimed, &describe(self.outcome), language) {
            Some(content) => Verdict::Replace { content, reason }.into(),
            None => self.die(cause, reason),
        }
    }

    /// True if the text of one alert may be the reason why a digest or a notice fails: a firewall may refuse it, or a proxy
    /// may fail on it. Without other messages, only many failures tell that from an outage.
    fn is_suspect(&self, others_succeed: bool) -> bool {
        let attempts = match self.outcome {
            _ if others_succeed => SUSPECT_ATTEMPTS,
            Outcome::Unknown(_) => SUSPECT_ATTEMPTS_UNKNOWN,
            Outcome::Accepted(_) | Outcome::Rejected(_) | Outcome::NotSent(_) => SUSPECT_ATTEMPTS_REFUSED,
        };
        self.claimed.kind != Kind::Alert && self.claimed.attempts.saturating_add(1) >= attempts
    }

    /// True if the content of a digest or a notice may be the reason of the failure.
    fn may_be_content(&self, class: Class) -> bool {
        let is_read = match self.outcome {
            Outcome::Rejected(refusal) => refusal.api.sends(),
            Outcome::Unknown(fault) => fault.api.sends(),
            Outcome::NotSent(fault) => errcode::may_depend_on_content(fault),
            Outcome::Accepted(_) => false,
        };
        let is_about_message = matches!(class, Class::Unknown | Class::Transient);
        self.claimed.kind != Kind::Alert && is_about_message && is_read
    }

    /// The attempts are charged, because a digest that waited for its sender for ever would hold its members back.
    fn suspect_or_wait(&self, retry_in: Duration, rng: &mut impl Rng) -> Fate {
        if self.is_suspect(false) { self.reject_suspect(rng) } else { self.try_again(retry_in, true, false) }
    }

    fn reject_suspect(&self, rng: &mut impl Rng) -> Fate {
        let tried = self.claimed.attempts.saturating_add(1);
        let rejected = self.reject(Cause::Rejected, format!("{}; tried {tried} times", reason(self.outcome)));
        // A notice without a plainer form is retried.
        if rejected.cause.is_none() { rejected } else { self.retry(rng) }
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
        let last = reason(self.outcome);
        self.die(
            Cause::Expired,
            format!("not delivered within {limit:#} (expire_after); last outcome: {last}"),
        )
    }
}

/// The reason of a dead letter: what to do, and WeCom's own text.
fn reason(outcome: &Outcome) -> String {
    let advice = errcode::advice_of(outcome, Language::En).unwrap_or_default();
    match outcome {
        Outcome::Rejected(refusal) if errcode::lookup(refusal.errcode).is_some() => {
            format!("{advice} WeCom's text: {}", refusal.errmsg)
        }
        _ => advice,
    }
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
