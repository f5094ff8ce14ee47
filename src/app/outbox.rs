//! Opens the outbox that a configuration names.

use super::store::Store;
use crate::{
    config::{Config, Database, Postgres},
    outbox::{
        postgres::{self, PostgresOutbox, Tls},
        sqlite::{self, SqliteOutbox},
    },
};

/// The role of a process that opens the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The daemon. It creates the outbox if there is none. PostgreSQL may be away; then it is tried again.
    Daemon,
    /// A command beside the daemon. It creates nothing.
    Guest,
}

/// The reason why the outbox cannot be opened, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    #[error("cannot set up TLS for the outbox: {0}")]
    Tls(#[from] rustls::Error),
}

/// Opens the outbox of `config`. Blocks on locks and on the network.
///
/// # Errors
/// [`OpenError`] says what to do.
pub fn open_outbox(config: &Config, access: Access) -> Result<Store, OpenError> {
    let max_size_bytes = config.outbox.max_size_bytes;
    match &config.outbox.database {
        Database::File(path) => {
            let access = match access {
                Access::Daemon => sqlite::Access::Owner,
                Access::Guest => sqlite::Access::Guest,
            };
            let settings = sqlite::Settings::new(path.clone(), max_size_bytes);
            Ok(Store::Sqlite(SqliteOutbox::open(settings, access)?))
        }
        Database::Postgres(database) => {
            let access = match access {
                Access::Daemon => postgres::Access::Replica,
                Access::Guest => postgres::Access::Guest,
            };
            let config = config.fingerprint();
            let settings = postgres::Settings { config, ..postgres_settings(database, max_size_bytes)? };
            Ok(Store::Postgres(PostgresOutbox::open(settings, access)?))
        }
    }
}

fn postgres_settings(database: &Postgres, max_size_bytes: u64) -> Result<postgres::Settings, rustls::Error> {
    let Postgres { url, extra_roots, replica } = database;
    Ok(postgres::Settings::new(url.clone(), Tls::new(extra_roots)?, max_size_bytes, replica.clone()))
}
