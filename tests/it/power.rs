//! Power failures: the files of the outbox are built again as a disk may have them at any moment. Whatever was not flushed is
//! lost, in whole or in part.

use std::{collections::HashMap, fs, path::Path};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rusqlite::Connection;
use tempfile::TempDir;
use wecom_relay::outbox::sqlite::{Access, Settings, SqliteOutbox};

use crate::support::{
    Options, Process, Wecom, config_file, eventually,
    members::{BY_MEMBER, member, payload_for},
    process::serve_traced,
    soon,
    tools::strace,
};

const FILES: [&str; 2] = ["outbox.db", "outbox.db-wal"];
/// A disk writes a sector as a whole.
const SECTOR: usize = 512;
const BURSTS: usize = 3;
const ALERTS: usize = 8;

/// A change of a file that is not flushed yet.
#[derive(Debug, Clone)]
enum Change {
    Write {
        offset: usize,
        data: Vec<u8>,
    },
    /// At least this length.
    Grow(usize),
    Cut(usize),
}

/// A file, as it is on the disk and as the kernel has it.
#[derive(Debug, Default)]
struct TracedFile {
    flushed: Vec<u8>,
    unflushed: Vec<Change>,
}

/// The changes that reach the disk although they were not flushed.
#[derive(Debug, Clone, Copy)]
enum Survives {
    Nothing,
    SomeSectors,
    Everything,
}

impl TracedFile {
    fn flush(&mut self) {
        for change in std::mem::take(&mut self.unflushed) {
            apply(&mut self.flushed, &change, |_| true);
        }
    }

    fn after_power_failure(&self, survives: Survives, rng: &mut StdRng) -> Vec<u8> {
        let mut bytes = self.flushed.clone();
        for change in &self.unflushed {
            apply(&mut bytes, change, |_| match survives {
                Survives::Nothing => false,
                Survives::SomeSectors => rng.random_ratio(1, 2),
                Survives::Everything => true,
            });
        }
        bytes
    }
}

/// Applies the sectors of `change` that survive.
fn apply(bytes: &mut Vec<u8>, change: &Change, mut survives: impl FnMut(usize) -> bool) {
    match change {
        Change::Grow(length) if survives(0) => bytes.resize((*length).max(bytes.len()), 0),
        Change::Cut(length) if survives(0) => bytes.resize(*length, 0),
        Change::Grow(_) | Change::Cut(_) => {}
        Change::Write { offset, data } => {
            let mut at = *offset;
            while at < offset + data.len() {
                let end = ((at / SECTOR + 1) * SECTOR).min(offset + data.len());
                if survives(at) {
                    bytes.resize(bytes.len().max(end), 0);
                    bytes[at..end].copy_from_slice(&data[at - offset..end - offset]);
                }
                at = end;
            }
        }
    }
}

/// Reads the system calls of the relay again, one line after the other.
#[derive(Default)]
struct Replay {
    files: [TracedFile; 2],
    /// The file that a thread flushes.
    flushing: HashMap<String, usize>,
    /// The number of webhooks that were answered with 200.
    answered: usize,
}

impl Replay {
    /// Returns false if the line is no step.
    fn step(&mut self, line: &str) -> bool {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if !call.starts_with("pwrite") && call.contains("\"HTTP/1.1 200 OK") {
            self.answered += 1;
            return true;
        }
        if call.contains("sync resumed>") {
            let flushed = self.flushing.remove(thread).filter(|_| call.ends_with("= 0"));
            return flushed.map(|file| self.files[file].flush()).is_some();
        }
        let Some((name, arguments)) = call.split_once('(') else { return false };
        let file = (0..2).find(|file| arguments.contains(&format!("/{}>", FILES[*file])));
        let Some(file) = file else { return false };
        let (_, arguments) = arguments.split_once('>').unwrap();
        let last = |arguments: &str| -> usize {
            let arguments = arguments.split_once(')').map_or(arguments, |(arguments, _)| arguments);
            let arguments = arguments.trim_end_matches(" <unfinished ...>");
            arguments.rsplit(", ").next().unwrap().parse().unwrap()
        };
        match name {
            "pwrite64" => {
                let (data, rest) = arguments.trim_start_matches(", \"").rsplit_once("\", ").unwrap();
                let data = unescape(data);
                assert!(rest.starts_with(&format!("{}, ", data.len())), "{line}");
                self.files[file].unflushed.push(Change::Write { offset: last(rest), data });
            }
            "ftruncate" => self.files[file].unflushed.push(Change::Cut(last(arguments))),
            "fallocate" => {
                let numbers: Vec<&str> = arguments.split(", ").collect();
                let offset: usize = numbers[2].parse().unwrap();
                self.files[file].unflushed.push(Change::Grow(offset + last(arguments)));
            }
            "fdatasync" | "fsync" if call.ends_with("= 0") => self.files[file].flush(),
            "fdatasync" | "fsync" => {
                self.flushing.insert(thread.to_owned(), file);
                return false;
            }
            _ => panic!("{line}"),
        }
        true
    }
}

