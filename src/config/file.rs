//! Reading the files that a configuration names: regular ones only, links to them among them.
//!
//! A pipe could keep whoever reads it waiting for ever. The configuration itself is not read by this: it may come
//! through a pipe when a command is tried by hand, and a reload has a time limit.

use std::{
    fs::{Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The text of the file at `path`, if it is not longer than this.
pub(super) fn text(path: &Path, longest_bytes: u64) -> io::Result<String> {
    // Before it is opened: to open a device may do something.
    regular(&path.metadata()?)?;
    // What took its place since then is not waited for either.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    regular(&file.metadata()?)?;
    let mut text = String::new();
    file.take(longest_bytes + 1).read_to_string(&mut text)?;
    if text.len() as u64 > longest_bytes {
        return Err(io::Error::other(format!("it is longer than {longest_bytes} bytes")));
    }
    Ok(text)
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = if metadata.is_dir() { "a folder" } else { "a pipe or a device" };
    Err(io::Error::other(format!("it is {what}, and must be a regular file")))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, process::Command};

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_links_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        symlink("file", path("link")).unwrap();
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        symlink("pipe", path("link to a pipe")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(text(&path(name), 4).unwrap(), "text", "{name}");
        }
        for (name, told) in [
            ("pipe", "it is a pipe or a device, and must be a regular file"),
            ("link to a pipe", "it is a pipe or a device, and must be a regular file"),
            (".", "it is a folder, and must be a regular file"),
        ] {
            assert_eq!(text(&path(name), 4).unwrap_err().to_string(), told, "{name}");
        }
        assert!(text(&path("file"), 3).is_err());
    }
}
