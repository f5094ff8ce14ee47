//! Opening the file: the directory, the owner's lock, the connection and its settings.
//!
//! One owner at a time: it holds an exclusive lock on `<path>.lock` for as long as its writer lives. The system
//! gives the lock back when the process ends, however it ends, so the file may stay and is never unlinked.

use std::{
    cell::Cell,
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{
    error::Failure,
    recent::Recent,
    schema::{self, Found},
};
use crate::outbox::StoreError;

/// Where the outbox is and how it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The database file.
    pub path: PathBuf,
    /// From this size on no new alert is taken (`outbox.max_size`).
    pub max_size_bytes: u64,
    /// How long to wait while another process writes.
    pub busy_timeout: Duration,
    /// Of how many deliveries at most it is remembered that others of their lane stand behind them; some 34 bytes
    /// each. What is more is written down.
    pub max_lanes: usize,
}

impl Settings {
    /// The settings of a daemon.
    pub fn new(path: PathBuf, max_size_bytes: u64) -> Self {
        // Longer than any transaction of the `outbox` command, shorter than Alertmanager's patience.
        Self { path, max_size_bytes, busy_timeout: Duration::from_secs(5), max_lanes: 32_768 }
    }
}

/// As what the outbox is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The one that dispatches. It makes the file if there is none.
    Owner,
    /// A command beside it. It makes nothing and takes no lock.
    Guest,
}

/// Why the outbox cannot be opened, and what to do. The text is the whole of it: there is no source that says more.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is not there and cannot be made.
    #[error(
        "cannot create the directory {path} of the outbox: {reason}; create it for this user, or set `outbox.path`"
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {path}: {reason}; this user must be able to write there")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// There is an owner.
    #[error("another `serve` uses this outbox: it holds {lock}; stop it, or set another `outbox.path`")]
    Owned {
        /// The lock file.
        lock: PathBuf,
    },
    /// There is nothing to look at.
    #[error("there is no outbox at {path}; `serve` creates it: is `outbox.path` the daemon's?")]
    Missing {
        /// The database file.
        path: PathBuf,
    },
    /// The file may not be read and written.
    #[error("cannot read and write {path}: {reason}; this user must own it and its directory")]
    Permission {
        /// The database file.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
    /// There is a directory where the file belongs.
    #[error("{path} is a directory; add the name of a file to `outbox.path`, such as {path}/outbox.db")]
    IsDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The file is something else, or no longer what it was.
    #[error("{path} is not an outbox: {reason}; move it away, or set another `outbox.path`")]
    NotAnOutbox {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer program has written it.
    #[error("{path} has schema version {found}, this program knows {known}: run the newer program")]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// This program's version.
        known: i64,
    },
    /// An older program has written it, and only the owner may change that.
    #[error(
        "{path} has schema version {found}, this program needs {known}: start this version's `serve` once"
    )]
    Older {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// This program's version.
        known: i64,
    },
    /// Anything else: the disk, a lock, memory.
    #[error("cannot open the outbox {path}: {reason}")]
    Unavailable {
        /// The database file.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
}

impl OpenError {
    /// The same for a caller of an outbox that was open before.
    pub(super) fn store_error(&self) -> StoreError {
        match self {
            Self::NotAnOutbox { .. } | Self::Newer { .. } | Self::Older { .. } => {
                StoreError::Damaged(self.to_string())
            }
            _ => StoreError::Unavailable(self.to_string()),
        }
    }

    fn of(path: &Path, error: rusqlite::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::Permission { path, reason }
            }
            _ => match Failure::Sql(error).store_error() {
                StoreError::Damaged(_) => Self::NotAnOutbox { path, reason },
                _ => Self::Unavailable { path, reason },
            },
        }
    }
}

/// The owner's lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    path: PathBuf,
    id: FileId,
}

impl Lock {
    /// Whether it still is where it was taken; elsewhere nobody meets it.
    pub(super) fn is_in_place(&self) -> bool {
        FileId::of(&self.path).is_ok_and(|id| id == self.id)
    }

    /// Whether whoever wants to own the outbox at `path` meets it.
    pub(super) fn guards(&self, path: &Path) -> bool {
        FileId::of(&lock_path(path)).is_ok_and(|id| id == self.id)
    }
}

/// Takes the owner's lock.
pub(super) fn lock(settings: &Settings) -> Result<Lock, OpenError> {
    if settings.path.is_dir() {
        return Err(OpenError::IsDirectory { path: settings.path.clone() });
    }
    let path = lock_path(&settings.path);
    let lost = |reason| OpenError::Lock { path: path.clone(), reason };
    let opened = private(OpenOptions::new().create(true).truncate(false).write(true)).open(&path);
    let file = opened.map_err(lost)?;
    // An owner that is just ending keeps it for a moment, and so does a child of this process that was forked and
    // has not yet become another program.
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => {
                let id = file.metadata().map(|metadata| FileId::new(&metadata)).map_err(lost)?;
                return Ok(Lock { _file: file, path, id });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(reason)) => return Err(lost(reason)),
        }
    }
    Err(OpenError::Owned { lock: path })
}

