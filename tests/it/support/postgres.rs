//! PostgreSQL servers for tests: in a temporary folder, on a socket only, and gone with the test, whatever happens.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The longest time until a server accepts sessions.
const PATIENCE: Duration = Duration::from_secs(60);

/// The role of the relay, which is no superuser.
const ROLE: &str = "relay";

/// A PostgreSQL server. It ends when this is dropped, or when the process of the test ends.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    /// It names the socket, and is the port if the settings name addresses.
    pub(crate) port: u16,
    settings: Vec<String>,
    server: Option<Child>,
    databases: AtomicU32,
}

/// The server that all tests share. Each test has a database of its own.
pub(crate) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start(&[]))
}

impl Cluster {
    /// A server with these settings more, such as `fsync=on`. By default nothing is flushed, which a kill of the processes
    /// does not show.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::with_files(settings, &[])
    }

    /// A server whose folder also has these files, which only its user can read.
    pub(crate) fn with_files(settings: &[&str], files: &[(&str, &str)]) -> Self {
        let programs = programs();
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        belongs_to_server(folder.path());
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            belongs_to_server(&file);
        }
        let mut initdb = as_server(&programs.join("initdb"));
        initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--pgdata",
        ]);
        let made = initdb.arg(folder.path().join("data")).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let databases = AtomicU32::new(0);
        let mut cluster = Self { programs, folder, port, settings, server: None, databases };
        cluster.resume();
        cluster.sql("postgres", &format!("CREATE ROLE {ROLE} LOGIN"));
        cluster
    }

    /// Starts the server again after [`Self::kill`] or [`Self::stop`], and waits until it accepts sessions.
    pub(crate) fn resume(&mut self) {
        self.launch();
        self.wait_until_ready();
    }

    /// Starts the server without waiting for it.
    pub(crate) fn launch(&mut self) {
        // The pipe is closed when this process ends in any way. The shell then ends the server and removes its files.
        let script = r#"folder=$1; shift; "$@" & server=$!
            read -r _ || gone=1
            # A server that has just been launched may ignore the first signal.
            for _ in 1 2 3 4 5 6 7 8 9 10; do kill -QUIT $server 2>/dev/null && sleep 0.1; done
            kill -KILL $server 2>/dev/null; wait $server
            [ -z "$gone" ] || rm -rf "$folder""#;
        let server = as_server(&self.programs.join("postgres"));
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(self.folder.path())
            .arg(server.get_program())
            .args(server.get_args());
        command.arg("-D").arg(self.folder.path().join("data"));
        command.arg("-k").arg(self.folder.path());
        command.arg("-p").arg(self.port.to_string());
        for setting in [
            "listen_addresses=",
            "fsync=off",
            "max_connections=400",
            "shared_buffers=64MB",
            "max_wal_size=512MB",
            "autovacuum_naptime=5s",
            "log_min_messages=warning",
        ] {
            command.arg("-c").arg(setting);
        }
        for setting in &self.settings {
            command.arg("-c").arg(setting);
        }
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let errors = log.try_clone().unwrap();
        let server = command.stdin(Stdio::piped()).stdout(log).stderr(errors).spawn().unwrap();
        self.server = Some(server);
    }

    fn wait_until_ready(&self) {
        let deadline = now() + PATIENCE;
        let mut is_ready = Command::new(self.programs.join("pg_isready"));
        is_ready.args(["-q", "-p", &self.port.to_string(), "-h"]).arg(self.socket());
        while !is_ready.status().unwrap().success() {
            assert!(now() < deadline, "PostgreSQL does not start: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// `kill -9` of the server and all its processes.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.reap();
    }

    /// Stops the server and ends its sessions, as an operator does who does not wait for them.
    pub(crate) fn stop(&mut self) {
        self.signal("INT");
        self.reap();
    }

    fn signal(&self, signal: &str) {
        match signal {
            "KILL" => self.signal_all(signal),
            _ => send(signal, &[self.postmaster()]),
        }
    }

    fn signal_all(&self, signal: &str) {
        let postmaster = self.postmaster();
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        let mut all = vec![postmaster];
        all.extend(children.split_whitespace().map(str::to_owned));
        send(signal, &all);
    }

    fn postmaster(&self) -> String {
        let file = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap();
        file.lines().next().unwrap().trim().to_owned()
    }

    /// Waits for the end of the server after a signal.
    fn reap(&mut self) {
        let mut server = self.server.take().unwrap();
        // A line, and not the end of the pipe, so that the shell keeps the files.
        _ = server.stdin.take().unwrap().write_all(b"kept\n");
        server.wait().unwrap();
    }

    /// The folder with the socket.
    pub(crate) fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Makes an empty database that belongs to the role of the relay, and returns its URL.
    pub(crate) fn database(&self) -> String {
        self.copy_of("template1")
    }

    /// Makes a copy of a database that has no session.
    pub(crate) fn copy_of(&self, template: &str) -> String {
        let name = format!("relay_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}"));
        self.url(&name)
    }

    /// The URL of a database as the relay logs in.
    pub(crate) fn url(&self, database: &str) -> String {
        url_at(self.socket(), self.port, database)
    }

    /// Runs SQL as the superuser, and returns the rows, one a line.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-XqtA", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", sql]);
        let ran = psql.args(["-p", &self.port.to_string(), "-h"]).arg(self.socket()).output().unwrap();
        assert!(ran.status.success(), "{sql}: {ran:?}");
        String::from_utf8(ran.stdout).unwrap().trim_end().to_owned()
    }

    /// The log of the server.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // The shell ends the server when its pipe ends.
            drop(server.stdin.take());
            _ = server.wait();
        }
    }
}

