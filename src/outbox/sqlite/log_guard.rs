//! Finds out that the log of the open database was removed, replaced or cut off, and saves its content.

use std::fs::{self, File, OpenOptions};

use rusqlite::Connection;

use super::{
    error::EngineResult,
    files::{Files, PAGE_BYTES},
    open::{OpenError, flush_parent, private},
    sql::Sql,
};
use crate::outbox::StoreError;

/// The file header of the log, and the header of each of its pages.
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_BYTES: u64 = PAGE_BYTES + 24;

/// The way in which a file was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loss {
    /// The file is not at its path. The open file still has everything.
    Removed(String),
    /// The end of the log is missing.
    CutOff,
}

impl Loss {
    pub(super) fn report(&self) {
        let what = match self {
            Self::Removed(path) => format!("{path} was removed or replaced"),
            Self::CutOff => "its log was emptied".to_owned(),
        };
        tracing::error!(
            what,
            "a file of the outbox was touched while the relay runs; its content is saved now. Stop the relay before \
             you touch its files"
        );
    }
}

/// The result of a checkpoint.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// The number of pages in the log.
    pages: u64,
    /// The number of them that are in the database file, too.
    copied: u64,
}

impl Checkpoint {
    /// True if the database file has everything.
    pub(super) fn is_complete(&self) -> bool {
        self.pages == self.copied
    }
}

/// Runs a checkpoint in `mode`.
pub(super) fn checkpoint(sql: Sql<'_>, mode: &str) -> EngineResult<Checkpoint> {
    sql.only(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let (pages, copied) = (row.get::<_, i64>("log")?, row.get::<_, i64>("checkpointed")?);
        Ok(Checkpoint {
            pages: u64::try_from(pages).unwrap_or(0),
            copied: u64::try_from(copied).unwrap_or(0),
        })
    })
}

pub(super) fn find_loss(connection: &Connection, files: &Files) -> EngineResult<Option<Loss>> {
    let missing = [&files.log, &files.index].into_iter().find(|file| !file.is_in_place());
    if let Some(file) = missing {
        return Ok(Some(Loss::Removed(file.path().display().to_string())));
    }
    let len = files.log.len().unwrap_or(0);
    // A log that was emptied during a transaction is extended again, and then it begins with zeros.
    let has_beginning = files.log.has_beginning().unwrap_or(false);
    if has_beginning && len >= files.sizes.log_bytes {
        return Ok(None);
    }
    // Another program may shorten the log after it has copied it.
    let Checkpoint { pages, .. } = checkpoint(Sql::new(connection), "NOOP")?;
    let is_cut_off = !has_beginning || LOG_HEADER_BYTES + pages * FRAME_BYTES > len;
    Ok((pages > 0 && is_cut_off).then_some(Loss::CutOff))
}

/// Saves everything that only the open log has.
pub(super) fn save(connection: &Connection, files: &Files, loss: &Loss) -> EngineResult<()> {
    let sql = Sql::new(connection);
    match loss {
        Loss::Removed(path) => {
            if checkpoint(sql, "FULL")?.is_complete() {
                return Ok(());
            }
            let reason =
                format!("{path} was removed, and another process reads the outbox; end that process");
            Err(StoreError::Unavailable(reason).into())
        }
        Loss::CutOff if checkpoint(sql, "NOOP")?.is_complete() => Ok(()),
        Loss::CutOff => {
            if let Err(error) = rescue(connection, files) {
                tracing::error!(
                    error = %error.store_error(),
                    "the outbox has lost its last changes: alerts that were accepted may be missing, and messages \
                     that were sent may be sent again"
                );
            }
            Ok(())
        }
    }
}

/// Writes a copy of the database from the memory of the connection, which has the pages that changed last.
fn rescue(connection: &Connection, files: &Files) -> EngineResult<()> {
    let path = files.main.path();
    let mut copy = path.as_os_str().to_owned();
    copy.push("-rescued");
    let system = |error: std::io::Error| OpenError::of_system(path, &error).store_error();
    private(OpenOptions::new().create(true).truncate(true).write(true)).open(&copy).map_err(system)?;
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    File::open(&copy).and_then(|file| file.sync_all()).map_err(system)?;
    fs::rename(&copy, path).map_err(system)?;
    flush_parent(path);
    Ok(())
}