/// The bytes of a string of strace.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let (byte, after) = match (byte, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                (u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap(), after)
            }
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'v', after @ ..]) => (0x0B, after),
            (b'\\', [b'f', after @ ..]) => (0x0C, after),
            (b'\\', [escaped @ (b'"' | b'\\'), after @ ..]) => (*escaped, after),
            _ => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes
}

fn group(number: usize) -> String {
    format!("Group{number}")
}

/// Opens the outbox as the next start does, and checks that it has the first `answered` alerts.
async fn has_all_answered_alerts(replay: &Replay, survives: Survives, rng: &mut StdRng) {
    // A file system in memory needs no time for flushes.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
    for (name, file) in FILES.iter().zip(&replay.files) {
        fs::write(folder.path().join(name), file.after_power_failure(survives, rng)).unwrap();
    }
    let path = folder.path().join(FILES[0]);
    SqliteOutbox::open(Settings::new(path.clone(), u64::MAX), Access::Owner).unwrap().close().await;
    let database = Connection::open(path).unwrap();
    let integrity: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    let mut stored = database.prepare("SELECT summary FROM delivery").unwrap();
    let stored: Vec<String> = stored.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for number in 0..replay.answered {
        let name = format!(" {} ", group(number));
        let count = stored.iter().filter(|summary| format!("{summary} ").contains(&name)).count();
        assert_eq!(count, 1, "{name}, of {} answered, {survives:?}", replay.answered);
    }
}

/// Runs a relay until its log was copied into the file several times, and returns the trace.
async fn trace(strace: &Path, folder: &Path, config: &Path, wecom: &Wecom) -> String {
    let traced = folder.join("trace");
    let calls =
        ["-x", "-s", "70000", "-e", "trace=pwrite64,ftruncate,fallocate,fdatasync,fsync,write,writev,sendto"];
    let command = serve_traced(strace, &calls, &traced, config);
    let mut relay = Process::launch(command);
    relay.ready().await;
    let is_copied =
        |trace: &str, from: usize| trace.get(from..).is_some_and(|trace| trace.contains("outbox.db>, \""));
    for burst in 0..BURSTS {
        for number in burst * ALERTS..(burst + 1) * ALERTS {
            let alert = payload_for(&member(number), &group(number), &[("a", true)]);
            assert_eq!(relay.post(&alert).await, Some(200));
        }
        soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == (burst + 1) * ALERTS)).await;
        let length = fs::read_to_string(&traced).unwrap().len();
        eventually(async || is_copied(&fs::read_to_string(&traced).unwrap(), length), |copied| *copied).await;
    }
    relay.kill().await;
    eventually(async || fs::read_to_string(&traced).unwrap(), |trace| trace.contains("+++ killed by SIGKILL"))
        .await
}

#[tokio::test]
async fn no_power_failure_loses_an_answered_alert() {
    let Some(strace) = strace() else { return };
    let wecom = Wecom::with_members(BURSTS * ALERTS).await;
    let options = Options { receivers: BY_MEMBER.to_owned(), ..Options::default() };
    let (folder, config) = config_file(&wecom.url, &options);
    let trace = trace(&strace, folder.path(), &config, &wecom).await;
    let (mut replay, mut rng) = (Replay::default(), StdRng::seed_from_u64(1));
    let mut images = 0;
    for line in trace.lines() {
        let answered = replay.answered;
        if !replay.step(line) || replay.answered == 0 {
            continue;
        }
        // Each answer is a moment, and some of the steps between answers.
        if replay.answered > answered || rng.random_ratio(1, 8) {
            for survives in [Survives::Nothing, Survives::SomeSectors, Survives::Everything] {
                has_all_answered_alerts(&replay, survives, &mut rng).await;
                images += 1;
            }
        }
    }
    assert_eq!(replay.answered, BURSTS * ALERTS);
    assert!(images >= 3 * BURSTS * ALERTS, "{images}");
}
