//! The outbox on PostgreSQL, which several replicas of the relay may share.

mod tls;
mod url;

pub use self::{
    tls::Tls,
    url::{PostgresUrl, Transport, UrlProblem},
};
