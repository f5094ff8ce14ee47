//! The files of an open outbox, and the space that is allocated in them.
//!
//! SQLite writes to its log (`-wal`) and later copies the log into the database file. Both must still be possible when
//! another program has filled the file system. So the log has its full length from the start, and the database file is
//! extended before its new pages are committed.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek},
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};

pub(super) const PAGE_BYTES: u64 = 4096;
/// SQLite maps the index in pieces of this length.
pub(super) const INDEX_BYTES: u64 = 32 << 10;

/// The files of an open database. They are closed after all connections of this process, because closing a file gives
/// up the locks of SQLite on it.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) main: OpenFile,
    pub(super) log: OpenFile,
    /// The index of the log, which all processes share.
    pub(super) index: OpenFile,
    pub(super) sizes: Sizes,
}

/// The space that is kept for claims and settlements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// The length of the log.
    pub(super) log_bytes: u64,
    /// The length of the row in the table `reserve`.
    pub(super) reserve_bytes: u64,
}

impl Sizes {
    /// The sizes for an outbox at `path`. A small file system gets a small reserve.
    pub(super) fn new(path: &Path, max_size_bytes: u64) -> Self {
        let file_system = statvfs(path).map_or(u64::MAX, |stat| stat.f_blocks.saturating_mul(stat.f_frsize));
        let reserve = (file_system / 32).min(max_size_bytes / 64).clamp(64 << 10, 1 << 20);
        Self { log_bytes: pages(file_system / 8).clamp(256 << 10, 16 << 20), reserve_bytes: pages(reserve) }
    }

    /// The number of pages in the log at which it is copied into the database file. On a small file system one
    /// transaction may need most of the log.
    pub(super) fn checkpoint_pages(self) -> u64 {
        let pages = self.log_bytes / PAGE_BYTES;
        if pages < 2048 { pages / 4 } else { pages / 4 * 3 }
    }

    pub(super) fn reserve_pages(self) -> u64 {
        self.reserve_bytes / PAGE_BYTES
    }
}

fn pages(bytes: u64) -> u64 {
    bytes / PAGE_BYTES * PAGE_BYTES
}

impl Files {
    /// Opens the files of a database that SQLite has opened at `path`, and gives space to their holes.
    pub(super) fn open(path: &Path, sizes: Sizes) -> io::Result<Self> {
        let files = Self {
            main: OpenFile::open(path.to_owned())?,
            log: OpenFile::open(log_path(path))?,
            index: OpenFile::open(with_suffix(path, "-shm"))?,
            sizes,
        };
        for file in [&files.index, &files.main, &files.log] {
            // This is no warning, because the check for free space reports a full file system.
            if let Err(error) = file.fill_holes() {
                tracing::debug!(path = %file.path.display(), %error, "the file has holes");
            }
        }
        Ok(files)
    }

    /// Restores the length of the index, because SQLite dies when it reads a page that is cut off. It builds an empty
    /// index again.
    pub(super) fn restore_index(&self) {
        if let Err(error) = self.index.allocate(INDEX_BYTES) {
            tracing::debug!(%error, "the index of the log cannot be extended");
        }
    }

    /// Deletes the log and its index. Call this after everything was copied from the log.
    pub(super) fn remove_log(path: &Path) -> io::Result<()> {
        for file in [log_path(path), with_suffix(path, "-shm")] {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

pub(super) fn log_path(path: &Path) -> PathBuf {
    with_suffix(path, "-wal")
}

/// SQLite follows links before it adds the suffix.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
    path.push(suffix);
    PathBuf::from(path)
}

/// True if the file system of `path` has less space than `bytes`.
pub(super) fn is_full(path: &Path, bytes: u64) -> bool {
    statvfs(path).is_ok_and(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) < bytes)
}

/// One of the files.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    path: PathBuf,
    id: FileId,
}

impl OpenFile {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let id = FileId::new(&file.metadata()?);
        Ok(Self { file, path, id })
    }

    pub(super) fn id(&self) -> FileId {
        self.id
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// True if the path still leads to this file.
    pub(super) fn is_in_place(&self) -> bool {
        FileId::of(&self.path).is_ok_and(|id| id == self.id)
    }

    /// True if the file has a byte that is not zero at its beginning.
    pub(super) fn has_beginning(&self) -> io::Result<bool> {
        let mut beginning = [0; 4];
        let mut file = &self.file;
        file.rewind()?;
        Ok(file.read(&mut beginning)? > 0 && beginning != [0; 4])
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Extends the file to `len` with space that nobody else can take. A longer file is left as it is.
    pub(super) fn allocate(&self, len: u64) -> io::Result<()> {
        let present = self.len()?;
        if present >= len {
            return Ok(());
        }
        allocate(&self.file, present, len - present)
    }

    /// Gives space to holes of the file.
    fn fill_holes(&self) -> io::Result<()> {
        let len = self.len()?;
        if len == 0 { Ok(()) } else { allocate(&self.file, 0, len) }
    }
}

pub(super) fn allocate(file: &File, from: u64, len: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), from, len) {
        // Such a file system cannot reserve space. The next write fails if it is full.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Identifies a file. The system reuses numbers of deleted files, so the time of creation counts too, where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
    created: Option<SystemTime>,
}

impl FileId {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::new(&metadata))
    }

    #[cfg(unix)]
    pub(super) fn new(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino(), created: metadata.created().ok() }
    }

    /// Elsewhere an open file cannot be replaced.
    #[cfg(not(unix))]
    pub(super) fn new(metadata: &fs::Metadata) -> Self {
        Self { device: 0, inode: u64::from(metadata.is_file()), created: metadata.created().ok() }
    }
}