/// The socket of a server, or of a proxy, in `folder`.
pub(crate) fn socket_in(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

/// The URL of a database of the server whose socket, or a proxy's, is in `folder`.
pub(crate) fn url_at(folder: &Path, port: u16, database: &str) -> String {
    format!("postgres://{ROLE}@{}:{port}/{database}", folder.display().to_string().replace('/', "%2F"))
}

/// The name of the database in a URL of [`url_at`].
pub(crate) fn database_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

const PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pg_isready"];

/// The folder with the programs of PostgreSQL 15 or later.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|entry| entry.unwrap().path().join("bin")).collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    let found = folders.into_iter().find(|folder| PROGRAMS.iter().all(|name| folder.join(name).is_file()));
    found.unwrap_or_else(|| panic!("PostgreSQL is missing: apt-get install postgresql"))
}

/// A command that does not run as root, because PostgreSQL refuses that.
fn as_server(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let (uid, gid) = unprivileged();
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={uid}"), format!("--regid={gid}")]);
    command.args(["--clear-groups", "--pdeathsig=KILL", "--"]).arg(program);
    command
}

fn belongs_to_server(path: &Path) {
    if is_root() {
        let (uid, gid) = unprivileged();
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

fn is_root() -> bool {
    // A process owns what it starts.
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The user and group of Debian's package, or those of `nobody`.
fn unprivileged() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find_map(|line| line.strip_prefix(&format!("{name}:x:")))?;
        let mut ids = line.split(':').map(|id| id.parse::<u32>().ok());
        Some((ids.next()??, ids.next()??))
    };
    find("postgres").or_else(|| find("nobody")).unwrap()
}

fn send(signal: &str, processes: &[String]) {
    // A child may have ended meanwhile.
    _ = Command::new("kill").arg(format!("-{signal}")).args(processes).stderr(Stdio::null()).status();
}

#[expect(clippy::disallowed_methods, reason = "the start of a server is awaited without a runtime")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn a_killed_server_keeps_what_was_committed() {
    let mut cluster = Cluster::start(&[]);
    let url = cluster.database();
    let database = database_of(&url);
    cluster.sql(database, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)");
    cluster.kill();
    cluster.resume();
    assert_eq!(cluster.sql(database, "SELECT n FROM kept"), "1");
    cluster.stop();
}
