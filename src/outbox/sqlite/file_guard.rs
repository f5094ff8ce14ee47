//! Keeps the daemon and the outbox file together while operators move, delete or replace files.
//!
//! - When the file is no longer at its path, new alerts are refused, because a restart would not find them. Deliveries in
//!   the open file are still sent. Then the file that is at the path, or a new one, is used.
//! - When the lock file was deleted, the relay locks the outbox again. Nothing is written while another process owns
//!   the outbox.

use std::path::Path;

use super::{
    error::EngineResult,
    lock::Lock,
    open::{self, Access, Database, FileId, OpenError, Settings},
    sql::Sql,
};

// An ordering key with an unsettled delivery has a head, or a digest that has one.
pub(super) const HAS_UNSETTLED: &str = "SELECT 1 FROM delivery WHERE settled_at IS NULL LIMIT 1";

/// Opens the database, and opens it again when it must be.
#[derive(Debug)]
pub(super) struct FileGuard {
    settings: Settings,
    access: Access,
    database: Option<Database>,
    /// True if an empty database may be created, because the former one was empty.
    may_create: bool,
    /// The owner's locks. There are two after the lock file was moved away: the old one still guards the open file.
    locks: Vec<Lock>,
    last_file: FileId,
    generation: u64,
}

/// An open database.
pub(super) struct Current<'g> {
    pub(super) database: &'g Database,
    /// True if the file is not at its path any more.
    pub(super) is_moved: bool,
}

impl FileGuard {
    /// Locks and opens the outbox for the first time.
    pub(super) fn open(settings: Settings, access: Access) -> Result<Self, OpenError> {
        let mut locks = Vec::new();
        if access == Access::Owner {
            open::make_directory(&settings.path)?;
            locks.push(Lock::take(&settings)?);
        }
        let database = Database::open(&settings, access, access == Access::Owner)?;
        let last_file = database.file();
        Ok(Self {
            settings,
            access,
            database: Some(database),
            may_create: false,
            locks,
            last_file,
            generation: 0,
        })
    }

    /// The open database, opened again if necessary.
    pub(super) fn current(&mut self) -> EngineResult<Current<'_>> {
        let path = self.settings.path.as_path();
        let mut is_moved = self.database.as_ref().is_some_and(|database| !database.is_at(path));
        if let Some(database) = &self.database
            && is_moved
            && !Sql::new(&database.connection).exists(HAS_UNSETTLED, [])?
        {
            (self.database, self.may_create, is_moved) = (None, self.access == Access::Owner, false);
        }
        match self.lock_again() {
            Ok(()) => {}
            // Deliveries in the open file are sent, although its directory was moved away.
            Err(error) if self.database.is_some() && !matches!(error, OpenError::Owned { .. }) => {
                tracing::debug!(%error, "the outbox cannot be locked again yet");
            }
            Err(error) => return Err(error.store_error().into()),
        }
        let database = match self.database.take() {
            Some(database) => database,
            None => self.open_again()?,
        };
        self.may_create = false;
        Ok(Current { database: self.database.insert(database), is_moved })
    }

    fn open_again(&mut self) -> EngineResult<Database> {
        let opened = Database::open(&self.settings, self.access, self.may_create)
            .map_err(|error| error.store_error())?;
        if self.access == Access::Owner && opened.file() != self.last_file {
            tracing::warn!(
                path = %self.settings.path.display(),
                "the outbox file was replaced; the relay uses the file that is there now, and no longer recognizes \
                 duplicates of earlier notifications"
            );
        }
        self.last_file = opened.file();
        self.generation += 1;
        self.locks.retain(|lock| lock.guards(&self.settings.path));
        Ok(opened)
    }

    /// Takes the owner's lock again if no lock keeps others out.
    fn lock_again(&mut self) -> Result<(), OpenError> {
        let path = self.settings.path.as_path();
        let is_open = self.database.is_some();
        let keeps_others_out = |lock: &Lock| lock.is_in_place() && (is_open || lock.guards(path));
        if self.locks.is_empty() || self.locks.iter().any(keeps_others_out) {
            return Ok(());
        }
        if self.may_create {
            open::make_directory(path)?;
        }
        self.locks.push(Lock::take(&self.settings)?);
        Ok(())
    }

    /// Closes the database, so that the next use opens it again.
    pub(super) fn drop_connection(&mut self) {
        self.database = None;
    }

    /// The open database, if there is one.
    pub(super) fn opened(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// Changes each time the database is opened again.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The file that was opened last.
    pub(super) fn file(&self) -> FileId {
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
