//! Moves an outbox from a file of SQLite into a database of PostgreSQL: all of it, or nothing.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    clock::relay_clock,
    outbox::{Access, OpenError, open_outbox, postgres_settings},
};
use crate::{
    clock::{Clock as _, SystemClock},
    config::{self, Database},
    outbox::{
        postgres::import,
        sqlite::{self, Export, SqliteOutbox, TABLES},
    },
};

/// The rows in one statement.
const BATCH: usize = 500;

/// The reason why an outbox was not moved. Nothing has changed, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("outbox.url is not set: name the PostgreSQL database in the configuration first")]
    NoTarget,
    #[error("nothing is moved: the file cannot be read: {0}")]
    Read(String),
    #[error("nothing is moved into {target}: {reason}")]
    Write { target: String, reason: String },
    #[error(
        "everything is moved, but {file} cannot be renamed: {reason}; move it away yourself, so that nobody uses it again"
    )]
    Rename { file: PathBuf, reason: std::io::Error },
}

/// The rows of a table that were moved.
pub struct Moved {
    pub table: &'static str,
    pub rows: i64,
}

/// Moves the outbox in the file `from` into the database of `outbox`, and renames the file. `progress` gets each table when
/// it is copied.
///
/// # Errors
/// A daemon has the file, a replica or rows are in the database, or one of the two does not answer.
pub async fn move_outbox(
    from: &Path,
    outbox: &config::Outbox,
    mut progress: impl FnMut(Moved),
) -> Result<PathBuf, TransferError> {
    let Database::Postgres(database) = &outbox.database else { return Err(TransferError::NoTarget) };
    let settings = postgres_settings(database, outbox.max_size_bytes).map_err(OpenError::from)?;
    // An owner migrates the file, and no daemon can open it meanwhile. A guest first, because an owner creates a missing file.
    let file = sqlite::Settings::new(from.to_owned(), u64::MAX);
    let guest = SqliteOutbox::open(file.clone(), sqlite::Access::Guest);
    match guest {
        Ok(guest) => guest.close().await,
        Err(sqlite::OpenError::Older { .. }) => {}
        Err(error) => return Err(OpenError::from(error).into()),
    }
    let source = SqliteOutbox::open(file, sqlite::Access::Owner).map_err(OpenError::from)?;
    // A daemon creates the schema.
    let target = outbox.clone();
    let fingerprint = String::new();
    let created =
        tokio::task::spawn_blocking(move || open_outbox(&target, Access::Daemon { fingerprint })).await;
    created.map_err(|error| TransferError::Read(error.to_string()))??.close().await;
    let clock = relay_clock(&source, Arc::new(SystemClock)).await;
    let relay_time = clock.map_err(|error| TransferError::Read(error.to_string()))?.now();
    let export = Export::open(from).map_err(TransferError::Read)?;
    let filled = import(&settings, async |import| {
        for table in TABLES {
            export.rows(table, BATCH, async |rows| import.add(table, rows).await).await?;
            let (read, written) = (export.count(table)?, import.count(table).await?);
            if read != written {
                return Err(format!("{table} has {read} rows in the file and {written} in the database"));
            }
            progress(Moved { table, rows: read });
        }
        import.finish(export.last_number()?, relay_time).await
    });
    filled.await.map_err(|reason| TransferError::Write { target: settings.url.to_string(), reason })?;
    drop(export);
    source.close().await;
    let mut moved = from.as_os_str().to_owned();
    moved.push(".moved");
    let moved = PathBuf::from(moved);
    std::fs::rename(from, &moved)
        .map_err(|reason| TransferError::Rename { file: from.to_owned(), reason })?;
    Ok(moved)
}
