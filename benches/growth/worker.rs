//! An outbox in a process of its own, and the few things that it is told to do with it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{self, Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream};
use tokio::{runtime::Runtime, task::JoinSet, time::Instant};
use wecom_relay::{
    clock::{Clock, SystemClock},
    delivery::{
        Monotonic,
        pace::{Limits, Pace, Windows},
        plan::{self, Action},
    },
    dispatch::dispatcher::{CONCURRENCY, DUPLICATE_CHECK},
    outbox::{
        AlertRef, Attempt, Claimed, Dedupe, DeliveryId, Key, Kind, NewDelivery, NewNotification, Outbox,
        Part, Pick, ReceiverName, SenderName, Settlement, Standing, Status, StoreResult, Verdict,
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
/// How far the dispatcher has a queue counted that is limited to 30 a minute.
const COUNTED: u32 = CONCURRENCY + 1;

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
    let standing = outbox.stand(&channel(), DUPLICATE_CHECK, Arc::new(SystemClock));
    // Limits that are never reached: what goes out is planned, and nothing is folded or waits.
    let pace = Pace::new(Limits { per_minute: u32::MAX, per_hour: 0 }, Windows::default());
    let mut work = Work { outbox, standing, pace, next: first, turn: 0, text: super::text_of(0) };
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
    standing: Standing,
    pace: Pace,
    next: u64,
    turn: usize,
    text: String,
}

impl Work {
    async fn fill(&mut self, count: u64) -> Vec<f64> {
        self.enqueue(count, 8 * TOGETHER).await;
        Vec::new()
    }

    /// Enqueues `count`, then claims and settles as many, by slots that are lent; and again, by a plan. The rates of
    /// enqueuing, of claiming and settling by slots, and of claiming and of settling by a plan.
    async fn round(&mut self, count: u64) -> Vec<f64> {
        let mut enqueuing = self.enqueue(count, TOGETHER).await;
        let lending = self.lend(count).await;

        enqueuing += self.enqueue(count, TOGETHER).await;
        let (mut claiming, mut settling, mut done) = (Duration::ZERO, Duration::ZERO, 0);
        while done < count {
            let began = Instant::now();
            let claimed = self.claim_planned().await;
            claiming += began.elapsed();
            assert!(!claimed.is_empty());
            done += claimed.len() as u64;
            let began = Instant::now();
            self.settle(&claimed).await;
            settling += began.elapsed();
        }
        vec![rate(2 * count, enqueuing), rate(count, lending), rate(done, claiming), rate(done, settling)]
    }

    /// Delivers all that waits, and forgets it.
    async fn drain(&mut self) -> Vec<f64> {
        loop {
            let claimed = self.claim_planned().await;
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

    /// Has `count` of what waits claimed for slots that are lent, and settles it: how long that takes. What is claimed
    /// is settled at once, and its slot lent before that, so that the commit that settles also claims.
    async fn lend(&mut self, count: u64) -> Duration {
        let began = Instant::now();
        let (mut to_lend, mut settled) = (count, 0);
        let mut settles = JoinSet::new();
        let first = count.min(CONCURRENCY.into());
        self.standing.lend(u32::try_from(first).unwrap());
        to_lend -= first;
        // Nothing is settled that the first claim could ride with.
        self.turn += 1;
        self.outbox.claim_due(&channel(), 0, self.turn, DUPLICATE_CHECK, SystemClock.now()).await.unwrap();
        while settled < count {
            tokio::select! {
                Some(used) = self.standing.used(), if self.standing.lent() > 0 => {
                    let claimed = used.claimed.unwrap();
                    assert_eq!(claimed.len(), used.slots as usize, "nothing waits");
                    for claimed in claimed {
                        if to_lend > 0 {
                            self.standing.lend(1);
                            to_lend -= 1;
                        }
                        settles.spawn(settle(self.outbox.clone(), claimed.id));
                    }
                }
                Some(done) = settles.join_next() => {
                    done.unwrap().unwrap();
                    settled += 1;
                }
            }
        }
        began.elapsed()
    }

    /// Claims what the plan of a sender with limits lets go out.
    async fn claim_planned(&mut self) -> Vec<Claimed> {
        let (sender, now) = (channel(), SystemClock.now());
        let waiting = self.outbox.waiting(&sender, COUNTED, now).await.unwrap();
        self.turn += 1;
        let plan = plan::plan(
            &waiting.queues,
            &self.pace,
            CONCURRENCY,
            self.turn,
            Monotonic(Duration::from_secs(1)),
        );
        let picks = plan.actions.into_iter().map(|action| match action {
            Action::Send { destination, receiver, slots } => Pick::Heads { destination, receiver, slots },
            Action::Fold { .. } => panic!("the limits are reached"),
        });
        self.outbox.claim(&sender, picks.collect(), DUPLICATE_CHECK, now).await.unwrap()
    }

    async fn settle(&self, claimed: &[Claimed]) {
        let settles = claimed.iter().map(|claimed| settle(self.outbox.clone(), claimed.id));
        for settled in join_all(settles).await {
            settled.unwrap();
        }
    }
}

fn channel() -> SenderName {
    SenderName(APP.to_owned())
}

async fn settle(outbox: SqliteOutbox, delivery: DeliveryId) -> StoreResult<()> {
    let now = SystemClock.now();
    let attempt = Attempt {
        started_at: now,
        duration: Duration::from_millis(1),
        errcode: Some(0),
        detail: "ok".to_owned(),
        counted: true,
    };
    let verdict = Verdict::Delivered(Receipt { msgid: "msgid-0123456789".to_owned(), ..Receipt::default() });
    outbox.settle(Settlement { delivery, attempt, verdict }, now).await
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
        alerts: (0..payload::ALERTS).map(alert).collect(),
        dedupe: Some(Dedupe {
            key: Key::of([group_key.as_bytes()]),
            source: "http://alertmanager.example.com".to_owned(),
            window: Duration::from_secs(120),
        }),
        group_key,
        summary: text.lines().next().unwrap_or_default().to_owned(),
        text_form: None,
        dead: None,
        sender: channel(),
        recipients: recipients.clone(),
        deliveries: vec![NewDelivery { recipients, content: Content::Text(text), part: Part::WHOLE }],
    }
}
