//! The connection for queries. The reader uses it. The worker closes it before it opens the database again, because
//! all connections of a process share SQLite's index of the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::{
    error::{EngineError, EngineResult},
    files::{FileId, Files},
    open::{self, Settings},
};
use crate::outbox::StoreError;

/// The place of the connection. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadSlot(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    connection: Option<Connection>,
    source: Option<Source>,
}

/// The database that the worker has open.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) settings: Settings,
    pub(super) file: FileId,
    pub(super) files: Option<Arc<Files>>,
}

impl ReadSlot {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses the database that the worker has opened. An error is left to the next query.
    pub(super) fn open(&self, source: Source) {
        let mut slot = self.lock();
        *slot = Slot { connection: None, source: Some(source) };
        if let Err(error) = slot.connect() {
            tracing::debug!(error = %error.store_error(), "the outbox cannot be opened for queries yet");
        }
    }

    /// Closes the connection until the worker has opened the database again.
    pub(super) fn close(&self) {
        *self.lock() = Slot::default();
    }

    /// Runs `query` on the connection. The connection is opened again after an error that it may remember.
    pub(super) fn query<T>(&self, query: impl FnOnce(&Connection) -> EngineResult<T>) -> EngineResult<T> {
        let mut slot = self.lock();
        let answer = slot.connect().and_then(query);
        if answer.as_ref().is_err_and(EngineError::spoils_connection) {
            slot.connection = None;
        }
        answer
    }
}

impl Slot {
    fn connect(&mut self) -> EngineResult<&Connection> {
        let Some(source) = &self.source else {
            return Err(StoreError::Unavailable("its file is not open".to_owned()).into());
        };
        if let Some(files) = &source.files {
            files.restore_index();
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => source.connect()?,
        };
        Ok(self.connection.insert(connection))
    }
}

impl Source {
    /// Another file at the path is not the outbox that the worker has open.
    fn connect(&self) -> EngineResult<Connection> {
        let path = &self.settings.path;
        let is_at_path = || FileId::of(path).is_ok_and(|file| file == self.file);
        let moved = || StoreError::Unavailable("its file was deleted or replaced".to_owned());
        if !is_at_path() {
            return Err(moved().into());
        }
        let connection = open::open_read_only(&self.settings).map_err(|error| error.store_error())?;
        if is_at_path() { Ok(connection) } else { Err(moved().into()) }
    }
}
