//! What every part of the bench gets: where, how long, against which relay.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use crate::{payload, process::Process};

/// How the bench is run.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Seconds in place of minutes: whether it runs, not how fast.
    pub(crate) quick: bool,
    /// The program that is measured.
    pub(crate) relay: PathBuf,
    /// Where databases are made; on the disk that is measured.
    pub(crate) folder: PathBuf,
}

impl Setup {
    /// How often each pair is measured, in turn.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 1 } else { 5 }
    }

    pub(crate) fn either<T>(&self, quick: T, whole: T) -> T {
        if self.quick { quick } else { whole }
    }

    /// How long a timed run takes.
    pub(crate) fn time(&self) -> Duration {
        self.either(Duration::from_millis(200), Duration::from_secs(2))
    }

    /// A folder that is gone with its last user.
    pub(crate) fn temporary(&self) -> TempDir {
        fs::create_dir_all(&self.folder).unwrap();
        TempDir::new_in(&self.folder).unwrap()
    }

    /// A relay towards `sink` with its outbox in `folder`.
    pub(crate) fn start_relay(&self, folder: &Path, sink: SocketAddr) -> Process {
        let config = folder.join("config.yml");
        fs::write(&config, config_text(folder, sink)).unwrap();
        Process::relay(&self.relay, &config)
    }
}

/// The app of the relay's configuration.
pub(crate) const APP: &str = "bench";
/// The outbox's file.
pub(crate) const OUTBOX: &str = "outbox.db";
/// More than any part of the bench writes.
pub(crate) const MAX_SIZE: u64 = 64 << 30;

fn config_text(folder: &Path, sink: SocketAddr) -> String {
    let mut text = format!(
        "server: {{ listen: '127.0.0.1:0' }}\noutbox: {{ path: '{}', max_size: 64GiB }}\napps:\n  - name: {APP}\n    \
         corp_id: ww1234567890abcdef\n    agent_id: 1000002\n    api_secret: not-a-real-secret\n    \
         api_url: http://{sink}/cgi-bin/\n    limits: {{ per_minute: 0, per_hour: 0 }}\nreceivers:\n",
        folder.join(OUTBOX).display()
    );
    for number in 0..payload::RECEIVERS {
        let name = payload::receiver(number as u64);
        _ = writeln!(text, "  - {{ name: {name}, to_user: user-of-{name} }}");
    }
    text
}
