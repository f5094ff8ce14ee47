//! The outbox in one SQLite file.
//!
//! - [`SqliteOutbox::open`] locks the file, so one daemon owns it at a time. The `outbox` command is a guest beside it;
//!   the daemon notices its changes within a second.
//! - One thread writes (`worker`), because SQLite has one writer. Jobs that wait at the same time share a commit. Another
//!   thread runs queries (`reader`).
//! - An acceptance is answered after a flush to disk. Claims and settlements are not flushed one by one: a power failure
//!   may undo those of the last moment, and their deliveries are then sent again with the same bytes. A crash of the
//!   process undoes nothing.
//! - Every statement of normal operation is a search in an index (`plans` checks this), so a million waiting deliveries
//!   cost as little as ten.
//!
//! - A full file system stops acceptance, not delivery: `room` keeps space for claims and settlements.
//!
//! Each file depends only on those before it: `sql`, `columns`, `files`, `history`, `room`, `transaction` and `sender`;
//! then the operations (`order`, `cards`, `enqueue`, `settle`, `fold`, `claim`, `waiting`, `hold`, `relay_time`, `watches`,
//! `presses`, `purge`, `admin`, `adopt`, `query`); then `open`, `lock`, `log_guard`, `read_slot` and `file_guard`; then `worker` and `reader`;
//! then `outbox`, which implements the port. Times are stored in milliseconds.

mod admin;
mod adopt;
mod cards;
mod claim;
mod columns;
mod enqueue;
mod entry;
mod error;
mod export;
mod file_guard;
mod files;
mod fold;
mod history;
mod hold;
mod job;
mod lock;
mod log_guard;
mod open;
mod order;
mod outbox;
#[cfg(test)]
mod plans;
mod presses;
mod purge;
mod query;
mod read_slot;
mod reader;
mod relay_time;
mod room;
mod schema;
mod sender;
mod settle;
mod sql;
mod transaction;
mod waiting;
mod watches;
mod worker;

pub use self::{
    export::{Export, TABLES},
    lock::is_owned,
    open::{Access, OpenError, Settings},
    outbox::{SqliteLease, SqliteOutbox},
};
