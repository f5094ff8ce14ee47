//! Reads the files that a configuration names. They must be regular files, or links to regular files.
//!
//! A pipe is refused, because it could block the reader for ever. The configuration itself is read elsewhere: a person
//! may pipe it into a command, and a reload has a time limit.

use std::{
    fs::{Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Reads the file at `path`, which may have at most `longest_bytes`.
pub(super) fn text(path: &Path, longest_bytes: u64) -> io::Result<String> {
    // The type is checked before the file is opened, because opening a device can have side effects.
    check_regular(&path.metadata()?)?;
    // Another file may have replaced it since then; O_NONBLOCK keeps a pipe from blocking here.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    check_regular(&file.metadata()?)?;
    let mut text = String::new();
    file.take(longest_bytes + 1).read_to_string(&mut text)?;
    if text.len() as u64 > longest_bytes {
        return Err(io::Error::other(format!("it is longer than {longest_bytes} bytes")));
    }
    Ok(text)
}

fn check_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let kind = if metadata.is_dir() { "a folder" } else { "a pipe or a device" };
    Err(io::Error::other(format!("it is {kind}, and must be a regular file")))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, process::Command};

    use super::*;

    #[test]
    fn only_regular_files_and_links_to_them_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        symlink("file", path("link")).unwrap();
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        symlink("pipe", path("link to a pipe")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(text(&path(name), 4).unwrap(), "text", "{name}");
        }
        for (name, message) in [
            ("pipe", "it is a pipe or a device, and must be a regular file"),
            ("link to a pipe", "it is a pipe or a device, and must be a regular file"),
            (".", "it is a folder, and must be a regular file"),
        ] {
            assert_eq!(text(&path(name), 4).unwrap_err().to_string(), message, "{name}");
        }
        assert!(text(&path("file"), 3).is_err());
    }
}
