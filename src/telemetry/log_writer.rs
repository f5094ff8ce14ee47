//! Writes log lines on a thread of its own.
//!
//! A line that cannot be written is dropped and counted: the disk is full, the reader of the pipe is gone, or it does
//! not read. The thread is needed because a write lasts for as long as the reader of a full pipe does not read.
//!
//! `tracing-appender` also has such a thread. It prints its own problems to standard error, which panics when standard
//! error is the problem.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// The number of lines that wait for the thread. More lines are dropped.
const MAX_QUEUED: usize = 1024;
/// The longest time that the end of the process waits for queued lines.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);
/// The pause after which a pipe that is full and does not block is tried again, and the number of pauses.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSES: u32 = 100;

/// The lines of this process that were dropped. Standard error is one for the whole process too.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The number of log lines that could not be written since the start of the process.
pub fn dropped_lines() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Writes lines without blocking and without errors. Clones share the thread.
#[derive(Debug, Clone)]
pub struct LogWriter(SyncSender<Entry>);

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// Answered when all earlier lines are written.
    Flush(SyncSender<()>),
}

impl LogWriter {
    /// Starts a thread that writes to standard error.
    pub fn stderr() -> Self {
        // A copy of the descriptor, because the lock of `io::stderr` would be held for as long as a write blocks.
        match io::stderr().as_fd().try_clone_to_owned() {
            Ok(descriptor) => Self::start(File::from(descriptor)),
            Err(_) => Self::start(io::stderr()),
        }
    }

    fn start(out: impl Write + Send + 'static) -> Self {
        let (sender, entries) = sync_channel(MAX_QUEUED);
        // Without a thread, each line finds the channel closed and is counted.
        _ = thread::Builder::new().name("log".to_owned()).spawn(move || write_entries(out, &entries));
        Self(sender)
    }

    /// Writes one line that is not a log event.
    pub fn line(&self, text: &str) {
        self.queue(format!("{text}\n").into_bytes());
    }

    fn queue(&self, line: Vec<u8>) {
        if self.0.try_send(Entry::Line(line)).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits a moment until the lines are written.
    pub fn flush(&self) {
        let (written, is_written) = sync_channel(1);
        let pauses = FLUSH_LIMIT.as_millis() / PAUSE.as_millis();
        for _ in 0..pauses {
            if self.0.try_send(Entry::Flush(written.clone())).is_ok() {
                // Nothing is left to do if the time is over.
                _ = is_written.recv_timeout(FLUSH_LIMIT);
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

/// A log event is one write.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queue(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_entries(mut out: impl Write, entries: &Receiver<Entry>) {
    let mut is_torn = false;
    let mut reported = dropped_lines();
    for entry in entries {
        let line = match entry {
            Entry::Line(line) => line,
            Entry::Flush(written) => {
                // The receiver is gone if its time is over.
                _ = written.try_send(());
                continue;
            }
        };
        // The line break ends the line of which only a beginning was written.
        let line = if is_torn { [b"\n".as_slice(), line.as_slice()].concat() } else { line };
        let written = write_line(&mut out, &line);
        if written < line.len() {
            is_torn |= written > 0;
            DROPPED.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        is_torn = false;
        let dropped = dropped_lines();
        if dropped > reported {
            tracing::warn!(lines = dropped - reported, "log lines were dropped: they could not be written");
            reported = dropped;
        }
    }
}

/// Returns the number of bytes that were written.
fn write_line(out: &mut impl Write, line: &[u8]) -> usize {
    let (mut rest, mut pauses) = (line, 0);
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => break,
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && pauses < PAUSES => {
                pauses += 1;
                thread::sleep(PAUSE);
            }
            Err(_) => break,
        }
    }
    line.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Arc, Mutex, mpsc},
    };

    use super::*;

    /// The result of each write: a number of bytes at most, or an error.
    #[derive(Clone, Default)]
    struct Script {
        results: Arc<Mutex<VecDeque<io::Result<usize>>>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Script {
        fn of(results: impl IntoIterator<Item = io::Result<usize>>) -> Self {
            Self { results: Arc::new(Mutex::new(results.into_iter().collect())), ..Self::default() }
        }

        fn text(&self) -> String {
            String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let limit = self.results.lock().unwrap().pop_front().unwrap_or(Ok(usize::MAX))?;
            self.written.lock().unwrap().write(&bytes[..limit.min(bytes.len())])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn error(kind: io::ErrorKind) -> io::Result<usize> {
        Err(kind.into())
    }

    #[test]
    fn lines_that_cannot_be_written_are_dropped_and_counted() {
        use io::ErrorKind::{BrokenPipe, Interrupted, StorageFull, WouldBlock};
        let script = Script::of([
            error(BrokenPipe),
            error(Interrupted),
            Ok(1),
            error(WouldBlock),
            Ok(9),
            Ok(2),
            error(StorageFull),
        ]);
        let before = dropped_lines();
        let writer = LogWriter::start(script.clone());
        for line in ["first", "second", "third", "fourth"] {
            writer.line(line);
        }
        writer.flush();
        assert_eq!(script.text(), "second\nth\nfourth\n");
        // Other tests of this process may drop lines too.
        assert!(dropped_lines() >= before + 2);
    }

    #[test]
    fn a_writer_that_blocks_does_not_block_its_callers() {
        struct Blocked(mpsc::Receiver<()>);

        impl Write for Blocked {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                _ = self.0.recv();
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let before = dropped_lines();
        let (unblock, blocked) = mpsc::channel();
        let writer = LogWriter::start(Blocked(blocked));
        for number in 0..MAX_QUEUED + 10 {
            writer.line(&number.to_string());
        }
        assert!(dropped_lines() >= before + 9);
        writer.flush();
        drop(unblock);
    }
}
