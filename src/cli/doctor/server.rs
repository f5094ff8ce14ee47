//! Checks of the relay itself: the outbox, the port and the limit of open files. They change nothing.

use std::{
    fs::OpenOptions,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

use super::{finding::Finding, postgres, report::Report};
use crate::{
    app::{self, Access, Prepared},
    config::{Config, Database},
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

pub(super) async fn check(prepared: &Prepared, limit: Duration, report: &mut Report<'_>) -> io::Result<()> {
    let config = &prepared.config;
    let (owned, holds) = match &config.outbox.database {
        Database::File(path) => {
            let owned = is_owned(path);
            let (finding, holds) = outbox(config, path, owned).await;
            report.add(SUBJECT, &finding)?;
            (owned, holds)
        }
        Database::Postgres(database) => (false, postgres::check(prepared, database, limit, report).await?),
    };
    report.add(SUBJECT, &listen(config.server.listen, owned, limit))?;
    if let Some(files) = std::fs::read_to_string("/proc/self/limits").ok().as_deref().and_then(open_files) {
        report.add(SUBJECT, &open_files_finding(files))?;
    }
    for hold in holds {
        report.add(&format!("app {}", hold.sender), &hold_finding(&hold))?;
    }
    Ok(())
}

async fn outbox(config: &Config, path: &Path, owned: bool) -> (Finding, Vec<Hold>) {
    let shown = path.display();
    if !path.exists() {
        return (missing_outbox(path), Vec::new());
    }
    if !path.is_dir()
        && let Err(error) = OpenOptions::new().read(true).write(true).open(path)
    {
        return (unwritable(&format!("{shown} cannot be written: {error}")), Vec::new());
    }
    let opened = match app::open_outbox(&config.outbox, Access::Guest) {
        Ok(outbox) => {
            let holds = outbox.holds().await;
            outbox.close().await;
            holds.map_err(|error| error.to_string())
        }
        // `serve` creates or upgrades the database at its start.
        Err(app::OpenError::Sqlite(OpenError::Missing { .. } | OpenError::Older { .. })) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    };
    match opened {
        Ok(holds) => {
            let usage = if owned { ", in use by a running relay" } else { ", not in use" };
            (Finding::ok(OUTBOX, format!("{shown}{usage}")), holds)
        }
        Err(error) => (Finding::failed(OUTBOX, error, "check outbox.path"), Vec::new()),
    }
}

/// The finding for an outbox that does not exist yet.
fn missing_outbox(path: &Path) -> Finding {
    let shown = path.display();
    let there = path.ancestors().skip(1).find(|folder| folder.exists());
    // The parent of a relative file name is the empty path.
    let folder = there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match tempfile::tempfile_in(folder) {
        Ok(_) => Finding::ok(OUTBOX, format!("{shown} does not exist yet; `serve` creates it")),
        Err(error) => unwritable(&format!("{shown} cannot be created in {}: {error}", folder.display())),
    }
}

fn unwritable(message: &str) -> Finding {
    Finding::failed(
        OUTBOX,
        message,
        "make the relay's user the owner of outbox.path and its folder, and run this command as that user",
    )
}

fn listen(address: SocketAddr, owned: bool, limit: Duration) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(LISTEN, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if is_healthy(address, limit) {
                return Finding::ok(LISTEN, format!("a relay answers at {address}"));
            }
            if owned {
                return Finding::ok(LISTEN, format!("{address} is in use by a running relay"));
            }
            let help = "stop that program, or change server.listen and Alertmanager's URL of the relay";
            Finding::failed(LISTEN, format!("{address} is in use by another program"), help)
        }
        Err(error) => {
            let help = match error.kind() {
                io::ErrorKind::PermissionDenied => "use a port above 1023 in server.listen",
                io::ErrorKind::AddrNotAvailable => {
                    "this machine does not have this address: correct server.listen; 0.0.0.0 stands for all addresses"
                }
                _ => "correct server.listen",
            };
            Finding::failed(LISTEN, format!("the relay cannot listen on {address}: {error}"), help)
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
fn reachable(mut address: SocketAddr) -> SocketAddr {
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
        return Finding::ok(OPEN_FILES, format!("{files} are allowed"));
    }
    let help = format!("allow at least {ENOUGH_FILES}: LimitNOFILE= of systemd, `ulimit -n` of a shell");
    Finding::warning(OPEN_FILES, format!("only {files} are allowed"), help)
}

fn hold_finding(hold: &Hold) -> Finding {
    let message = format!(
        "the relay holds its messages since {:.0}, and makes the next attempt at {:.0}",
        hold.since, hold.next_probe_at
    );
    Finding::warning("hold", message, &hold.reason)
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
        assert!(open_files_finding(200).help.contains("LimitNOFILE"));
        assert_eq!(open_files_finding(1024), Finding::ok(OPEN_FILES, "1024 are allowed"));
    }

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_loopback() {
        assert_eq!(reachable("0.0.0.0:8061".parse().unwrap()), "127.0.0.1:8061".parse().unwrap());
        assert_eq!(reachable("[::]:8061".parse().unwrap()), "[::1]:8061".parse().unwrap());
        assert_eq!(reachable("192.0.2.1:1".parse().unwrap()), "192.0.2.1:1".parse().unwrap());
    }
}
