//! Keeps the daemon and the files of the outbox together while operators move, delete or replace them.
//!
//! - When the database file is no longer at its path, new alerts are refused, because a restart would not find them.
//!   Deliveries in the open file are still sent. Then the file that is at the path, or a new one, is used.
//! - When the log (`-wal`) or its index (`-shm`) is no longer at its path, everything is copied from the open log into the
//!   database file before anything else happens, because a restart would not find the log.
//! - When the lock file was deleted, the relay locks the outbox again. Nothing is written while another process owns
//!   the outbox.
//! - When the file system is full at the start, the outbox stays closed, and is opened as soon as there is space.

use std::path::Path;

use rusqlite::Connection;

use super::{
    error::{EngineError, EngineResult},
    files::{FileId, Files},
    lock::Lock,
    log_guard::{self, Loss},
    open::{self, Access, Database, OpenError, Settings},
    read_slot::{ReadSlot, Source},
    sql::Sql,
};

// An ordering key with an unsettled delivery has a head, or a digest that has one.
pub(super) const HAS_UNSETTLED: &str = "SELECT 1 FROM delivery WHERE settled_at IS NULL
     UNION ALL SELECT 1 FROM press WHERE settled_at IS NULL LIMIT 1";

/// Opens the database, and opens it again when it must be.
#[derive(Debug)]
pub(super) struct FileGuard {
    settings: Settings,
    access: Access,
    /// Closed before `database`.
    reads: ReadSlot,
    database: Option<Database>,
    /// True if an empty database may be created: at first, or because the former one was empty.
    may_create: bool,
    /// The owner's locks. There are two after the lock file was moved away: the old one still guards the open file.
    locks: Vec<Lock>,
    last_file: Option<FileId>,
    /// The loss of the log that was reported last.
    reported: Option<Loss>,
    generation: u64,
}

/// An open database.
pub(super) struct Current<'g> {
    pub(super) database: &'g Database,
    /// True if the file is not at its path any more.
    pub(super) is_moved: bool,
}

impl FileGuard {
    /// Locks and opens the outbox for the first time. The owner gets an outbox that is not open yet if the file system
    /// is full.
    pub(super) fn open(settings: Settings, access: Access, reads: ReadSlot) -> Result<Self, OpenError> {
        let mut guard = Self {
            settings,
            access,
            reads,
            database: None,
            may_create: access == Access::Owner,
            locks: Vec::new(),
            last_file: None,
            reported: None,
            generation: 0,
        };
        match guard.lock_again().and_then(|()| guard.open_again()) {
            Ok(()) => {}
            Err(error @ OpenError::NoSpace { .. }) if access == Access::Owner => {
                tracing::error!(%error, "waiting for space; alerts are answered with 503 until the outbox is open");
            }
            Err(error) => return Err(error),
        }
        Ok(guard)
    }

    /// The open database, opened again if necessary.
    pub(super) fn current(&mut self) -> EngineResult<Current<'_>> {
        let path = self.settings.path.as_path();
        let mut is_moved = self.database.as_ref().is_some_and(|database| !database.is_at(path));
        if let Some(database) = &self.database
            && is_moved
            && !Sql::new(&database.connection).exists(HAS_UNSETTLED, [])?
        {
            self.close();
            (self.may_create, is_moved) = (self.access == Access::Owner, false);
        }
        match self.lock_again() {
            Ok(()) => {}
            // Deliveries in the open file are sent, although its directory was moved away.
            Err(error) if self.database.is_some() && !matches!(error, OpenError::Owned { .. }) => {
                tracing::debug!(%error, "the outbox cannot be locked again yet");
            }
            Err(error) => return Err(error.store_error().into()),
        }
        if !is_moved {
            self.keep_log()?;
        }
        if self.database.is_none() {
            self.open_again().map_err(|error| error.store_error())?;
        }
        match &self.database {
            Some(database) => Ok(Current { database, is_moved }),
            None => Err(EngineError::unreadable("the outbox", "closed")),
        }
    }

    /// Saves the content of a log that is no longer at its path.
    fn keep_log(&mut self) -> EngineResult<()> {
        let Some(Database { connection, files: Some(files), .. }) = &self.database else { return Ok(()) };
        files.restore_index();
        let Some(loss) = log_guard::find_loss(connection, files)? else { return Ok(()) };
        if self.reported.as_ref() != Some(&loss) {
            loss.report();
            self.reported = Some(loss.clone());
        }
        log_guard::save(connection, files, &loss)?;
        let path = files.main.path().to_owned();
        self.reported = None;
        self.close();
        let removed = Files::remove_log(&path);
        removed.map_err(|error| OpenError::of_system(&path, &error).store_error())?;
        // A rescued copy is the same outbox.
        self.last_file = FileId::of(&path).ok();
        self.open_again().map_err(|error| error.store_error())?;
        tracing::info!("the outbox was opened again with a new log");
        Ok(())
    }

    fn open_again(&mut self) -> Result<(), OpenError> {
        self.locks.iter().for_each(Lock::release_space);
        let opened = Database::open(&self.settings, self.access, self.may_create)?;
        self.locks.iter().for_each(Lock::take_space);
        if self.access == Access::Owner && self.last_file.is_some_and(|last| last != opened.file()) {
            tracing::warn!(
                path = %self.settings.path.display(),
                "the outbox file was replaced; the relay uses the file that is there now, and no longer recognizes \
                 duplicates of earlier notifications"
            );
        }
        self.may_create = false;
        self.last_file = Some(opened.file());
        self.generation += 1;
        self.locks.retain(|lock| lock.guards(&self.settings.path));
        self.reads.open(Source {
            settings: self.settings.clone(),
            file: opened.file(),
            files: opened.files.clone(),
        });
        self.database = Some(opened);
        Ok(())
    }

    /// Takes the owner's lock again if no lock keeps others out.
    fn lock_again(&mut self) -> Result<(), OpenError> {
        let path = self.settings.path.as_path();
        let is_open = self.database.is_some();
        let keeps_others_out = |lock: &Lock| lock.is_in_place() && (is_open || lock.guards(path));
        if self.access == Access::Guest || self.locks.iter().any(keeps_others_out) {
            return Ok(());
        }
        if self.may_create {
            open::make_directory(path)?;
        }
        self.locks.push(Lock::take(&self.settings)?);
        Ok(())
    }

    /// Closes the database, so that the next use opens it again.
    pub(super) fn close(&mut self) {
        self.reads.close();
        self.database = None;
    }

    /// The open database, if there is one.
    pub(super) fn opened(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// The connection of the open database, if there is one.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.database.as_ref().map(|database| &database.connection)
    }

    /// Changes each time the database is opened again.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The file that was opened last.
    pub(super) fn file(&self) -> Option<FileId> {
        self.last_file
    }

    pub(super) fn max_size_bytes(&self) -> u64 {
        self.settings.max_size_bytes
    }

    pub(super) fn path(&self) -> &Path {
        &self.settings.path
    }

    pub(super) fn is_owner(&self) -> bool {
        self.access == Access::Owner
    }
}
