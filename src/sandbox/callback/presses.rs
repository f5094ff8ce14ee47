//! The presses of buttons, and the attempts to tell the server of the app.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// The number of a press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PressId(pub u64);

/// A member pressed a button of a card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Press {
    pub id: PressId,
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    pub corp_id: String,
    pub agent_id: u64,
    pub member: String,
    pub task_id: String,
    /// The key of the button.
    pub key: String,
    /// The response code of the event.
    pub response_code: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "fault_name")]
    pub fault: Option<PressFault>,
    pub attempts: Vec<Attempt>,
    /// True if no attempt will follow.
    pub is_settled: bool,
}

/// A misbehaviour of WeCom with one press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PressFault {
    /// The first attempt comes this much later, in real time.
    Late(Duration),
    /// The request that was answered comes again, with the same bytes.
    Twice,
    /// The only attempt has a signature that does not fit, as from a stranger.
    WrongSignature,
    /// WeCom does not get the first answer, so it sends the event again.
    LostAnswer,
    /// The event comes after that of the next press, or after a minute.
    AfterNext,
}

impl PressFault {
    /// All faults; a late event comes after 10 seconds.
    pub const ALL: [Self; 5] = [
        Self::Late(Duration::from_secs(10)),
        Self::Twice,
        Self::WrongSignature,
        Self::LostAnswer,
        Self::AfterNext,
    ];

    /// The name in the control API and in forms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Late(_) => "late",
            Self::Twice => "twice",
            Self::WrongSignature => "wrong_signature",
            Self::LostAnswer => "lost_answer",
            Self::AfterNext => "after_next",
        }
    }
}

/// One request to the server of the app.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attempt {
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    #[serde(flatten)]
    pub result: AttemptResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum AttemptResult {
    Answered {
        status: u16,
        body: String,
    },
    /// The server answered, and a fault lost the answer.
    Lost {
        status: u16,
    },
    NoAnswer {
        reason: String,
    },
}

/// A button cannot be pressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PressError {
    #[error("{member} sees no card with the task id {task_id:?}: look at /sandbox/members/{member}/messages")]
    NoCard { member: String, task_id: String },
    #[error("the card was recalled, so it has no buttons")]
    Recalled,
    #[error("the card has no button {key:?} that calls back: {}", buttons(.known))]
    NoButton { key: String, known: Vec<String> },
    #[error("the app {agent_id} has no callback: use PUT /sandbox/callbacks/{agent_id}, or --callback")]
    NoCallback { agent_id: u64 },
    #[error("this sandbox cannot make requests, because its program gave it no client")]
    NoClient,
}

fn buttons(known: &[String]) -> String {
    if known.is_empty() {
        "its buttons are grey".to_owned()
    } else {
        format!("there are {}", known.join(", "))
    }
}

pub(in crate::sandbox) struct Presses {
    history: usize,
    presses: VecDeque<Press>,
    last: u64,
    /// For the next press on the page.
    pub(in crate::sandbox) next_fault: Option<PressFault>,
}

impl Presses {
    pub(in crate::sandbox) fn new(history: usize) -> Self {
        Self { history, presses: VecDeque::new(), last: 0, next_fault: None }
    }

    pub(super) fn next_id(&mut self) -> PressId {
        self.last += 1;
        PressId(self.last)
    }

    pub(super) fn add(&mut self, press: Press) {
        self.presses.push_back(press);
        while self.presses.len() > self.history {
            self.presses.pop_front();
        }
    }

    pub(super) fn attempted(&mut self, id: PressId, attempt: Attempt) {
        if let Some(press) = self.presses.iter_mut().rev().find(|press| press.id == id) {
            press.attempts.push(attempt);
        }
    }

    pub(super) fn settle(&mut self, id: PressId) {
        if let Some(press) = self.presses.iter_mut().rev().find(|press| press.id == id) {
            press.is_settled = true;
        }
    }

    pub(super) fn get(&self, id: PressId) -> Option<&Press> {
        self.newest_first().find(|press| press.id == id)
    }

    /// True if no attempt of a later press of the same app will follow.
    pub(super) fn has_settled_after(&self, press: &Press) -> bool {
        let is_later = |other: &&Press| other.id > press.id && other.agent_id == press.agent_id;
        self.newest_first().filter(is_later).any(|other| other.is_settled)
    }

    pub(in crate::sandbox) fn newest_first(&self) -> impl Iterator<Item = &Press> {
        self.presses.iter().rev()
    }

    pub(in crate::sandbox) fn all(&self) -> Vec<Press> {
        self.presses.iter().cloned().collect()
    }
}

fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

fn fault_name<S: Serializer>(fault: &Option<PressFault>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(fault.map_or("", PressFault::name))
}
