//! Small file systems, which fill up quickly.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use tempfile::TempDir;

use super::tools::{MKFS, MOUNT, find, skip};

/// A small file system, until it is dropped.
pub(crate) struct SmallDisk {
    pub(crate) folder: Arc<TempDir>,
    /// The file that contains an ext4.
    _image: Option<TempDir>,
}

impl SmallDisk {
    /// A file system in memory.
    pub(crate) fn memory(mebibytes: u32) -> Option<Self> {
        let size = format!("size={mebibytes}m");
        Self::mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], None)
    }

    /// An ext4 in a file.
    pub(crate) fn ext4(mebibytes: u64) -> Option<Self> {
        let image = TempDir::new().unwrap();
        let file = image.path().join("image");
        fs::File::create(&file).unwrap().set_len(mebibytes << 20).unwrap();
        let made = Command::new(find(&MKFS)?).args(["-q", "-m", "0"]).arg(&file).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        Self::mount(&["-o", "loop", file.to_str().unwrap()], Some(image))
    }

    fn mount(args: &[&str], image: Option<TempDir>) -> Option<Self> {
        let folder = Arc::new(TempDir::new().unwrap());
        let mounted = Command::new(find(&MOUNT)?).args(args).arg(folder.path()).output().unwrap();
        if !mounted.status.success() {
            skip(&format!("nothing can be mounted (be root; a container needs SYS_ADMIN): {mounted:?}"));
            return None;
        }
        Some(Self { folder, _image: image })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes every free byte, as another program does.
    pub(crate) fn fill(&self) {
        fill(&self.path("filler"));
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }
}

fn fill(path: &Path) {
    let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
    // ext4 allocates blocks when it writes to the disk, so only a sync shows the space that is left.
    _ = file.sync_all();
    while file.write_all(&[1]).is_ok() {}
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The unmount is lazy, because the outbox may still be open.
        _ = Command::new("umount").arg("-l").arg(self.folder.path()).output();
    }
}
