//! Whether a sender may send: open, in trouble, or held.
//!
//! After a few transient failures in a row only one message at a time goes out, as a probe, so that an outage
//! costs WeCom and this machine little. A held sender waits longer between probes, and its hold is kept over a
//! restart. Any answer of WeCom that is not the same block opens the gate, and everything flows.

use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;

use super::{
    Monotonic,
    step::{Block, BlockKind, Health, Policy, Probes, later},
};
use crate::{
    outbox::{Hold, SenderName},
    retry::Schedule,
};

/// Transient failures in a row before a sender is in trouble.
const PATIENCE: u32 = 3;

/// The gate of one sender.
#[derive(Debug)]
pub struct Gate {
    sender: SenderName,
    credentials: String,
    schedule: Schedule,
    probes: Probes,
    failures: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    Troubled { probe_at: Monotonic },
    Held { hold: Hold, probed_at: Monotonic, probe_at: Monotonic },
}

/// What may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Whatever is due.
    Open,
    /// One message.
    Probe,
    /// Nothing before this moment.
    Wait(Monotonic),
    /// Nothing before the probe that is in flight has ended.
    Probing,
}

/// What changed about a hold, to be written down and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The sender is held, or still held after another probe.
    Held(Hold),
    /// The hold is over.
    Released(Hold),
}

impl Gate {
    /// The gate of `sender` as the last process left it. A hold is probed when its time comes, or at once when
    /// `credentials` are other ones by now.
    pub fn new(
        sender: SenderName,
        credentials: String,
        policy: &Policy,
        hold: Option<Hold>,
        now: Timestamp,
        uptime: Monotonic,
    ) -> Self {
        let state = match hold {
            Some(hold) => {
                let wait = Duration::try_from(hold.next_probe_at.duration_since(now)).unwrap_or_default();
                // A wall clock that was set back must not stretch the hold.
                let longest = policy.probes.after(BlockKind::Configuration, u32::MAX);
                let wait = if hold.credentials == credentials { wait.min(longest) } else { Duration::ZERO };
                State::Held { hold, probed_at: uptime, probe_at: uptime + wait }
            }
            None => State::Open,
        };
        let (schedule, probes) = (policy.transient.clone(), policy.probes.clone());
        Self { sender, credentials, schedule, probes, failures: 0, state }
    }

    /// What may be sent at `now`, with `in_flight` sends under way.
    pub fn admission(&self, in_flight: usize, now: Monotonic) -> Admission {
        let probe_at = match &self.state {
            State::Open => return Admission::Open,
            State::Troubled { probe_at } | State::Held { probe_at, .. } => *probe_at,
        };
        match in_flight {
            0 if probe_at <= now => Admission::Probe,
            0 => Admission::Wait(probe_at),
            _ => Admission::Probing,
        }
    }

    /// Takes other credentials and delays, and probes at the next occasion: something was mended, or may have been.
    /// With the same credentials a held sender is not probed more often than after [`Probes::unanswered`], however
    /// often this is called.
    pub fn renew(&mut self, credentials: String, policy: &Policy, now: Monotonic) {
        let other = self.credentials != credentials;
        self.credentials = credentials;
        (self.schedule, self.probes) = (policy.transient.clone(), policy.probes.clone());
        match &mut self.state {
            State::Open => {}
            State::Troubled { probe_at } => *probe_at = now,
            State::Held { probe_at, .. } if other => *probe_at = now,
            State::Held { probed_at, probe_at, .. } => {
                *probe_at = (*probe_at).min(now.max(*probed_at + self.probes.unanswered));
            }
        }
    }

    /// Takes note of how a send ended.
    pub fn note(
        &mut self,
        health: &Health,
        now: Timestamp,
        uptime: Monotonic,
        rng: &mut impl Rng,
    ) -> Option<Change> {
        match health {
            Health::Well => {
                self.failures = 0;
                match std::mem::replace(&mut self.state, State::Open) {
                    State::Held { hold, .. } => Some(Change::Released(hold)),
                    State::Open | State::Troubled { .. } => None,
                }
            }
            Health::Trouble => {
                self.failures = self.failures.saturating_add(1);
                match &mut self.state {
                    State::Held { probe_at, .. } => {
                        *probe_at = (*probe_at).max(uptime + self.probes.unanswered);
                    }
                    State::Open | State::Troubled { .. } if self.failures >= PATIENCE => {
                        let delay = self.schedule.delay(self.failures - PATIENCE + 1, rng);
                        self.state = State::Troubled { probe_at: uptime + delay };
                    }
                    State::Open | State::Troubled { .. } => {}
                }
                None
            }
            Health::Blocked(block) => self.blocked(block, now, uptime),
        }
    }

    fn blocked(&mut self, block: &Block, now: Timestamp, uptime: Monotonic) -> Option<Change> {
        self.failures = 0;
        let (since, probes) = match &self.state {
            // What was in flight when the hold began says nothing new.
            State::Held { hold, probe_at, .. } if uptime < *probe_at && hold.errcode == block.errcode => {
                return None;
            }
            State::Held { hold, .. } => (hold.since, hold.probes.saturating_add(1)),
            State::Open | State::Troubled { .. } => (now, 1),
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
        self.state = State::Held { hold: hold.clone(), probed_at: uptime, probe_at: uptime + wait };
        Some(Change::Held(hold))
    }
}

#[cfg(test)]
mod tests;
