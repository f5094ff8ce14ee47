//! The meaning of an errcode: its class decides what happens to the delivery, its advice tells an operator what to do.
//!
//! The knowledge is a table, and [`class_of`] classifies every outcome of a send.

mod advice;
mod chinese;
mod class;
mod entry;
mod fixes;
mod table;

pub use advice::{advice, advice_of, seen_ip, transport_advice};
pub use chinese::chinese;
pub(super) use class::is_token_refused;
pub use class::{
    class_of, entries, entries_by_api, entry_of, is_card_gone, is_secret_refused, is_task_id_refused, lookup,
    may_depend_on_content, refuses_secret,
};
pub use entry::{Class, Entry, NOT_TRUSTED, Source};
