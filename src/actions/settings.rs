//! The part of the configuration that the worker uses.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::tz::TimeZone;

use super::allowed::Allowed;
use crate::{
    language::Language,
    outbox::{ReceiverName, SenderName},
};

/// The parts of a configuration that presses need. A reload replaces them.
#[derive(Debug)]
pub struct PressSettings<S, C> {
    /// `None` without `alertmanager`.
    pub silences: Option<Arc<S>>,
    /// All receivers, because a press of a receiver without `actions` needs an answer, too.
    pub receivers: BTreeMap<ReceiverName, ReceiverSettings>,
    /// The contacts of the apps.
    pub contacts: BTreeMap<SenderName, Arc<C>>,
    /// The zone of times of day.
    pub zone: TimeZone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverSettings {
    pub sender: SenderName,
    /// `None` without `actions`.
    pub allowed: Option<Allowed>,
    pub language: Language,
    pub send_resolved: bool,
}

impl<S, C> PressSettings<S, C> {
    /// A receiver for a message about a card that nobody knows any more.
    pub(super) fn receiver_of(&self, sender: &SenderName) -> Option<(&ReceiverName, &ReceiverSettings)> {
        self.receivers.iter().find(|(_, receiver)| receiver.sender == *sender)
    }
}

/// Times that only tests change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// The pauses between the attempts of one press. After the last one the member reads why nothing happened.
    pub retries: Vec<Duration>,
    /// No attempt begins later than this after a press was accepted, except the first one.
    pub patience: Duration,
    /// The time after which another process may go on with a press. One attempt must be shorter.
    pub claim: Duration,
    /// The longest pause between two looks for presses, which another process may have left.
    pub poll: Duration,
    /// The pause between two looks at a silenced card.
    pub watch: Duration,
    /// Alerts are resolved after Alertmanager has not listed them for this time.
    pub absence: Duration,
    /// An Alertmanager that started within this time does not know all alerts yet.
    pub warm_up: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            retries: [1, 2, 5, 10, 20, 20].map(Duration::from_secs).to_vec(),
            patience: Duration::from_secs(60),
            claim: Duration::from_secs(120),
            poll: Duration::from_secs(5),
            watch: Duration::from_secs(30),
            absence: Duration::from_secs(180),
            warm_up: Duration::from_secs(300),
        }
    }
}
