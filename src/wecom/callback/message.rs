//! The decrypted message of a callback.

use jiff::Timestamp;

use super::{error::CallbackError, fields::Fields};
use crate::{text::prefix, wecom::message::AgentId};

/// WeCom's own limits are lower. Longer values are refused, because they are stored.
const MAX_USER_BYTES: usize = 128;
const MAX_TASK_BYTES: usize = 256;
const MAX_BUTTON_BYTES: usize = 1024;
const MAX_CODE_BYTES: usize = 1024;
/// The longest name of an event that is shown.
const MAX_KIND_BYTES: usize = 64;
/// The longest text that is echoed.
const MAX_ECHO_BYTES: usize = 256;

/// A message of WeCom for an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackMessage {
    /// The app that WeCom means. `None` if the message does not name one.
    pub agent_id: Option<AgentId>,
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A member pressed a button of a card.
    Press(CardPress),
    /// Something else, which the relay does not use. `kind` is its name, such as `enter_agent` or `text`.
    Other { kind: String },
}

/// A button of a card that a member pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardPress {
    pub user: String,
    pub task_id: String,
    /// The key of the button.
    pub button: String,
    /// The right to update the card once. It is a secret for 72 hours.
    pub response_code: String,
    /// The wall-clock time of WeCom.
    pub created_at: Timestamp,
}

impl CallbackMessage {
    /// Reads the decrypted message of a POST.
    ///
    /// # Errors
    /// [`CallbackError::Message`]
    pub fn parse(message: &[u8]) -> Result<Self, CallbackError> {
        let fields = Fields::parse(message).ok_or(CallbackError::Message)?;
        let agent_id = match fields.get("agentid") {
            None => None,
            Some(id) => Some(AgentId(id.parse().map_err(|_| CallbackError::Message)?)),
        };
        let kind = fields.get("event").or_else(|| fields.get("msgtype")).ok_or(CallbackError::Message)?;
        let event = match kind {
            "template_card_event" | "template_card_menu_event" => {
                Event::Press(press(&fields).ok_or(CallbackError::Message)?)
            }
            other => Event::Other { kind: prefix(other, MAX_KIND_BYTES).to_owned() },
        };
        Ok(Self { agent_id, event })
    }

    /// The text that a GET must be answered with.
    ///
    /// A signature does not say whether it is that of a GET. Without this check, a POST that somebody recorded could be sent
    /// again as a GET, and the answer would show its message. WeCom's texts are digits.
    ///
    /// # Errors
    /// [`CallbackError::Message`]
    pub fn echo(message: Vec<u8>) -> Result<String, CallbackError> {
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'{' | b'}');
        if message.is_empty() || message.len() > MAX_ECHO_BYTES || !message.iter().all(is_plain) {
            return Err(CallbackError::Message);
        }
        String::from_utf8(message).map_err(|_| CallbackError::Message)
    }
}

fn press(fields: &Fields) -> Option<CardPress> {
    let text = |name, longest| fields.get(name).filter(|text| text.len() <= longest).map(str::to_owned);
    Some(CardPress {
        user: text("fromusername", MAX_USER_BYTES)?,
        task_id: text("taskid", MAX_TASK_BYTES)?,
        button: text("eventkey", MAX_BUTTON_BYTES)?,
        response_code: text("responsecode", MAX_CODE_BYTES)?,
        created_at: Timestamp::from_second(fields.get("createtime")?.parse().ok()?).ok()?,
    })
}
