//! Opens the database: the directory, the file, the connection and its settings.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{
    error::{EngineError, no_space},
    files::{self, FileId, Files, Sizes},
    schema::{self, Found},
};
use crate::outbox::StoreError;

/// The location and the limits of an outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub path: PathBuf,
    /// New alerts are refused from this size on (`outbox.max_size`).
    pub max_size_bytes: u64,
    /// The time to wait while another process writes.
    pub busy_timeout: Duration,
}

impl Settings {
    /// The settings of a daemon.
    pub fn new(path: PathBuf, max_size_bytes: u64) -> Self {
        // Longer than any transaction of the `outbox` command, shorter than Alertmanager's time-out.
        Self { path, max_size_bytes, busy_timeout: Duration::from_secs(5) }
    }
}

/// The role of a process that opens the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The daemon. It creates the file if there is none.
    Owner,
    /// A command beside the daemon. It creates nothing and takes no lock.
    Guest,
}

/// The reason why the outbox cannot be opened, and what to do. The text is complete; there is no source error.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory does not exist and cannot be created.
    #[error(
        "cannot create the directory {path} of the outbox: {reason}; create it for this user, or set `outbox.path`"
    )]
    Directory { path: PathBuf, reason: io::Error },
    /// The lock file cannot be used.
    #[error("cannot lock {path}: {reason}; this user must be able to write there")]
    Lock { path: PathBuf, reason: io::Error },
    /// Another process owns the outbox.
    #[error("another `serve` uses this outbox: it holds {lock}; stop it, or set another `outbox.path`")]
    Owned { lock: PathBuf },
    /// There is no file.
    #[error("there is no outbox at {path}; `serve` creates it: is `outbox.path` the daemon's?")]
    Missing { path: PathBuf },
    /// The user may not read and write the file.
    #[error("cannot read and write {path}: {reason}; this user must own it and its directory")]
    Permission {
        path: PathBuf,
        /// The error of SQLite or of the system.
        reason: String,
    },
    /// The path is a directory.
    #[error("{path} is a directory; add the name of a file to `outbox.path`, such as {path}/outbox.db")]
    IsDirectory { path: PathBuf },
    /// The file is damaged, or it is not an outbox.
    #[error("{path} is not an outbox: {reason}; move it away, or set another `outbox.path`")]
    NotAnOutbox { path: PathBuf, reason: String },
    /// A newer version of the program wrote the file.
    #[error("{path} has schema version {found}, this program knows {known}: run the newer program")]
    Newer {
        path: PathBuf,
        found: i64,
        /// This program's version.
        known: i64,
    },
    /// An older version of the program wrote the file, and only the owner may migrate it.
    #[error(
        "{path} has schema version {found}, this program needs {known}: start this version's `serve` once"
    )]
    Older {
        path: PathBuf,
        found: i64,
        /// This program's version.
        known: i64,
    },
    /// The file system is full. The daemon waits until it has space.
    #[error(
        "cannot open the outbox {path}: no space left on its file system ({reason}); free some space there"
    )]
    NoSpace {
        path: PathBuf,
        /// The error of SQLite or of the system.
        reason: String,
    },
    /// The disk, a lock or memory prevents it.
    #[error("cannot open the outbox {path}: {reason}")]
    Unavailable {
        path: PathBuf,
        /// The error of SQLite or of the system.
        reason: String,
    },
}

impl OpenError {
    /// The same error for a caller of an outbox that was open before.
    pub(super) fn store_error(&self) -> StoreError {
        match self {
            Self::NotAnOutbox { .. } | Self::Newer { .. } | Self::Older { .. } => {
                StoreError::Damaged(self.to_string())
            }
            Self::NoSpace { reason, .. } => StoreError::Full(no_space(reason)),
            _ => StoreError::Unavailable(self.to_string()),
        }
    }

    /// The error of the system for the file at `path`.
    pub(super) fn of_system(path: &Path, error: &io::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        if is_no_space(error) { Self::NoSpace { path, reason } } else { Self::Unavailable { path, reason } }
    }

    fn of(path: &Path, error: rusqlite::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::NoSpace { path, reason },
            // SQLite cannot extend its shared memory.
            Some(ErrorCode::SystemIoFailure) if files::is_full(&path, files::INDEX_BYTES) => {
                Self::NoSpace { path, reason }
            }
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::Permission { path, reason }
            }
            _ => match EngineError::Sql(error).store_error() {
                StoreError::Damaged(_) => Self::NotAnOutbox { path, reason },
                _ => Self::Unavailable { path, reason },
            },
        }
    }
}

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) connection: Connection,
    /// The files, for the owner. They are closed after the connection.
    pub(super) files: Option<Arc<Files>>,
    file: FileId,
}

