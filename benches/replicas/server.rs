//! A PostgreSQL server with its default settings, on a socket only.

use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls};

use crate::setup::Setup;

/// The longest time until the server accepts sessions.
const PATIENCE: Duration = Duration::from_secs(60);
const ROLE: &str = "relay";
/// It only names the socket.
const PORT: u16 = 5432;
const PROGRAMS: [&str; 3] = ["initdb", "postgres", "pg_isready"];

/// The folder with the programs of PostgreSQL. CI must have it.
pub(super) fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    folders.extend(debian.map(|entry| entry.unwrap().path().join("bin")));
    let found = folders.into_iter().find(|folder| PROGRAMS.iter().all(|name| folder.join(name).is_file()));
    let ci = env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(found.is_some() || !ci, "PostgreSQL is missing: apt-get install postgresql");
    found
}

/// The server. It ends when this is dropped, or when the bench ends.
pub(super) struct Server {
    folder: TempDir,
    process: Child,
    databases: AtomicU32,
}

impl Server {
    pub(super) fn start(setup: &Setup, programs: &Path) -> Self {
        let folder = setup.temporary();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let owner = Owner::of_process();
        owner.give(folder.path());
        let data = folder.path().join("data");
        let mut initdb = owner.command(&programs.join("initdb"));
        initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--username", ROLE, "--pgdata"]);
        let made = initdb.arg(&data).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let mut postgres = owner.command(&programs.join("postgres"));
        postgres.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-p", &PORT.to_string()]);
        postgres.args(["-c", "listen_addresses="]);
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let server = Self { folder, process, databases: AtomicU32::new(0) };
        server.wait_until_ready(programs);
        server
    }

    fn wait_until_ready(&self, programs: &Path) {
        let deadline = Instant::now() + PATIENCE;
        let mut is_ready = Command::new(programs.join("pg_isready"));
        is_ready.args(["-q", "-p", &PORT.to_string(), "-h"]).arg(self.folder.path());
        while !is_ready.status().unwrap().success() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            assert!(Instant::now() < deadline, "PostgreSQL does not start:\n{log}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes an empty database, and returns its URL.
    pub(super) async fn database(&self) -> String {
        let name = format!("relay_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let client = connect(&self.url("postgres")).await;
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://{ROLE}@{socket}:{PORT}/{database}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A kill of the first process ends the others.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// A session. It ends when the client is dropped.
#[expect(clippy::disallowed_methods, reason = "the task ends with the client")]
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The user that the server runs as: PostgreSQL refuses root.
struct Owner(Option<Ids>);

#[derive(Clone, Copy)]
struct Ids {
    user: u32,
    group: u32,
}

impl Owner {
    fn of_process() -> Self {
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        Self(is_root.then(unprivileged))
    }

    fn give(&self, path: &Path) {
        if let Some(Ids { user, group }) = self.0 {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn command(&self, program: &Path) -> Command {
        let Some(Ids { user, group }) = self.0 else { return Command::new(program) };
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={group}")]);
        command.args(["--clear-groups", "--pdeathsig=KILL", "--"]).arg(program);
        command
    }
}

/// The user and group of Debian's package, or those of `nobody`.
fn unprivileged() -> Ids {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find_map(|line| line.strip_prefix(&format!("{name}:x:")))?;
        let mut ids = line.split(':').map(|id| id.parse().ok());
        Some(Ids { user: ids.next()??, group: ids.next()?? })
    };
    find("postgres").or_else(|| find("nobody")).unwrap()
}
