//! The outbox on PostgreSQL, which several replicas of the relay may share.

mod admin;
mod adopt;
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
mod insert;
mod job;
mod keeper;
mod lease;
mod leases;
mod members;
mod open_error;
mod order;
mod outbox;
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
mod url;
mod waiting;
mod wakeups;
mod worker;

pub use self::{
    leases::Takeover,
    open_error::OpenError,
    outbox::{PostgresLease, PostgresOutbox, ReplicaStatus},
    replica::{LeaseInfo, Overview, Replica},
    settings::{Access, LeaseTimes, Settings},
    tls::Tls,
    url::{PostgresUrl, Transport, UrlProblem},
};