impl Database {
    /// Opens the database. The owner also migrates it.
    ///
    /// Unless `may_create` is set, a missing file is an error: when a disk is not mounted, an empty database in its place
    /// would hide the deliveries on the disk.
    pub(super) fn open(settings: &Settings, access: Access, may_create: bool) -> Result<Self, OpenError> {
        let path = settings.path.as_path();
        let failed = |error| OpenError::of(path, error);
        if path.is_dir() {
            return Err(OpenError::IsDirectory { path: path.to_owned() });
        }
        if may_create {
            create(path)?;
        } else {
            // A directory that this user may not enter hides the file.
            let exists = path.try_exists();
            let denied =
                |error: io::Error| OpenError::Permission { path: path.to_owned(), reason: error.to_string() };
            if !exists.map_err(denied)? {
                return Err(OpenError::Missing { path: path.to_owned() });
            }
        }
        let mut connection = connect(settings, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
        let found = schema::look(&connection).map_err(failed)?;
        let version = check_version(path, found, access)?;
        configure(&connection).map_err(failed)?;
        let system = |error: io::Error| OpenError::of_system(path, &error);
        if access == Access::Guest {
            let file = FileId::of(path).map_err(system)?;
            return Ok(Self { connection, files: None, file });
        }
        // These two settings only work before the first table is created.
        let before_tables = "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL";
        connection.execute_batch(before_tables).map_err(failed)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).map_err(failed)?;
        let sizes = Sizes::new(path, settings.max_size_bytes);
        limit_log(&connection, sizes).map_err(failed)?;
        schema::migrate(&mut connection, version).map_err(failed)?;
        // SQLite creates its log with the first read.
        schema::look(&connection).map_err(failed)?;
        let files = Files::open(path, sizes).map_err(system)?;
        let file = files.main.id();
        Ok(Self { connection, files: Some(Arc::new(files)), file })
    }

    /// The file that is open.
    pub(super) fn file(&self) -> FileId {
        self.file
    }

    /// True if the path still leads to the open file. Otherwise its commits would be lost at a restart.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        FileId::of(path).is_ok_and(|file| file == self.file)
    }
}

/// Opens a connection for queries only, to a database that the worker has open.
pub(super) fn open_read_only(settings: &Settings) -> Result<Connection, OpenError> {
    let failed = |error| OpenError::of(&settings.path, error);
    let connection = connect(settings, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    connection.execute_batch("PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY").map_err(failed)?;
    // SQLite opens its log with the first read.
    schema::look(&connection).map_err(failed)?;
    Ok(connection)
}

fn connect(settings: &Settings, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&settings.path, flags)?;
    connection.busy_timeout(settings.busy_timeout)?;
    // The log keeps its space when the last connection is closed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// The schema version of the database, 0 for an empty one.
fn check_version(path: &Path, found: Found, access: Access) -> Result<i64, OpenError> {
    let (path, known) = (path.to_owned(), schema::VERSION);
    match (found, access) {
        (Found::Empty, Access::Guest) => Err(OpenError::Missing { path }),
        (Found::Empty, Access::Owner) => Ok(0),
        (Found::Foreign, _) => {
            let reason = "it is another program's database".to_owned();
            Err(OpenError::NotAnOutbox { path, reason })
        }
        (Found::Outbox(found), _) if found > known => Err(OpenError::Newer { path, found, known }),
        (Found::Outbox(found), Access::Guest) if found < known => {
            Err(OpenError::Older { path, found, known })
        }
        (Found::Outbox(found), _) => Ok(found),
    }
}

/// Sets the connection up for durable commits.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // Plans must not depend on values. Otherwise each new value at a partial index has its statement planned again.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA cache_size = -4096;
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF",
    )
}

/// Copies the log into the database file before it outgrows its space, and never makes it shorter than that.
fn limit_log(connection: &Connection, sizes: Sizes) -> rusqlite::Result<()> {
    let (limit, pages) = (sizes.log_bytes.cast_signed(), sizes.checkpoint_pages().cast_signed());
    connection.pragma_update_and_check(None, "journal_size_limit", limit, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))
}

/// Creates an empty file for this user alone. SQLite gives its other files the same mode. An existing file is not
/// opened, because closing it would drop the locks that SQLite holds on it in this process.
fn create(path: &Path) -> Result<(), OpenError> {
    make_directory(path)?;
    match private(OpenOptions::new().create_new(true).write(true)).open(path) {
        Ok(_) => {
            keep_log_of_lost_file(path)?;
            flush_parent(path);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if is_no_space(&error) => Err(OpenError::of_system(path, &error)),
        Err(error) => Err(OpenError::Permission { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// Renames the log that lies beside a new database, because SQLite would delete it. Somebody deleted or moved the database.
fn keep_log_of_lost_file(path: &Path) -> Result<(), OpenError> {
    let log = files::log_path(path);
    if !log.metadata().is_ok_and(|metadata| metadata.len() > 0) {
        return Ok(());
    }
    let kept = files::with_suffix(path, "-wal.orphaned");
    fs::rename(&log, &kept).map_err(|error| OpenError::of_system(&log, &error))?;
    tracing::error!(
        path = %path.display(),
        kept = %kept.display(),
        "the outbox is missing, although its log is there, so a new outbox begins; if outbox.db was moved, stop the relay, \
         and put both files back under their names"
    );
    Ok(())
}

/// Creates the directory of the file at `path`, for this user alone. New directories survive a power failure.
pub(super) fn make_directory(path: &Path) -> Result<(), OpenError> {
    let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    let missing: Vec<&Path> = directory.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|reason| match is_no_space(&reason) {
        true => OpenError::of_system(path, &reason),
        false => OpenError::Directory { path: directory.to_owned(), reason },
    })?;
    for directory in missing {
        flush_parent(directory);
    }
    Ok(())
}

/// Writes the entry of `path` in its directory to disk. Some file systems cannot do that, and do not need it.
pub(super) fn flush_parent(path: &Path) {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let flushed = File::open(parent.unwrap_or(Path::new("."))).and_then(|parent| parent.sync_all());
    if let Err(error) = flushed {
        tracing::debug!(path = %path.display(), %error, "the directory cannot be flushed");
    }
}

/// True if the file system has no space, or this user may not use more.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Restricts a new file to this user.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
