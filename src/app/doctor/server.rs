//! Checks of the relay itself: the outbox, the port and the limit of open files. They change nothing.

use std::{
    fs::OpenOptions,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

use tokio::task::spawn_blocking;

use super::postgres;
use crate::{
    app::{
        outbox::{Access, OpenError as OutboxError, open_outbox},
        prepare::Prepared,
        store::Store,
    },
    config::{self, Database},
    delivery::stored_reason,
    doctor::{Finding, Findings},
    language::{Bilingual, Language},
    outbox::{
        Hold, Outbox,
        sqlite::{OpenError, is_owned},
    },
};

const SUBJECT: &str = "server";
const OUTBOX: &str = "outbox";
const LISTEN: &str = "listen";
const OPEN_FILES: &str = "open files";

/// The connections and the database need some dozens of files.
const ENOUGH_FILES: u64 = 256;

/// The facts that a running relay knows without a look at its files.
#[derive(Debug)]
pub(super) struct ThisRelay {
    /// The address on which it listens.
    pub(super) listen: SocketAddr,
    /// The address on which it serves the callback.
    pub(super) callback: SocketAddr,
    /// The holds in an outbox in a file, or the reason why they cannot be read.
    pub(super) holds: Result<Vec<Hold>, String>,
}

/// The checks in a command of its own. A relay may run beside it. Returns true if one surely does.
pub(super) async fn check(prepared: &Prepared, limit: Duration, findings: &Findings) -> bool {
    let config = &prepared.config;
    let (owned, holds) = match &config.outbox.database {
        Database::File(path) => {
            let OutboxFile { finding, owned, holds } = outbox_file(&config.outbox, path).await;
            findings.add(SUBJECT, finding);
            (owned, holds)
        }
        Database::Postgres(database) => (false, postgres::check(prepared, database, limit, findings).await),
    };
    let address = config.server.listen;
    // The listener is asked with calls that block.
    let asked = spawn_blocking(move || (listen(address, owned, limit), is_healthy(address, limit))).await;
    let mut runs = owned;
    if let Ok((finding, is_healthy)) = asked {
        findings.add(SUBJECT, finding);
        runs |= is_healthy;
    }
    check_rest(prepared, &holds, findings);
    runs
}

/// The checks in the process of the relay itself.
///
/// They must not open a file of the outbox: closing it would give up the locks that SQLite has on it for this process,
/// and another process could then delete the log that the relay writes to.
pub(super) async fn check_this_relay(
    prepared: &Prepared,
    relay: &ThisRelay,
    limit: Duration,
    findings: &Findings,
) {
    match &prepared.config.outbox.database {
        Database::File(path) => {
            let finding = match &relay.holds {
                Ok(_) => in_use_by_this_relay(path),
                Err(error) => unusable(error),
            };
            findings.add(SUBJECT, finding);
            findings.add(SUBJECT, own_address(relay.listen));
            check_rest(prepared, relay.holds.as_deref().unwrap_or_default(), findings);
        }
        Database::Postgres(database) => {
            let holds = postgres::check(prepared, database, limit, findings).await;
            findings.add(SUBJECT, own_address(relay.listen));
            check_rest(prepared, &holds, findings);
        }
    }
}

/// The limit of open files, and the holds.
fn check_rest(prepared: &Prepared, holds: &[Hold], findings: &Findings) {
    if let Some(files) = std::fs::read_to_string("/proc/self/limits").ok().as_deref().and_then(open_files) {
        findings.add(SUBJECT, open_files_finding(files));
    }
    for hold in holds {
        let kind = if prepared.config.is_robot(&hold.sender.0) { "robot" } else { "app" };
        findings.add(&format!("{kind} {}", hold.sender), hold_finding(hold));
    }
}

fn in_use_by_this_relay(path: &Path) -> Finding {
    let shown = path.display();
    let message =
        Bilingual::new(format!("{shown}, in use by this relay"), format!("{shown}，正在由本 relay 使用"));
    Finding::ok(OUTBOX, message)
}

/// A bound address cannot be tried, and with TLS a plain request gets no answer.
fn own_address(address: SocketAddr) -> Finding {
    let message =
        Bilingual::new(format!("this relay listens on {address}"), format!("本 relay 正在监听 {address}"));
    Finding::ok(LISTEN, message)
}

/// The state of an outbox in a file.
struct OutboxFile {
    finding: Finding,
    /// A relay uses it.
    owned: bool,
    holds: Vec<Hold>,
}

async fn outbox_file(outbox: &config::Outbox, path: &Path) -> OutboxFile {
    let (settings, file) = (outbox.clone(), path.to_owned());
    let opened = spawn_blocking(move || open_file(&settings, &file)).await;
    let owned = is_owned(path);
    let store = match opened {
        Ok(Ok(store)) => store,
        Ok(Err(finding)) => return OutboxFile { finding: *finding, owned, holds: Vec::new() },
        Err(error) => {
            return OutboxFile { finding: unusable(&error.to_string()), owned, holds: Vec::new() };
        }
    };
    let mut holds = Vec::new();
    if let Some(store) = store {
        let read = store.holds().await;
        store.close().await;
        match read {
            Ok(read) => holds = read,
            Err(error) => return OutboxFile { finding: unusable(&error.to_string()), owned, holds },
        }
    }
    let shown = path.display();
    let message = match owned {
        true => Bilingual::new(
            format!("{shown}, in use by a running relay"),
            format!("{shown}，正在由 relay 使用"),
        ),
        false => Bilingual::new(format!("{shown}, not in use"), format!("{shown}，未在使用")),
    };
    OutboxFile { finding: Finding::ok(OUTBOX, message), owned, holds }
}

/// Opens the outbox beside a running relay. `None` if `serve` creates or upgrades it at its start.
fn open_file(outbox: &config::Outbox, path: &Path) -> Result<Option<Store>, Box<Finding>> {
    if !path.exists() {
        return Err(Box::new(missing_outbox(path)));
    }
    if !path.is_dir()
        && let Err(error) = OpenOptions::new().read(true).write(true).open(path)
    {
        let shown = path.display();
        return Err(Box::new(unwritable(Bilingual::new(
            format!("{shown} cannot be written: {error}"),
            format!("{shown} 无法写入：{error}"),
        ))));
    }
    match open_outbox(outbox, Access::Guest) {
        Ok(store) => Ok(Some(store)),
        Err(OutboxError::Sqlite(OpenError::Missing { .. } | OpenError::Older { .. })) => Ok(None),
        Err(error) => Err(Box::new(unusable(&error.to_string()))),
    }
}

fn unusable(error: &str) -> Finding {
    let help = Bilingual::new("check outbox.path", "请检查 outbox.path");
    Finding::failed(OUTBOX, Bilingual::same(error), help)
}

/// The finding for an outbox that does not exist yet.
fn missing_outbox(path: &Path) -> Finding {
    let shown = path.display();
    let there = path.ancestors().skip(1).find(|folder| folder.exists());
    // The parent of a relative file name is the empty path.
    let folder = there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match tempfile::tempfile_in(folder) {
        Ok(_) => {
            let message = Bilingual::new(
                format!("{shown} does not exist yet; `serve` creates it"),
                format!("{shown} 还不存在；`serve` 会创建它"),
            );
            Finding::ok(OUTBOX, message)
        }
        Err(error) => {
            let folder = folder.display();
            unwritable(Bilingual::new(
                format!("{shown} cannot be created in {folder}: {error}"),
                format!("{shown} 无法在 {folder} 中创建：{error}"),
            ))
        }
    }
}

fn unwritable(message: Bilingual<String>) -> Finding {
    let help = Bilingual::new(
        "make the relay's user the owner of outbox.path and its folder, and run this command as that user",
        "请让 relay 的用户成为 outbox.path 及其目录的所有者，并以该用户运行此命令",
    );
    Finding::failed(OUTBOX, message, help)
}

fn listen(address: SocketAddr, owned: bool, limit: Duration) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => {
            let message = Bilingual::new(format!("{address} is free"), format!("{address} 空闲"));
            Finding::ok(LISTEN, message)
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if is_healthy(address, limit) {
                let message = Bilingual::new(
                    format!("a relay answers at {address}"),
                    format!("{address} 上有 relay 响应"),
                );
                return Finding::ok(LISTEN, message);
            }
            if owned {
                let message = Bilingual::new(
                    format!("{address} is in use by a running relay"),
                    format!("{address} 正在由 relay 使用"),
                );
                return Finding::ok(LISTEN, message);
            }
            let message = Bilingual::new(
                format!("{address} is in use by another program"),
                format!("{address} 被别的程序占用"),
            );
            let help = Bilingual::new(
                "stop that program, or change server.listen and Alertmanager's URL of the relay",
                "请停止该程序，或修改 server.listen 和 Alertmanager 中 relay 的 URL",
            );
            Finding::failed(LISTEN, message, help)
        }
        Err(error) => {
            let help = match error.kind() {
                io::ErrorKind::PermissionDenied => Bilingual::new(
                    "use a port above 1023 in server.listen",
                    "请在 server.listen 中使用 1023 以上的端口",
                ),
                io::ErrorKind::AddrNotAvailable => Bilingual::new(
                    "this machine does not have this address: correct server.listen; 0.0.0.0 stands for all addresses",
                    "本机没有这个地址：请修正 server.listen；0.0.0.0 表示全部地址",
                ),
                _ => Bilingual::new("correct server.listen", "请修正 server.listen"),
            };
            let message = Bilingual::new(
                format!("the relay cannot listen on {address}: {error}"),
                format!("relay 无法监听 {address}：{error}"),
            );
            Finding::failed(LISTEN, message, help)
        }
    }
}

