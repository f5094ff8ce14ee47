//! Opens the outbox that a configuration names.

use super::store::Store;
use crate::{
    config::{self, Database, Postgres},
    outbox::{
        postgres::{self, PostgresOutbox, Tls},
        sqlite::{self, SqliteOutbox},
    },
};

/// The role of a process that opens the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// The daemon. It creates the outbox if there is none. PostgreSQL may be away; then it is tried again.
    Daemon {
        /// [`config::Config::fingerprint`], by which replicas notice that their configurations differ.
        fingerprint: String,
    },
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

/// Opens the outbox of a configuration. Blocks on locks and on the network.
///
/// # Errors
/// [`OpenError`] says what to do.
pub fn open_outbox(outbox: &config::Outbox, access: Access) -> Result<Store, OpenError> {
    let max_size_bytes = outbox.max_size_bytes;
    match &outbox.database {
        Database::File(path) => {
            let access = match access {
                Access::Daemon { .. } => sqlite::Access::Owner,
                Access::Guest => sqlite::Access::Guest,
            };
            let settings = sqlite::Settings::new(path.clone(), max_size_bytes);
            Ok(SqliteOutbox::open(settings, access)?.into())
        }
        Database::Postgres(database) => {
            let mut settings = postgres_settings(database, max_size_bytes)?;
            let access = match access {
                Access::Daemon { fingerprint } => {
                    settings.config = fingerprint;
                    postgres::Access::Replica
                }
                Access::Guest => postgres::Access::Guest,
            };
            Ok(PostgresOutbox::open(settings, access)?.into())
        }
    }
}

pub(super) fn postgres_settings(
    database: &Postgres,
    max_size_bytes: u64,
) -> Result<postgres::Settings, rustls::Error> {
    let Postgres { url, extra_roots, replica } = database;
    Ok(postgres::Settings::new(url.clone(), Tls::new(extra_roots)?, max_size_bytes, replica.clone()))
}
