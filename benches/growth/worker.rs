//! An outbox in a process of its own, and the few things that it is told to do with it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{self, Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream};
use tokio::{runtime::Runtime, time::Instant};
use wecom_relay::{
    clock::{Clock, SystemClock},
    outbox::{
        AlertRef, Attempt, Channel, Claimed, Dedupe, Key, Kind, NewDelivery, NewNotification, Outbox, Part,
        ReceiverName, Settlement, Status, Verdict,
        sqlite::{Access, Settings, SqliteOutbox},
    },
    wecom::{Content, Receipt, Recipients},
};

use crate::{
    payload,
    samples::rate,
    setup::{APP, MAX_SIZE, OUTBOX},
};

/// As many enqueues wait at once as a busy webhook has requests.
const TOGETHER: usize = 64;
/// As many as the dispatcher claims at once.
const CLAIMED_TOGETHER: u32 = 32;
const DUPLICATE_CHECK: Duration = Duration::from_secs(120);

/// The other process. It ends when this is dropped.
pub(super) struct Worker {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    pub(super) fn start(folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--role", "growth"]).arg(folder.join(OUTBOX));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, orders, answers }
    }

    /// Has it do `what` with `count` rows: the rates that it measured.
    pub(super) fn ask(&mut self, what: &str, count: u64) -> Vec<f64> {
        writeln!(self.orders, "{what} {count}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(answer.starts_with("done"), "{what} {count}: {answer:?}");
        answer.split_whitespace().skip(1).map(|rate| rate.parse().unwrap()).collect()
    }

    pub(super) fn rss_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// Has it close its outbox, and waits for that.
    pub(super) fn end(mut self) {
        writeln!(self.orders, "end 0").unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has ended already, as a rule.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The other side: does what it is told on standard input.
pub(crate) fn play(path: &str) {
    let runtime = Runtime::new().unwrap();
    let outbox = SqliteOutbox::open(Settings::new(path.into(), MAX_SIZE), Access::Owner).unwrap();
    // Later than every earlier process, so that no group comes twice.
    let first = SystemClock.now().as_millisecond().unsigned_abs() * 1_000 % 4_000_000_000;
    let mut work = Work { outbox, next: first, turn: 0, text: super::text_of(0) };
    let (order, orders) = mpsc::channel();
    // Nobody who could want a result is left when standard input ends, however long the work still takes.
    thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).for_each(|line| order.send(line).unwrap());
        process::exit(1);
    });
    for line in orders {
        let (what, count) = line.split_once(' ').unwrap();
        let count = count.parse().unwrap();
        let rates = runtime.block_on(async {
            match what {
                "fill" => work.fill(count).await,
                "round" => work.round(count).await,
                "drain" => work.drain().await,
                _ => Vec::new(),
            }
        });
        let rates: Vec<String> = rates.iter().map(f64::to_string).collect();
        println!("done {}", rates.join(" "));
        if what == "end" {
            break;
        }
    }
    runtime.block_on(work.outbox.close());
}

struct Work {
    outbox: SqliteOutbox,
    next: u64,
    turn: usize,
    text: String,
}

impl Work {
    async fn fill(&mut self, count: u64) -> Vec<f64> {
        self.enqueue(count, 8 * TOGETHER).await;
        Vec::new()
    }

    /// Enqueues `count`, then claims and settles as many: the rates of the three.
    async fn round(&mut self, count: u64) -> Vec<f64> {
        let enqueuing = self.enqueue(count, TOGETHER).await;
        let (mut claiming, mut settling, mut done) = (Duration::ZERO, Duration::ZERO, 0);
        while done < count {
            let began = Instant::now();
            let claimed = self.claim().await;
            claiming += began.elapsed();
            assert!(!claimed.is_empty());
            done += claimed.len() as u64;
            let began = Instant::now();
            self.settle(&claimed).await;
            settling += began.elapsed();
        }
        vec![rate(count, enqueuing), rate(done, claiming), rate(done, settling)]
    }

    /// Delivers all that waits, and forgets it.
    async fn drain(&mut self) -> Vec<f64> {
        loop {
            let claimed = self.claim().await;
            if claimed.is_empty() {
                break;
            }
            self.settle(&claimed).await;
        }
        let before = SystemClock.now() + Duration::from_secs(1);
        while self.outbox.purge(before, 100).await.unwrap() > 0 {}
        Vec::new()
    }

    async fn enqueue(&mut self, count: u64, together: usize) -> Duration {
        let ids = self.next..self.next + count;
        self.next = ids.end;
        let began = Instant::now();
        let outbox = &self.outbox;
        let text = &self.text;
        stream::iter(ids)
            .for_each_concurrent(together, |id| async move {
                outbox.enqueue(notification(id, text), SystemClock.now()).await.unwrap();
            })
            .await;
        began.elapsed()
    }

    async fn claim(&mut self) -> Vec<Claimed> {
        let (channel, now) = (Channel(APP.to_owned()), SystemClock.now());
        self.turn += 1;
        let slots = CLAIMED_TOGETHER;
        self.outbox.claim_due(&channel, slots, self.turn, DUPLICATE_CHECK, now).await.unwrap().claimed
    }

    async fn settle(&self, claimed: &[Claimed]) {
        let now = SystemClock.now();
        let settle = |claimed: &Claimed| {
            let attempt = Attempt {
                started_at: now,
                duration: Duration::from_millis(1),
                errcode: Some(0),
                detail: "ok".to_owned(),
                counted: true,
            };
            let verdict =
                Verdict::Delivered(Receipt { msgid: "msgid-0123456789".to_owned(), ..Receipt::default() });
            self.outbox.settle(Settlement { delivery: claimed.id, attempt, verdict }, now)
        };
        for settled in join_all(claimed.iter().map(settle)).await {
            settled.unwrap();
        }
    }
}

/// A notification as the webhook makes it.
fn notification(id: u64, text: &str) -> NewNotification {
    let receiver = payload::receiver(id);
    let recipients = Recipients::parse(&format!("user-of-{receiver}"), "", "").unwrap();
    let group_key = format!("{{}}/{{severity=\"critical\"}}:{{job=\"{}{id:010}\"}}", payload::MARK);
    let text = text.replace("unit-0000000000", &format!("{}{id:010}", payload::MARK));
    let alert = |number| AlertRef { fingerprint: format!("9f3c{number:012x}"), status: Status::Firing };
    NewNotification {
        kind: Kind::Alert,
        receiver: ReceiverName(receiver),
        status: Status::Firing,
        severity: "critical".to_owned(),
        alerts: (0..2).map(alert).collect(),
        dedupe: Some(Dedupe {
            key: Key::of([group_key.as_bytes()]),
            source: "http://alertmanager.example.com".to_owned(),
            window: Duration::from_secs(120),
        }),
        group_key,
        summary: text.lines().next().unwrap_or_default().to_owned(),
        text_form: None,
        dead: None,
        channel: Channel(APP.to_owned()),
        recipients: recipients.clone(),
        deliveries: vec![NewDelivery { recipients, content: Content::Text(text), part: Part::WHOLE }],
    }
}
