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
    /// The name of a card that can call back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
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

/// A message as one member or one group sees it now, and as they saw it before.
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
    /// The name of a card that can call back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The forms that an update has replaced, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierForm>,
    /// The time of the recall. From then on the member sees a grey line instead of the message.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_if_some")]
    pub recalled_at: Option<Timestamp>,
}

/// A form of a message that an update has replaced.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EarlierForm {
    /// The time of the update.
    #[serde(serialize_with = "rfc3339")]
    pub until: Timestamp,
    pub text: Arc<str>,
    pub content: Arc<Value>,
}

/// A change of a message that members were shown before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageChange {
    pub msgid: String,
    /// The members who see the change.
    pub members: Vec<String>,
    /// The new text of a card; `None` for a recall.
    pub text: Option<Arc<str>>,
}

/// The new form of a message.
pub(super) struct NewForm {
    pub(super) at: Timestamp,
    pub(super) text: Arc<str>,
    pub(super) content: Arc<Value>,
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
            task_id: message.task_id.clone(),
            earlier: Vec::new(),
            recalled_at: None,
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

    /// The accepted message with this number, unless it is from too long ago.
    pub(super) fn message(&self, msgid: &str) -> Option<&Message> {
        self.newest_first().find(|message| message.msgid == msgid)
    }

    /// True if the message was taken back from a member.
    pub(super) fn is_recalled(&self, msgid: &str, userid: &str) -> bool {
        let screen = self.screens.get(userid);
        let is_recalled = |shown: &Delivered| shown.msgid == msgid && shown.recalled_at.is_some();
        screen.is_some_and(|screen| screen.iter().rev().any(is_recalled))
    }

    /// Shows the members who have the message another form of it. Returns those members.
    pub(super) fn update(&mut self, msgid: &str, members: &[String], form: &NewForm) -> Vec<String> {
        self.each_shown(msgid, members, |shown| {
            let text = std::mem::replace(&mut shown.text, Arc::clone(&form.text));
            let content = std::mem::replace(&mut shown.content, Arc::clone(&form.content));
            shown.earlier.push(EarlierForm { until: form.at, text, content });
        })
    }

    /// Returns the members who had the message.
    pub(super) fn recall(&mut self, msgid: &str, members: &[String], at: Timestamp) -> Vec<String> {
        self.each_shown(msgid, members, |shown| _ = shown.recalled_at.get_or_insert(at))
    }

    fn each_shown(
        &mut self,
        msgid: &str,
        members: &[String],
        mut change: impl FnMut(&mut Delivered),
    ) -> Vec<String> {
        let mut changed = Vec::new();
        for userid in members {
            let screen = self.screens.get_mut(userid).map(|screen| screen.iter_mut().rev());
            if let Some(shown) = screen.into_iter().flatten().find(|shown| shown.msgid == msgid) {
                change(shown);
                changed.push(userid.clone());
            }
        }
        changed
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

    /// The messages that the member was shown, newest first.
    pub(super) fn screen(&self, userid: &str) -> impl Iterator<Item = &Delivered> {
        self.screens.get(userid).into_iter().flat_map(|screen| screen.iter().rev())
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

fn rfc3339_if_some<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, serializer),
        None => serializer.serialize_none(),
    }
}

fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}
