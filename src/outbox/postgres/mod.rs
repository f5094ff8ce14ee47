//! The outbox on PostgreSQL, which several replicas of the relay may share.
//!
//! - A **lease** is a row with a deadline by the server's clock. Its owner dispatches the sender; others wait. A claim holds a
//!   share lock on the row, and a takeover updates it: so a claim is committed before the takeover, which then recovers it, or
//!   it fails. A takeover is the same as a restart. No message outlives the lease of its claim.
//! - A settlement is fenced by the random number of its claim. So the result of a former owner counts until another owner
//!   has recovered the delivery.
//! - The row of an **ordering key** is its lock. Deduplication and order are decided under it, so they hold whichever replica
//!   a webhook reaches. Locks are taken in one order: lease, press, ordering keys by number, deliveries, cards.
//! - One thread runs all sessions: two accept, one claims and settles, one reads, and the keeper renews the leases
//!   and hears wake-ups. Jobs that wait at the same time share a commit.
//! - Relay time is the server's clock, so all replicas agree.
//! - After a commit, NOTIFY wakes the owner of a sender. It also looks by itself every few seconds, so a lost wake-up
//!   costs time only.
//! - Every transaction begins with limits of time and with a planner that only searches indexes (`session`).
//!
//! Each file depends only on those before it: `url`, `tls`, `settings`, `schema_problem`, `error`, `columns`, `session`, `room`, `sender` and
//! `lease_id`; then the operations (`order`, `cards`, `insert`, `job`, `enqueue`, `entry`, `members`, `ending`, `settle`,
//! `followers`, `waiting`, `fold`, `claim`, `hold`, `lease`, `relay_time`, `watches`, `presses`, `purge`, `admin`, `adopt`, `query`); then `leases`,
//! `unused_lease`, `replica`, `schema`, `wakeups`, `worker`, `keeper` and `engine`; then `outbox`, which implements the port.

mod admin;
mod adopt;
mod card_store;
mod cards;
mod claim;
mod columns;
mod ending;
mod engine;
mod enqueue;
mod entry;
mod error;
mod fold;
mod followers;
mod hold;
mod import;
mod insert;
mod inspect;
mod job;
mod keeper;
mod lease;
mod lease_id;
mod leases;
mod members;
mod open_error;
mod order;
mod outbox;
mod presses;
mod purge;
mod query;
mod relay_time;
mod replica;
mod room;
mod schema;
mod schema_problem;
mod sender;
mod session;
mod settings;
mod settle;
mod tls;
mod unused_lease;
mod url;
mod waiting;
mod wakeups;
mod watches;
mod worker;

pub use self::{
    import::{Import, import},
    inspect::{ServerFacts, inspect},
    open_error::OpenError,
    outbox::{PostgresLease, PostgresOutbox},
    replica::{LeaseInfo, Overview, Replica},
    settings::{Access, LeaseTimes, Settings},
    tls::Tls,
    url::{PostgresUrl, Transport, UrlProblem},
};
