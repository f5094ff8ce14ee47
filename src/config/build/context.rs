//! The surroundings of a configuration file: its path, environment variables, the time and secret files.

use std::{
    cell::RefCell,
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::{
    config::{file, model::Origin, secret_files::SecretFiles},
    secret::Secret,
};

/// Resolves the relative paths, environment variables and secret files of a configuration file.
pub(in crate::config) struct LoadContext<'a> {
    /// The configuration file. Relative paths start at its folder.
    pub(in crate::config) file: &'a Path,
    /// Its text.
    pub(in crate::config) text: &'a str,
    /// Reads an environment variable.
    pub(in crate::config) env: &'a dyn Fn(&str) -> Option<String>,
    /// The wall-clock time.
    pub(in crate::config) now: Timestamp,
    /// Template files are not read.
    pub(in crate::config) only_secrets: bool,
    /// The secret files that were read.
    pub(in crate::config) secret_files: RefCell<SecretFiles>,
}

impl LoadContext<'_> {
    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder().join(path)
    }

    pub(super) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// Call this after the secret files were read.
    pub(super) fn origin(&self) -> Origin {
        let secret_files = self.secret_files.borrow().clone();
        Origin { path: self.file.to_owned(), text: Secret::new(self.text), secret_files }
    }

    /// Reads a file of a secret or a certificate.
    pub(super) fn secret_file(&self, path: &Path, longest_bytes: u64) -> io::Result<String> {
        self.secret_files.borrow_mut().add(path);
        file::text(path, longest_bytes)
    }
}
