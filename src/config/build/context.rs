//! Relative paths and environment variables of a configuration file.

use std::path::{Path, PathBuf};

/// Resolves the relative paths and environment variables of a configuration file.
pub(in crate::config) struct LoadContext<'a> {
    /// The folder at which relative paths start.
    pub(in crate::config) folder: &'a Path,
    /// Reads an environment variable.
    pub(in crate::config) env: &'a dyn Fn(&str) -> Option<String>,
}

impl LoadContext<'_> {
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }
}
