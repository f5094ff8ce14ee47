//! The circuit breaker of a sender.
//!
//! - **Closed**: all messages may go out.
//! - **Half-open**, after a few transient failures in a row: one message at a time goes out as a probe. So an outage costs
//!   WeCom and this machine little.
//! - **Open** ("held"), after a failure that every message would meet: probes are sent after longer delays. The hold is
//!   stored, so a restart does not probe earlier.
//!
//! Any answer of WeCom that is not the same failure closes the circuit breaker.

use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;

use super::{
    Monotonic,
    decide::{Block, BlockKind, Health, Policy, Probes, later},
};
use crate::{
    outbox::{Hold, SenderName},
    retry::Schedule,
};

/// Transient failures in a row before the circuit breaker is half-open.
const TOLERATED_FAILURES: u32 = 3;

/// The circuit breaker of one sender.
#[derive(Debug)]
pub struct CircuitBreaker {
    sender: SenderName,
    credentials: String,
    schedule: Schedule,
    probes: Probes,
    failures: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed,
    HalfOpen { probe_at: Monotonic },
    Open { hold: Hold, probed_at: Monotonic, probe_at: Monotonic },
}

/// The messages that may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// All messages that are due.
    All,
    /// One message.
    Probe,
    /// Nothing before this time.
    Wait(Monotonic),
    /// Nothing before the probe in flight has ended.
    Probing,
}

/// A change of the hold, to be stored and reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldChange {
    /// The sender is held, or still held after another probe.
    Held(Hold),
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
        let (schedule, probes) = (policy.transient.clone(), policy.probes.clone());
        let state = match hold {
            Some(hold) => {
                let wait = first_wait(&hold, &credentials, &probes, now);
                State::Open { hold, probed_at: monotonic, probe_at: monotonic + wait }
            }
            None => State::Closed,
        };
        Self { sender, credentials, schedule, probes, failures: 0, state }
    }

    /// The messages that may be sent at `now`, while `in_flight` messages are in flight.
    pub fn admission(&self, in_flight: usize, now: Monotonic) -> Admission {
        let probe_at = match &self.state {
            State::Closed => return Admission::All,
            State::HalfOpen { probe_at } | State::Open { probe_at, .. } => *probe_at,
        };
        match in_flight {
            0 if probe_at <= now => Admission::Probe,
            0 => Admission::Wait(probe_at),
            _ => Admission::Probing,
        }
    }

    /// Uses new credentials and delays after a reload, and probes soon, because the reload may have fixed the problem.
    /// With the same credentials, a held sender is probed at most once each [`Probes::unanswered`], however often this is
    /// called.
    pub fn reload(&mut self, credentials: String, policy: &Policy, now: Monotonic) {
        let is_changed = self.credentials != credentials;
        self.credentials = credentials;
        (self.schedule, self.probes) = (policy.transient.clone(), policy.probes.clone());
        match &mut self.state {
            State::Closed => {}
            State::HalfOpen { probe_at } => *probe_at = now,
            State::Open { probe_at, .. } if is_changed => *probe_at = now,
            State::Open { probed_at, probe_at, .. } => {
                *probe_at = (*probe_at).min(now.max(*probed_at + self.probes.unanswered));
            }
        }
    }

    /// Records the health that an outcome shows.
    pub fn record(
        &mut self,
        health: &Health,
        now: Timestamp,
        monotonic: Monotonic,
        rng: &mut impl Rng,
    ) -> Option<HoldChange> {
        match health {
            Health::Good => self.close(),
            Health::Transient => {
                self.fail(monotonic, rng);
                None
            }
            Health::Blocked(block) => self.open(block, now, monotonic),
        }
    }

    fn close(&mut self) -> Option<HoldChange> {
        self.failures = 0;
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Open { hold, .. } => Some(HoldChange::Released(hold)),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    fn fail(&mut self, now: Monotonic, rng: &mut impl Rng) {
        self.failures = self.failures.saturating_add(1);
        match &mut self.state {
            State::Open { probe_at, .. } => *probe_at = (*probe_at).max(now + self.probes.unanswered),
            State::Closed | State::HalfOpen { .. } if self.failures >= TOLERATED_FAILURES => {
                let delay = self.schedule.delay(self.failures - TOLERATED_FAILURES + 1, rng);
                self.state = State::HalfOpen { probe_at: now + delay };
            }
            State::Closed | State::HalfOpen { .. } => {}
        }
    }

    fn open(&mut self, block: &Block, now: Timestamp, monotonic: Monotonic) -> Option<HoldChange> {
        self.failures = 0;
        let (since, probes) = match &self.state {
            // A message that was in flight when the hold began adds no information.
            State::Open { hold, probe_at, .. } if monotonic < *probe_at && hold.errcode == block.errcode => {
                return None;
            }
            State::Open { hold, .. } => (hold.since, hold.probes.saturating_add(1)),
            State::Closed | State::HalfOpen { .. } => (now, 1),
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
        self.state = State::Open { hold: hold.clone(), probed_at: monotonic, probe_at: monotonic + wait };
        Some(HoldChange::Held(hold))
    }
}

/// The time until an inherited hold is probed.
fn first_wait(hold: &Hold, credentials: &str, probes: &Probes, now: Timestamp) -> Duration {
    if hold.credentials != credentials {
        return Duration::ZERO;
    }
    let wait = Duration::try_from(hold.next_probe_at.duration_since(now)).unwrap_or_default();
    // A replaced file of the outbox may have later times.
    wait.min(probes.after(BlockKind::Configuration, u32::MAX))
}

#[cfg(test)]
mod tests;
