//! The engine of the outbox on PostgreSQL, in the process of the bench.

use wecom_relay::{
    outbox::postgres::{Access, PostgresOutbox, PostgresUrl, Settings, Tls},
    secret::Secret,
    tls::ExtraRoots,
};

use crate::setup::MAX_SIZE;

pub(super) fn open(url: &str) -> PostgresOutbox {
    let parsed = PostgresUrl::parse(&Secret::new(url)).unwrap();
    let tls = Tls::new(&ExtraRoots::default()).unwrap();
    let settings = Settings::new(parsed, tls, MAX_SIZE, "bench".to_owned());
    PostgresOutbox::open(settings, Access::Replica).unwrap()
}
