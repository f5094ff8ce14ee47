//! The circuit breaker of a sender.
//!
//! | state | what may be sent |
//! |---|---|
//! | closed | all messages |
//! | half-open: messages fail, and none succeeds | one probe at a time to the destinations that failed, after growing delays; one message to each other destination, as a test |
//! | open: every message would fail | one probe at a time, after growing delays |
//!
//! A half-open or an open sender is "held". Its hold is stored, so a restart does not probe earlier. One message that WeCom
//! accepts, or refuses for its own sake, closes the circuit breaker.
//!
//! A destination that fails while others succeed says nothing about the sender. It is excluded from the evidence until one
//! of its messages succeeds, and its messages are sent one at a time, so that they do not occupy the sender. So the failures
//! of one destination never delay the messages to another one.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Monotonic,
    decide::{Policy, Probes, later},
    evidence::{Block, BlockKind, Evidence, Scope},
};
use crate::outbox::{DeliveryId, Destination, Hold, SenderName};

/// Failures in a row before the circuit breaker is half-open.
const TOLERATED_FAILURES: u32 = 3;

/// The circuit breaker of one sender.
#[derive(Debug)]
pub struct CircuitBreaker {
    sender: SenderName,
    credentials: String,
    probes: Probes,
    state: State,
    /// Failures since the last success, without those of excluded destinations.
    failures: u32,
    /// The destinations of these failures.
    failing: HashSet<Destination>,
    excluded: HashSet<Destination>,
    /// Destinations with a message in flight after which they are looked at again.
    tested: HashSet<Destination>,
    successes: u64,
    /// The number of successes at the first failure of a delivery.
    first_failures: HashMap<DeliveryId, u64>,
}

#[derive(Debug)]
enum State {
    Closed,
    /// Half-open or open; see [`BlockKind::concerns_all`].
    Held {
        hold: Hold,
        kind: BlockKind,
        probed_at: Monotonic,
        probe_at: Monotonic,
    },
}

/// The messages that may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// All messages that are due.
    All,
    /// One message.
    One,
    /// Nothing before this time.
    Wait(Monotonic),
    /// Nothing before the probe in flight has ended.
    Probing,
}

/// A message that has ended.
#[derive(Debug, Clone)]
pub struct EndedMessage {
    pub delivery: DeliveryId,
    pub destination: Destination,
    pub evidence: Evidence,
}

/// The consequences of the end of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub scope: Scope,
    /// To be stored and reported.
    pub change: Option<HoldChange>,
}

/// A change of the hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldChange {
    /// The sender is held now, or the reason of its hold has changed.
    Held(Hold, BlockKind),
    /// Another probe has failed.
    StillHeld(Hold, BlockKind),
    /// The hold is over.
    Released(Hold),
}

impl CircuitBreaker {
    /// The circuit breaker as an earlier lease left it. A hold is probed when its time comes, or at once if
    /// `credentials` have changed.
    pub fn new(
        sender: SenderName,
        credentials: String,
        policy: &Policy,
        hold: Option<Hold>,
        now: Timestamp,
        monotonic: Monotonic,
    ) -> Self {
        let probes = policy.probes.clone();
        let state = match hold {
            Some(hold) => {
                let probe_at = monotonic + first_wait(&hold, &credentials, &probes, now);
                // The first probe shows the kind.
                State::Held { hold, kind: BlockKind::Configuration, probed_at: monotonic, probe_at }
            }
            None => State::Closed,
        };
        Self {
            sender,
            credentials,
            probes,
            state,
            failures: 0,
            failing: HashSet::new(),
            excluded: HashSet::new(),
            tested: HashSet::new(),
            successes: 0,
            first_failures: HashMap::new(),
        }
    }

    /// The messages that may be sent at `now`, while `in_flight` messages are in flight.
    pub fn admission(&self, in_flight: usize, now: Monotonic) -> Admission {
        match &self.state {
            State::Closed => Admission::All,
            State::Held { kind, .. } if !kind.concerns_all() => Admission::One,
            State::Held { .. } if in_flight > 0 => Admission::Probing,
            State::Held { probe_at, .. } if *probe_at > now => Admission::Wait(*probe_at),
            State::Held { .. } => Admission::One,
        }
    }

    /// Destinations whose messages are sent one at a time.
    pub fn excluded(&self) -> &HashSet<Destination> {
        &self.excluded
    }

    /// The destinations that wait although their messages are due: until a time, or `None` until a message ends.
    pub fn waiting(&self) -> HashMap<Destination, Option<Monotonic>> {
        let mut waiting: HashMap<_, _> = self.tested.iter().map(|destination| (*destination, None)).collect();
        if let State::Held { kind, probe_at, .. } = &self.state
            && !kind.concerns_all()
        {
            let is_probed = !self.tested.is_disjoint(&self.failing);
            let until = Some(*probe_at).filter(|_| !is_probed);
            waiting.extend(self.failing.iter().map(|destination| (*destination, until)));
        }
        waiting
    }

    /// Records the start of a message.
    pub fn start(&mut self, destination: Destination) {
        if matches!(self.state, State::Held { .. }) || self.excluded.contains(&destination) {
            self.tested.insert(destination);
        }
    }

