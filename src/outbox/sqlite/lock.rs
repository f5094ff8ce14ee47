//! The owner's lock: an exclusive lock on `<path>.lock`.
//!
//! The system releases the lock when the process ends, however it ends. So the lock file may stay, and it is never
//! deleted. It also holds the space that SQLite needs to open the database on a full file system.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{
    files::{self, FileId},
    open::{OpenError, Settings, is_no_space, private},
};

/// The owner's lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
    id: FileId,
}

impl Lock {
    /// Takes the lock.
    pub(super) fn take(settings: &Settings) -> Result<Self, OpenError> {
        if settings.path.is_dir() {
            return Err(OpenError::IsDirectory { path: settings.path.clone() });
        }
        let path = lock_path(&settings.path);
        let failed = |reason| match is_no_space(&reason) {
            true => OpenError::of_system(&settings.path, &reason),
            false => OpenError::Lock { path: path.clone(), reason },
        };
        let opened = private(OpenOptions::new().create(true).truncate(false).write(true)).open(&path);
        let file = opened.map_err(failed)?;
        // An owner that is just ending keeps the lock for a moment, and so does a forked child of this process until it
        // runs another program.
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => {
                    let id = file.metadata().map(|metadata| FileId::new(&metadata)).map_err(failed)?;
                    return Ok(Self { file, path, id });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
                Err(TryLockError::Error(reason)) => return Err(failed(reason)),
            }
        }
        Err(OpenError::Owned { lock: path })
    }

    /// Takes the space that [`Self::release_space`] releases. Without it the next start may have to wait.
    pub(super) fn take_space(&self) {
        if let Err(error) = files::allocate(&self.file, 0, SPACE_BYTES) {
            tracing::debug!(%error, "the lock file has no space");
        }
    }

    /// Releases space on a full file system. A file system reuses it at once only if that is on disk.
    pub(super) fn release_space(&self) {
        let is_taken = self.file.metadata().is_ok_and(|metadata| metadata.len() > 0);
        if !is_taken || !files::is_full(&self.path, SPACE_BYTES) {
            return;
        }
        if let Err(error) = self.file.set_len(0).and_then(|()| self.file.sync_all()) {
            tracing::debug!(%error, "the space of the lock file cannot be released");
        }
    }

    /// True if the lock file is still at its path. At another path it keeps nobody out.
    pub(super) fn is_in_place(&self) -> bool {
        FileId::of(&self.path).is_ok_and(|id| id == self.id)
    }

    /// True if this lock keeps others from owning the outbox at `path`.
    pub(super) fn guards(&self, path: &Path) -> bool {
        FileId::of(&lock_path(path)).is_ok_and(|id| id == self.id)
    }
}

/// The lock file is in the folder of the real file, even if `path` is a link.
fn lock_path(path: &Path) -> PathBuf {
    let mut path = OsString::from(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
    path.push(".lock");
    PathBuf::from(path)
}

/// True if the outbox at `path` has an owner now. Use it for information only, because this can change at any time.
pub fn is_owned(path: &Path) -> bool {
    // The shared lock is released at once. An owner that starts at this moment tries again.
    File::open(lock_path(path))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The number of tries to take the lock. Together they last one second.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);
/// SQLite's index of the log has 32 KiB. The rest is for the file system itself.
const SPACE_BYTES: u64 = 256 << 10;
