//! The process that has an outbox, and the orders that the bench writes to its standard input.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{self, Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::{runtime::Runtime, time::Instant};
use wecom_relay::{
    clock::{Clock, SystemClock},
    outbox::sqlite::{Access, Settings, SqliteOutbox},
};

use super::port::Store;
use crate::{
    process::rss_mb,
    samples::rate,
    setup::{MAX_SIZE, OUTBOX},
};

/// The number of requests that wait for their commit at a busy webhook.
const CONCURRENT: usize = 64;

/// A round claims no longer than this, so that the bench ends even if claims are slow.
const MAX_TIME: Duration = Duration::from_secs(4);

/// Deliveries a second.
pub(super) struct Rates {
    pub(super) enqueue: f64,
    pub(super) claim_and_settle: f64,
}

/// The process, as the bench sees it. It ends when this is dropped.
pub(crate) struct Worker {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--role", "growth"]).arg(folder.join(OUTBOX));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, orders, answers }
    }

    /// Enqueues `count` deliveries.
    pub(crate) fn fill(&mut self, count: u64) {
        self.order("fill", count);
    }

    /// Enqueues `count` deliveries, then claims and settles as many.
    pub(super) fn round(&mut self, count: u64) -> Rates {
        let rates = self.order("round", count);
        Rates { enqueue: rates[0], claim_and_settle: rates[1] }
    }

    fn order(&mut self, order: &str, count: u64) -> Vec<f64> {
        writeln!(self.orders, "{order} {count}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(answer.starts_with("done"), "{order} {count}: {answer:?}");
        answer.split_whitespace().skip(1).map(|rate| rate.parse().unwrap()).collect()
    }

    pub(super) fn rss_mb(&self) -> f64 {
        rss_mb(&self.child)
    }

    /// Closes the outbox and waits for the end of the process.
    pub(crate) fn end(mut self) {
        writeln!(self.orders, "end 0").unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has ended already, unless the bench failed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Carries out the orders on standard input. The bench starts this in a process of its own.
pub(crate) fn run_child(path: &str) {
    let runtime = Runtime::new().unwrap();
    let outbox = SqliteOutbox::open(Settings::new(path.into(), MAX_SIZE), Access::Owner).unwrap();
    let store = runtime.block_on(Store::new(outbox.clone()));
    // The numbers start above those of every earlier process on this outbox, because a repeated one would be a duplicate.
    let first = SystemClock.now().as_millisecond().unsigned_abs() * 1_000 % 4_000_000_000;
    let mut work = Work { store, next: first };
    let (sender, orders) = mpsc::channel();
    // The process ends with standard input, because then the bench has ended.
    thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).for_each(|line| sender.send(line).unwrap());
        process::exit(1);
    });
    for line in orders {
        let (order, count) = line.split_once(' ').unwrap();
        let count = count.parse().unwrap();
        match order {
            "fill" => {
                runtime.block_on(work.enqueue(count, 8 * CONCURRENT));
                println!("done");
            }
            "round" => {
                let enqueuing = runtime.block_on(work.enqueue(count, CONCURRENT));
                let claimed_and_settled = runtime.block_on(work.claim_and_settle(count));
                println!("done {} {claimed_and_settled}", rate(count, enqueuing));
            }
            _ => break,
        }
    }
    runtime.block_on(outbox.close());
}

struct Work {
    store: Store<SqliteOutbox>,
    next: u64,
}

impl Work {
    async fn enqueue(&mut self, count: u64, concurrent: usize) -> Duration {
        let ids = self.next..self.next + count;
        self.next = ids.end;
        let store = &self.store;
        let began = Instant::now();
        stream::iter(ids).for_each_concurrent(concurrent, |id| store.enqueue(id)).await;
        began.elapsed()
    }

    /// Claims and settles `count` deliveries, or fewer if they take too long; returns the deliveries a second.
    async fn claim_and_settle(&mut self, count: u64) -> f64 {
        let (began, mut settled) = (Instant::now(), 0);
        while settled < count && began.elapsed() < MAX_TIME {
            let claimed = self.store.claim().await;
            assert!(!claimed.is_empty(), "nothing waits");
            settled += claimed.len() as u64;
            self.store.settle(&claimed).await;
        }
        rate(settled, began.elapsed())
    }
}