    /// Records the end of a message, with its evidence.
    pub fn record(&mut self, ended: &EndedMessage, now: Timestamp, monotonic: Monotonic) -> Recorded {
        self.tested.remove(&ended.destination);
        match &ended.evidence {
            Evidence::Works => {
                let change = self.succeed(ended);
                Recorded { scope: Scope::Message { others_succeed: true }, change }
            }
            Evidence::Blocks(block) => {
                let change = self.hold(block, now, monotonic);
                Recorded { scope: Scope::Sender { retry_in: Duration::ZERO }, change }
            }
            Evidence::Fails(block) => self.fail(ended, block, now, monotonic),
        }
    }

    /// Records the end of a message that is no evidence, because its credentials are outdated.
    pub fn ignore(&mut self, destination: Destination) {
        self.tested.remove(&destination);
    }

    /// Forgets a delivery that is not tried again.
    pub fn settle(&mut self, delivery: DeliveryId, destination: Destination) {
        self.first_failures.remove(&delivery);
        self.failing.remove(&destination);
        self.excluded.remove(&destination);
    }

    /// Uses new credentials and delays after a reload, and probes soon, because the reload may have fixed the problem.
    /// With the same credentials, a held sender is probed at most once each [`Probes::shortest`], however often this is
    /// called.
    pub fn reload(&mut self, credentials: String, policy: &Policy, now: Monotonic) {
        let is_changed = self.credentials != credentials;
        self.credentials = credentials;
        self.probes = policy.probes.clone();
        if let State::Held { probed_at, probe_at, .. } = &mut self.state {
            let soon = if is_changed { now } else { now.max(*probed_at + self.probes.shortest) };
            *probe_at = soon.min(*probe_at);
        }
    }

    fn succeed(&mut self, ended: &EndedMessage) -> Option<HoldChange> {
        self.successes += 1;
        self.failures = 0;
        self.excluded.extend(self.failing.drain());
        self.excluded.remove(&ended.destination);
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Held { hold, .. } => Some(HoldChange::Released(hold)),
            State::Closed => None,
        }
    }

    fn fail(
        &mut self,
        ended: &EndedMessage,
        block: &Block,
        now: Timestamp,
        monotonic: Monotonic,
    ) -> Recorded {
        let successes = self.successes;
        let others_succeed = *self.first_failures.entry(ended.delivery).or_insert(successes) < successes;
        if let State::Held { kind: BlockKind::RefusedSecret, probe_at, .. } = &mut self.state {
            // Nothing shows that the secret is accepted now.
            *probe_at = (*probe_at).max(monotonic + self.probes.shortest);
            let scope = Scope::Sender { retry_in: probe_at.since(monotonic) };
            return Recorded { scope, change: None };
        }
        if self.excluded.contains(&ended.destination) {
            return Recorded { scope: Scope::Message { others_succeed }, change: None };
        }
        self.failing.insert(ended.destination);
        self.failures = self.failures.saturating_add(1);
        if self.failures < TOLERATED_FAILURES && matches!(self.state, State::Closed) {
            return Recorded { scope: Scope::Message { others_succeed }, change: None };
        }
        let change = self.hold(block, now, monotonic);
        let retry_in = match &self.state {
            State::Held { probe_at, .. } => probe_at.since(monotonic),
            State::Closed => Duration::ZERO,
        };
        Recorded { scope: Scope::Sender { retry_in }, change }
    }

    fn hold(&mut self, block: &Block, now: Timestamp, monotonic: Monotonic) -> Option<HoldChange> {
        let is_news = self.is_news(block);
        let (since, probes) = match &self.state {
            State::Closed => (now, 1),
            State::Held { hold, probe_at, .. } => {
                let is_probe = monotonic >= *probe_at;
                if !is_probe && !is_news {
                    // A message that was in flight when the hold began adds no information.
                    return None;
                }
                (hold.since, hold.probes.saturating_add(u32::from(is_probe)))
            }
        };
        let wait = self.probes.after(block.kind, probes);
        let hold = Hold {
            sender: self.sender.clone(),
            since,
            reason: block.reason.clone(),
            errcode: block.errcode,
            probes,
            next_probe_at: later(now, wait),
            credentials: self.credentials.clone(),
        };
        self.state = State::Held {
            hold: hold.clone(),
            kind: block.kind,
            probed_at: monotonic,
            probe_at: monotonic + wait,
        };
        Some(if is_news {
            HoldChange::Held(hold, block.kind)
        } else {
            HoldChange::StillHeld(hold, block.kind)
        })
    }

    /// True if `block` begins a hold, or gives a hold another reason.
    fn is_news(&self, block: &Block) -> bool {
        match &self.state {
            State::Closed => true,
            State::Held { hold, kind, .. } => {
                block.kind.concerns_all() && (*kind != block.kind || hold.errcode != block.errcode)
            }
        }
    }
}

/// The time until an inherited hold is probed.
fn first_wait(hold: &Hold, credentials: &str, probes: &Probes, now: Timestamp) -> Duration {
    if hold.credentials != credentials {
        return Duration::ZERO;
    }
    let wait = Duration::try_from(hold.next_probe_at.duration_since(now)).unwrap_or_default();
    // A replaced file of the outbox may have later times.
    wait.min(probes.after(BlockKind::RefusedSecret, u32::MAX))
}

#[cfg(test)]
mod tests;
