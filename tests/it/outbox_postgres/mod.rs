//! The PostgreSQL engine on a real server.

use std::{sync::OnceLock, time::Duration};

use wecom_relay::{
    outbox::{
        Outbox as _, Sharing, Takeovers,
        postgres::{Access, LeaseTimes, PostgresOutbox, PostgresUrl, Settings, Tls},
    },
    secret::Secret,
    tls::ExtraRoots,
};

use crate::{
    outbox_conformance::{conformance, fixture::ops},
    support::postgres::{database_of, shared},
};

mod claims;
mod dispatch;
mod leases;
mod login;
mod plans;
mod server;

conformance!(fresh);

/// Leases that are short enough for a test and long enough for a busy machine.
pub(crate) const SHORT: LeaseTimes = LeaseTimes {
    ttl: Duration::from_millis(1500),
    renewal: Duration::from_millis(300),
    margin: Duration::from_millis(200),
};

/// The part of this outbox among those that share its database.
fn sharing(outbox: &PostgresOutbox) -> Sharing {
    outbox.sharing().unwrap()
}

/// One lease of `ops` that was taken over.
fn taken(is_expired: bool) -> Takeovers {
    Takeovers { sender: ops(), count: 1, is_expired }
}

/// The URL of a database with the schema of the relay.
pub(crate) fn database() -> String {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let url = shared().database();
        let opened = open(&url, LeaseTimes::default());
        let runtime = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(opened.close());
        });
        runtime.join().unwrap();
        url
    });
    shared().copy_of(database_of(template))
}

pub(crate) fn settings(url: &str, lease: LeaseTimes) -> Settings {
    let url = PostgresUrl::parse(&Secret::new(url)).unwrap();
    let tls = Tls::new(&ExtraRoots::default()).unwrap();
    Settings { lease, ..Settings::new(url, tls, 1 << 30, "test".to_owned()) }
}

pub(crate) fn open(url: &str, lease: LeaseTimes) -> PostgresOutbox {
    PostgresOutbox::open(settings(url, lease), Access::Replica).unwrap()
}

/// An outbox in a database of its own.
pub(crate) fn fresh() -> (PostgresOutbox, String) {
    let url = database();
    (open(&url, LeaseTimes::default()), url)
}
