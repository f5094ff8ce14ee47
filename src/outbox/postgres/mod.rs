//! The outbox on PostgreSQL, which several replicas of the relay may share.

mod open_error;
mod outbox;
mod settings;
mod tls;
mod url;

pub use self::{
    open_error::OpenError,
    outbox::{PostgresLease, PostgresOutbox},
    settings::{Access, LeaseTimes, Settings},
    tls::Tls,
    url::{PostgresUrl, Transport, UrlProblem},
};
