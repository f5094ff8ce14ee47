//! Programs that some tests need. In CI a missing one is a failure, elsewhere the test is skipped.

use std::{path::PathBuf, process::Command};

/// A program under its possible names, and the Debian package that has it.
pub(crate) struct Tool {
    names: &'static [&'static str],
    package: &'static str,
}

impl Tool {
    pub(crate) const fn new(names: &'static [&'static str], package: &'static str) -> Self {
        Self { names, package }
    }
}

/// Alertmanager has another name in Debian.
pub(crate) const ALERTMANAGER: Tool =
    Tool { names: &["prometheus-alertmanager", "alertmanager"], package: "prometheus-alertmanager" };
pub(crate) const AMTOOL: Tool = Tool { names: &["amtool"], package: "prometheus-alertmanager" };
pub(crate) const PROMETHEUS: Tool = Tool { names: &["prometheus"], package: "prometheus" };
pub(crate) const PROMTOOL: Tool = Tool { names: &["promtool"], package: "prometheus" };
const STRACE: Tool = Tool { names: &["strace"], package: "strace" };
pub(crate) const MOUNT: Tool = Tool { names: &["mount"], package: "mount" };
pub(crate) const KUBECTL: Tool = Tool { names: &["kubectl"], package: "kubernetes-client" };
pub(crate) const MKFS: Tool = Tool { names: &["mkfs.ext4"], package: "e2fsprogs" };

pub(crate) const OPENSSL: Tool = Tool { names: &["openssl"], package: "openssl" };
pub(crate) const SQLITE: Tool = Tool { names: &["sqlite3"], package: "sqlite3" };
pub(crate) const CURL: Tool = Tool { names: &["curl"], package: "curl" };

/// Finds a program on the `PATH`. `None` skips the test.
pub(crate) fn find(tool: &Tool) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files =
        tool.names.iter().flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)));
    let found = files.find(|file| file.is_file());
    if found.is_none() {
        let names = tool.names.join(" or ");
        skip(&format!("{names} is not on the PATH: apt-get install {}", tool.package));
    }
    found
}

/// strace, if it may trace processes here.
pub(crate) fn strace() -> Option<PathBuf> {
    let strace = find(&STRACE)?;
    let tried = Command::new(&strace).args(["-f", "-o", "/dev/null", "true"]).output().unwrap();
    if !tried.status.success() {
        skip(&format!("strace may not trace (a container needs SYS_PTRACE): {tried:?}"));
        return None;
    }
    Some(strace)
}

/// Says why a test is skipped. Panics in CI, because a test that did not run must not look like one that did.
#[expect(clippy::print_stderr, reason = "a test that did not run must not look like one that did")]
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "{reason}");
    eprintln!("skipped: {reason}");
}