/// Beside the file itself, by whatever links it is reached.
fn lock_path(path: &Path) -> PathBuf {
    let mut path = OsString::from(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
    path.push(".lock");
    PathBuf::from(path)
}

/// Whether the outbox at `path` has an owner at this moment. For a look at it only: an owner may come and go.
pub fn is_owned(path: &Path) -> bool {
    // A shared lock, given back at once: an owner that comes at this moment tries again.
    File::open(lock_path(path))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// How often, and how far apart, a lock is tried that another one holds: for a second.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) conn: Connection,
    pub(super) recent: Recent,
    /// As it was when it was asked for last.
    version: Cell<Option<i64>>,
    file: FileId,
}

impl Database {
    /// Opens, and for the owner migrates, the database. Unless it may be made, a missing file is an error: when a
    /// disk is away, an empty database in its place would hide what is on it.
    pub(super) fn open(settings: &Settings, access: Access, may_create: bool) -> Result<Self, OpenError> {
        let path = settings.path.as_path();
        let lost = |error| OpenError::of(path, error);
        if path.is_dir() {
            return Err(OpenError::IsDirectory { path: path.to_owned() });
        }
        if may_create {
            create(path)?;
        } else if !path.exists() {
            return Err(OpenError::Missing { path: path.to_owned() });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags).map_err(lost)?;
        conn.busy_timeout(settings.busy_timeout).map_err(lost)?;
        conn.set_prepared_statement_cache_capacity(128);
        let found = schema::look(&conn).map_err(lost)?;
        let version = match (found, access) {
            (Found::Empty, Access::Guest) => return Err(OpenError::Missing { path: path.to_owned() }),
            (Found::Empty, Access::Owner) => 0,
            (Found::Outbox(version), _) => version,
            (Found::Foreign, _) => {
                let reason = "it is another program's database".to_owned();
                return Err(OpenError::NotAnOutbox { path: path.to_owned(), reason });
            }
        };
        if version > schema::VERSION {
            return Err(OpenError::Newer { path: path.to_owned(), found: version, known: schema::VERSION });
        }
        if version < schema::VERSION && access == Access::Guest {
            return Err(OpenError::Older { path: path.to_owned(), found: version, known: schema::VERSION });
        }
        if access == Access::Owner {
            // These two hold only when they come before the first table.
            conn.execute_batch("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL").map_err(lost)?;
            conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).map_err(lost)?;
        }
        configure(&conn).map_err(lost)?;
        if access == Access::Owner {
            schema::migrate(&mut conn, version).map_err(lost)?;
        }
        let file = FileId::of(path)
            .map_err(|error| OpenError::Unavailable { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { conn, recent: Recent::default(), version: Cell::default(), file })
    }

    /// Whether another connection has committed something since this was asked last. Within a transaction that stays
    /// true as long as it lasts.
    pub(super) fn is_changed_by_others(&self) -> rusqlite::Result<bool> {
        let now = self.conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        Ok(self.version.replace(Some(now)).is_some_and(|seen| seen != now))
    }

    /// Which file is open.
    pub(super) fn file(&self) -> FileId {
        self.file
    }

    /// Whether the path still leads to the file that is open. Commits to another are worth nothing.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        FileId::of(path).is_ok_and(|file| file == self.file)
    }
}

/// Every commit is on disk when it returns; the writer itself checkpoints, so that the log is bounded.
pub(super) fn configure(conn: &Connection) -> rusqlite::Result<()> {
    // Plans that do not depend on values; else each new value at a partial index has the statement planned anew.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA cache_size = -4096;
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF",
    )?;
    conn.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 4000, |_| Ok(()))
}

/// Makes an empty file for this user alone; SQLite gives its side files the same mode. A file that exists is not
/// opened: closing it would drop the locks that SQLite holds on it in this process.
fn create(path: &Path) -> Result<(), OpenError> {
    make_directory(path)?;
    match private(OpenOptions::new().create_new(true).write(true)).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(OpenError::Permission { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// Makes the directory of the file at `path`, for this user alone.
pub(super) fn make_directory(path: &Path) -> Result<(), OpenError> {
    let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|reason| OpenError::Directory { path: directory.to_owned(), reason })
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Tells one file from another at the same path. A number is given out again when its file is gone, so the birth
/// counts too, where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(u64, u64, Option<SystemTime>);

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::new(&metadata))
    }

    fn new(metadata: &fs::Metadata) -> Self {
        let born = metadata.created().ok();
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Self(metadata.dev(), metadata.ino(), born)
        }
        // Elsewhere an open file cannot be replaced.
        #[cfg(not(unix))]
        Self(0, u64::from(metadata.is_file()), born)
    }
}
