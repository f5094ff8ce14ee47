//! What was accepted, and what each member was shown of it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A message that was answered with errcode 0, or would have been if a fault had not spoiled the answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// As in the reply.
    pub msgid: String,
    /// When it arrived.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// The corp of the app that sent it.
    pub corp_id: String,
    /// The app that sent it.
    pub agent_id: u64,
    /// As in the request.
    pub msgtype: String,
    /// The body, as it came.
    pub request: Arc<str>,
    /// Whom it was for, in the order of the directory.
    pub members: Vec<(String, Outcome)>,
}

/// What became of a message for one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The member sees it.
    Shown,
    /// Over the member limit: the member never sees it, and the sender is not told.
    Dropped,
    /// A copy of what was sent within the duplicate check's interval: not shown again.
    Duplicate,
}

/// A message as one member sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivered {
    /// As in the reply.
    pub msgid: String,
    /// When it arrived.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// The corp of the app that sent it.
    pub corp_id: String,
    /// The app that sent it.
    pub agent_id: u64,
    /// As in the request.
    pub msgtype: String,
    /// What can be read on the screen: content, or title, description and so on, a line each, cut as WeCom cuts it.
    pub text: Arc<str>,
    /// The request's object under the name of the msgtype, cut likewise.
    pub content: Arc<Value>,
}

pub(super) struct Record {
    history: usize,
    messages: VecDeque<Message>,
    screens: HashMap<String, VecDeque<Delivered>>,
}

impl Record {
    pub(super) fn new(history: usize) -> Self {
        Self { history, messages: VecDeque::new(), screens: HashMap::new() }
    }

    pub(super) fn add(&mut self, message: Message, text: String, content: Value) {
        let (text, content) = (Arc::<str>::from(text), Arc::new(content));
        for (userid, _) in message.members.iter().filter(|(_, outcome)| *outcome == Outcome::Shown) {
            let screen = self.screens.entry(userid.clone()).or_default();
            push(
                screen,
                self.history,
                Delivered {
                    msgid: message.msgid.clone(),
                    at: message.at,
                    corp_id: message.corp_id.clone(),
                    agent_id: message.agent_id,
                    msgtype: message.msgtype.clone(),
                    text: text.clone(),
                    content: content.clone(),
                },
            );
        }
        push(&mut self.messages, self.history, message);
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.screens.clear();
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
