//! The settings of a run, and the relay's configuration.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    payload::{MEMBER_TEMPLATE, RECEIVER},
    process::Process,
};

/// The settings of a run.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Take few samples: the run only shows that the bench works.
    pub(crate) quick: bool,
    /// The relay that is measured.
    pub(crate) relay: PathBuf,
    /// The folder of the databases, on the disk that is measured.
    pub(crate) folder: PathBuf,
}

/// The number of members that get the notifications, unless a row has its own number.
pub(crate) const MEMBERS: u64 = 2_500;
/// The number of messages a minute that the relay sends to a member at full speed. It spaces the last messages of the
/// limit of 30.
pub(crate) const FULL_SPEED: u64 = 25;

impl Setup {
    /// The number of rounds. Servers that are compared are measured once in each round.
    pub(crate) fn rounds(&self) -> usize {
        self.choose(1, 3)
    }

    pub(crate) fn choose<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// The length of a run that is bounded by time.
    pub(crate) fn time(&self) -> Duration {
        self.choose(Duration::from_millis(200), Duration::from_secs(2))
    }

    pub(crate) fn temporary(&self) -> TempDir {
        fs::create_dir_all(&self.folder).unwrap();
        TempDir::new_in(&self.folder).unwrap()
    }

    /// Starts a relay with default limits, which sends to `sink` and has its outbox in `folder`.
    pub(crate) fn start_relay(&self, folder: &Path, sink: SocketAddr) -> Process {
        self.start(folder, &format!("path: '{}'", folder.join(OUTBOX).display()), sink)
    }

    /// Starts a replica of the relay, which shares the outbox at `url` with the others.
    pub(crate) fn start_replica(&self, name: &str, url: &str, folder: &Path, sink: SocketAddr) -> Process {
        self.start(folder, &format!("url: '{url}', replica: {name}"), sink)
    }

    fn start(&self, folder: &Path, outbox: &str, sink: SocketAddr) -> Process {
        let config = folder.join("config.yml");
        let text = format!(
            "server: {{ listen: '127.0.0.1:0' }}\noutbox: {{ {outbox}, max_size: 64GiB }}\napps:\n  - name: {APP}\n    \
             corp_id: ww1234567890abcdef\n    agent_id: 1000002\n    api_secret: not-a-real-secret\n    \
             api_url: http://{sink}/cgi-bin/\nreceivers:\n  - name: {RECEIVER}\n    to_user: '{MEMBER_TEMPLATE}'\n"
        );
        fs::write(&config, text).unwrap();
        Process::relay(&self.relay, &config)
    }
}

/// Fails if the relay would space or fold some of `notifications`, because the bench would then measure the limits.
pub(crate) fn assert_full_speed(notifications: u64, members: u64) {
    let each = notifications.div_ceil(members);
    assert!(each <= FULL_SPEED, "{each} notifications for a member: the relay would space them");
}

/// The app of the relay's configuration.
pub(crate) const APP: &str = "bench";
/// The file of the outbox.
pub(crate) const OUTBOX: &str = "outbox.db";
/// Larger than the outbox of any row.
pub(crate) const MAX_SIZE: u64 = 64 << 30;
