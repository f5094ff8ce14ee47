//! From the body of a webhook to a notification for the outbox: parse, render, split, address.
//!
//! The outbox stores rendered messages, not payloads. So a retry is byte-identical, and an edited template cannot
//! break a queued message. A failed template never loses an alert: the built-in text replaces it, with a first line
//! that gives the reason.
//!
//! ```text
//! body ── Intake::parse ──▶ ParsedWebhook ── Intake::render ──▶ RenderedNotification ──▶ outbox
//! ```
//!
//! Everything here is synchronous. The caller bounds the time that templates may take; [`Intake::render_recipients`]
//! and [`Intake::render_builtin`] are for a caller whose time limit has passed.

mod actions;
mod deliveries;
mod draft;
mod failure;
mod identity;
mod interactive;
mod mentions;
mod message;
mod parse;
mod receiver;
mod recipients;
mod render;
mod test_message;

pub use self::{
    actions::{Actions, Button, ButtonAction, ButtonEffect, Repeats, UnknownButton},
    deliveries::text_deliveries,
    draft::{
        Draft, DraftAudience, DraftError, DraftKind, DraftMessage, DraftOutcome, DraftProblem, DraftReceiver,
        DraftSource,
    },
    failure::TemplateFailure,
    interactive::resolved_text,
    parse::{Intake, NothingToSend, ParseError, Parsed, ParsedWebhook, Settings},
    receiver::{Address, Fallback, JsonTemplate, MentionList, Mentions, MessageType, Receiver},
    recipients::RecipientError,
    render::RenderedNotification,
};
