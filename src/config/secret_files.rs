//! The files of secrets and certificates that a configuration names, watched for changes.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The files with their identities at one moment. Equal if no file changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretFiles(Vec<SecretFile>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct SecretFile {
    path: PathBuf,
    /// `None` if there is no such file.
    identity: Option<Identity>,
}

/// Differs if the content differs: also if a link, as Kubernetes makes them, leads to another file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl SecretFiles {
    /// Adds a file. Call this before the file is read, so that a later change is noticed.
    pub(super) fn add(&mut self, path: &Path) {
        self.0.push(SecretFile { path: path.to_owned(), identity: identity(path) });
    }

    /// The same files as they are now. Blocks while the file system does.
    pub fn look(&self) -> Self {
        let look = |file: &SecretFile| SecretFile { path: file.path.clone(), identity: identity(&file.path) };
        Self(self.0.iter().map(look).collect())
    }

    /// The paths of the files that differ in `now`.
    pub fn changed(&self, now: &Self) -> Vec<String> {
        let differs = |file: &&SecretFile| !self.0.contains(file);
        now.0.iter().filter(differs).map(|file| file.path.display().to_string()).collect()
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let metadata = path.metadata().ok()?;
    Some(Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
