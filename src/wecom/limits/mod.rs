//! WeCom's limits for cards, in WeCom's own units.
//!
//! Texts are cut where WeCom would cut them, but visibly. A card that WeCom would refuse is an error. Unknown keys of a
//! template card are kept, so that a key that WeCom adds can be used at once. A card is checked when a notification is
//! accepted and not when it is sent, because after an error a plain text must be sent instead.

mod buttons;
mod card_note;
mod check;
mod fields;
mod template_card;
mod text_card;
mod usage;

pub use card_note::with_note;
pub use check::{CardError, MAX_URL_BYTES};
pub use template_card::{CardLimits, SUB_TITLE, template_card};
pub use text_card::{DESCRIPTION_CHARS, TextCard, text_card};
pub use usage::{BytesUsed, MAX_CONTENT_BYTES, ROBOT_MARKDOWN_BYTES, bytes_used, usage};
