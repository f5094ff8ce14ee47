//! Writes files of which nothing may be overwritten.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// A mode in which every user can read a file.
pub(super) const PUBLIC: u32 = 0o644;
/// A mode in which only its owner can read a file.
pub(super) const PRIVATE: u32 = 0o600;

/// Writes a file with this mode, and flushes it to the disk.
///
/// # Errors
/// The file exists already, or it cannot be written.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
