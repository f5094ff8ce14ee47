//! The group chats of apps.

use std::collections::BTreeMap;

use super::reply::ErrorReply;
use super::token::TokenOwner;

/// The group chats, by their ids.
#[derive(Default)]
pub(super) struct Chats(BTreeMap<String, Chat>);

/// A group chat of an app.
#[derive(Clone)]
pub(super) struct Chat {
    pub(super) corp_id: String,
    pub(super) agent_id: u64,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) members: Vec<String>,
}

impl Chats {
    /// False if there is a chat with this id.
    pub(super) fn add(&mut self, chatid: String, chat: Chat) -> bool {
        let is_new = !self.0.contains_key(&chatid);
        if is_new {
            self.0.insert(chatid, chat);
        }
        is_new
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The chat, if the app created it.
    pub(super) fn of(&self, chatid: &str, owner: &TokenOwner) -> Result<&Chat, ErrorReply> {
        let chat = self.0.get(chatid).filter(|chat| chat.corp_id == owner.corp_id);
        let chat = chat.ok_or(ErrorReply::new(40050))?;
        if chat.agent_id == owner.agent_id { Ok(chat) } else { Err(ErrorReply::new(86008)) }
    }
}
