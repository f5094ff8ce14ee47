//! The evidence of an outcome about the sender and about the message.
//!
//! No answer of `gettoken` says anything about a message. A refusal of `message/send` for its content or its recipients
//! shows that the sender works. Everything else is evidence that [`super::circuit_breaker`] weighs.

use std::time::Duration;

use crate::{
    language::Language,
    wecom::{
        Outcome, TransportErrorKind,
        errcode::{self, Class},
    },
};

/// The evidence of one outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// WeCom accepted the message, or refused it for its own sake.
    Works,
    /// The message failed. The outcomes of other messages show if the reason is the sender.
    Fails(Block),
    /// Every message of the sender fails like this one.
    Blocks(Block),
}

/// The reason why messages of a sender fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub kind: BlockKind,
    /// WeCom's errcode, if it answered.
    pub errcode: Option<i64>,
    pub reason: String,
}

/// Kinds of [`Block`]. They differ in the delays between probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// `gettoken` refused the secret.
    RefusedSecret,
    /// Too many calls.
    RateLimited,
    /// The configuration of the app is wrong, here or in WeCom.
    Configuration,
    /// WeCom is busy, cannot be reached, or answers with unknown errcodes.
    Failing,
    /// Requests are sent, and no answers come back. WeCom may have accepted the messages.
    Unanswered,
}

impl BlockKind {
    /// True if the kind is evidence about every message. Otherwise destinations that have not failed may still be tried.
    pub fn concerns_all(self) -> bool {
        matches!(self, Self::RefusedSecret | Self::RateLimited | Self::Configuration)
    }
}

/// The side that a failure is attributed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The sender. The delivery is tried again after this time, and the attempt is not charged to it.
    Sender { retry_in: Duration },
    /// The message or its destination.
    Message {
        /// WeCom accepted other messages of the sender since the delivery failed for the first time.
        others_succeed: bool,
    },
}

/// The evidence of `outcome`.
pub fn evidence(outcome: &Outcome) -> Evidence {
    match errcode::class_of(outcome) {
        None | Some(Class::Message | Class::Recipient) => Evidence::Works,
        Some(Class::Transient | Class::Unknown) if is_unanswered(outcome) => {
            Evidence::Fails(block(BlockKind::Unanswered, outcome))
        }
        Some(Class::Transient | Class::Unknown) => Evidence::Fails(block(BlockKind::Failing, outcome)),
        Some(Class::RateLimited) => Evidence::Blocks(block(BlockKind::RateLimited, outcome)),
        Some(Class::Token | Class::Configuration) if errcode::refuses_secret(outcome) => {
            Evidence::Blocks(block(BlockKind::RefusedSecret, outcome))
        }
        Some(Class::Token | Class::Configuration) => {
            Evidence::Blocks(block(BlockKind::Configuration, outcome))
        }
    }
}

fn is_unanswered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown(fault) if fault.api.sends()
        && matches!(fault.kind, TransportErrorKind::Timeout | TransportErrorKind::Lost))
}

fn block(kind: BlockKind, outcome: &Outcome) -> Block {
    let errcode = match outcome {
        Outcome::Accepted(_) => Some(0),
        Outcome::Rejected(refusal) => Some(refusal.errcode.0),
        Outcome::NotSent(_) | Outcome::Unknown(_) => None,
    };
    let advice = errcode::advice_of(outcome, Language::En).unwrap_or_default();
    let reason = match kind {
        BlockKind::Unanswered => format!(
            "WeCom's answers do not come back, so members may have received messages that the relay still tries: \
             {advice} If WeCom is only slow, set a longer timeout for the app."
        ),
        _ => advice,
    };
    Block { kind, errcode, reason }
}