/// Asks for the health of a relay at `address`.
fn is_healthy(address: SocketAddr, limit: Duration) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&reachable(address), limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

/// The address for connections to a listener on `address`.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// The soft limit in `/proc/self/limits`. `None` if it is unlimited.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn open_files_finding(files: u64) -> Finding {
    if files >= ENOUGH_FILES {
        let message = Bilingual::new(format!("{files} are allowed"), format!("允许 {files} 个"));
        return Finding::ok(OPEN_FILES, message);
    }
    let message = Bilingual::new(format!("only {files} are allowed"), format!("只允许 {files} 个"));
    let help = Bilingual::new(
        format!("allow at least {ENOUGH_FILES}: LimitNOFILE= of systemd, `ulimit -n` of a shell"),
        format!("请至少允许 {ENOUGH_FILES} 个：systemd 的 LimitNOFILE=，或 shell 的 `ulimit -n`"),
    );
    Finding::warning(OPEN_FILES, message, help)
}

fn hold_finding(hold: &Hold) -> Finding {
    let (since, next) = (hold.since, hold.next_probe_at);
    let message = Bilingual::new(
        format!("the relay holds its messages since {since:.0}, and makes the next attempt at {next:.0}"),
        format!("relay 自 {since:.0} 起暂停它的消息，下一次尝试在 {next:.0}"),
    );
    let help = Bilingual::new(hold.reason.clone(), stored_reason(&hold.reason, Language::Zh));
    Finding::warning("hold", message, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_open_files_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max processes             127                  127                  processes\n\
                      Max open files            200                  4096                 files\n";
        assert_eq!(open_files(limits), Some(200));
        assert_eq!(
            open_files("Max open files            unlimited            unlimited            files"),
            None
        );
        assert!(open_files_finding(200).help.en.contains("LimitNOFILE"));
        assert_eq!(open_files_finding(1024).message.en, "1024 are allowed");
    }

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_loopback() {
        assert_eq!(reachable("0.0.0.0:8061".parse().unwrap()), "127.0.0.1:8061".parse().unwrap());
        assert_eq!(reachable("[::]:8061".parse().unwrap()), "[::1]:8061".parse().unwrap());
        assert_eq!(reachable("192.0.2.1:1".parse().unwrap()), "192.0.2.1:1".parse().unwrap());
    }
}
