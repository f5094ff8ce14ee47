//! WeCom as the relay sees it: recipients, messages, and the outcome of a send.
//!
//! The port is [`WeCom`]. An [`Outcome`] separates what WeCom surely did not accept from what it may have accepted, because
//! that decides whether a resend can make a duplicate.

pub mod callback;
mod card_buttons;
mod card_update;
pub mod client;
mod contacts;
mod content;
pub mod endpoint;
pub mod errcode;
pub mod limits;
pub mod look;
pub mod message;
mod outcome;
mod port;
mod recipients;
mod reply;
pub mod token;

pub use card_update::{CardUpdate, Otherwise};
pub use contacts::{Contacts, TagMembers};
pub use content::{Card, Content, GroupMentions, GroupText, MAX_MENTIONS};
pub use message::Message;
pub use outcome::{
    Api, ApiError, Errcode, InvalidRecipients, Outcome, Receipt, TransportError, TransportErrorKind,
    WecomError,
};
pub use port::WeCom;
pub use recipients::{
    Addressee, BadId, BadRecipients, BadUserId, ChatId, Listed, MAX_PARTIES, MAX_TAGS, MAX_USERS,
    NoRecipient, Recipients, check_ids, check_user_ids, is_mobile, is_separator,
};
