//! The accepted messages, and the messages that each member was shown.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A message that WeCom accepted. The reply may still have been replaced by a fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    pub msgid: String,
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    pub corp_id: String,
    /// 0 for a robot.
    pub agent_id: u64,
    /// The group that got it: the name of a robot, or the id of a chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    pub msgtype: String,
    /// The visible text, as in [`Delivered`].
    pub text: Arc<str>,
    /// The unchanged body.
    pub request: Arc<str>,
    /// The object of the request under the key that the msgtype names, as in [`Delivered`].
    #[serde(skip)]
    pub content: Arc<Value>,
    /// The members that the message was for, in the order of the directory.
    pub members: Vec<(String, MemberOutcome)>,
}

/// The result of a message for one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberOutcome {
    /// The member sees the message.
    Shown,
    /// The member limit was reached. The member never sees the message, and the reply does not say so.
    Dropped,
    /// The message was suppressed by the duplicate check.
    Duplicate,
}

/// A message as one member or one group sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivered {
    pub msgid: String,
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    pub corp_id: String,
    /// 0 for a robot.
    pub agent_id: u64,
    pub msgtype: String,
    /// The visible text, cut as WeCom cuts it. A card has one line for each field.
    pub text: Arc<str>,
    /// The object of the request under the key that the msgtype names, with the texts cut.
    pub content: Arc<Value>,
}

/// The results of all messages for all members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Totals {
    pub(super) shown: usize,
    pub(super) dropped: usize,
    pub(super) duplicates: usize,
}

pub(super) struct Record {
    history: usize,
    totals: Totals,
    messages: VecDeque<Message>,
    screens: HashMap<String, VecDeque<Delivered>>,
    /// By the name of the group.
    groups: HashMap<Arc<str>, VecDeque<Delivered>>,
}

impl Record {
    pub(super) fn new(history: usize) -> Self {
        Self {
            history,
            totals: Totals::default(),
            messages: VecDeque::new(),
            screens: HashMap::new(),
            groups: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, message: Message) {
        let delivered = Delivered {
            msgid: message.msgid.clone(),
            at: message.at,
            corp_id: message.corp_id.clone(),
            agent_id: message.agent_id,
            msgtype: message.msgtype.clone(),
            text: message.text.clone(),
            content: Arc::clone(&message.content),
        };
        let mut shown =
            message.members.iter().filter(|(_, outcome)| *outcome == MemberOutcome::Shown).peekable();
        match &message.group {
            Some(group) if shown.peek().is_some() => {
                push(self.groups.entry(Arc::clone(group)).or_default(), self.history, delivered);
            }
            Some(_) => {}
            None => {
                for (userid, _) in shown {
                    push(self.screens.entry(userid.clone()).or_default(), self.history, delivered.clone());
                }
            }
        }
        for (_, outcome) in &message.members {
            match outcome {
                MemberOutcome::Shown => self.totals.shown += 1,
                MemberOutcome::Dropped => self.totals.dropped += 1,
                MemberOutcome::Duplicate => self.totals.duplicates += 1,
            }
        }
        push(&mut self.messages, self.history, message);
    }

    pub(super) fn delivered_to_group(&self, name: &str) -> Vec<Delivered> {
        self.groups.get(name).map(|screen| screen.iter().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn delivered_to_group_count(&self, name: &str) -> usize {
        self.groups.get(name).map_or(0, VecDeque::len)
    }

    pub(super) fn clear(&mut self) {
        self.totals = Totals::default();
        self.messages.clear();
        self.screens.clear();
        self.groups.clear();
    }

    pub(super) fn last(&self) -> Option<&Message> {
        self.messages.back()
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().rev()
    }

    /// Since the start, or since the messages were deleted.
    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    pub(super) fn messages(&self) -> Vec<Message> {
        self.messages.iter().cloned().collect()
    }

    pub(super) fn delivered_to(&self, userid: &str) -> Vec<Delivered> {
        let screen = self.screens.get(&userid.to_lowercase());
        screen.map(|screen| screen.iter().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn delivered_count(&self, userid: &str) -> usize {
        self.screens.get(&userid.to_lowercase()).map_or(0, VecDeque::len)
    }
}

fn push<T>(list: &mut VecDeque<T>, history: usize, item: T) {
    list.push_back(item);
    while list.len() > history {
        list.pop_front();
    }
}

fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}
