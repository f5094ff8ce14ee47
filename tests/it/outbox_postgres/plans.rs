//! The query plan of every statement that the engine runs, as the server reports it: no table is read as a whole, and
//! nothing that grows is sorted.

use jiff::Timestamp;
use wecom_relay::outbox::{
    CardStore, CodeState, Filter, Handled, HandledAction, Lease, ListOrder, NewNotification, NoticeSubject,
    Outbox, OutboxQuery, PageRequest, PressVerdict, Requeue, SenderName, State, Verdict, WatchVerdict,
    postgres::{LeaseTimes, PostgresLease, PostgresOutbox},
};

use super::open;
use crate::{
    outbox_conformance::{
        cards::{card, resolved, send_card, sent_with, settle_tried},
        fixture::{
            acquire, addressed, alert, at, claim, claim_one, deliver, digest, drain, enqueue, fold, kill,
            list_all, ops, postpone, split, state, team, undo, user,
        },
        presses::{accept, press},
    },
    support::postgres::{Cluster, database_of},
};

/// Tables that always have few rows, or that a statement reads as a whole on purpose.
const SMALL: [&str; 7] = ["usage", "relay_clock", "lease", "replica", "hold", "migration", "sender"];

/// A plan from the log of the server.
struct Plan {
    text: String,
}

/// The plans in the log of a server with `auto_explain`.
fn plans(log: &str) -> Vec<Plan> {
    let mut plans: Vec<Plan> = Vec::new();
    for line in log.lines() {
        if line.contains("LOG:") {
            let is_plan = line.contains(" plan:");
            plans.push(Plan { text: String::new() });
            if !is_plan {
                plans.pop();
            }
        } else if let Some(plan) = plans.last_mut()
            && (line.starts_with('\t') || line.starts_with(' '))
        {
            plan.text.push_str(line);
            plan.text.push('\n');
        }
    }
    // A migration runs once, and may read a whole table.
    plans.retain(|plan| plan.text.contains("wecom_relay.") && !plan.text.contains("ALTER TABLE"));
    plans
}

/// Uses every operation of the port.
async fn use_everything(outbox: &PostgresOutbox, round: i64) {
    let now = |second: i64| at(round * 1000 + second);
    let lease = acquire(outbox, now(0)).await;
    let group = |name: &str| format!("{round} {name}");
    use_cards(outbox, &lease, &group("cards"), &now).await;
    enqueue(outbox, state(&group("a"), "text"), now(0)).await;
    outbox.enqueue(state(&group("a"), "text"), now(0)).await.unwrap();
    enqueue(outbox, split(&group("b"), "long", 3), now(0)).await;
    let claimed = claim_one(&lease, now(1)).await;
    postpone(&lease, &claimed, now(2), now(1)).await;
    drain(&lease, now(3)).await;
    for n in 0..4 {
        enqueue(outbox, alert(&group("c"), &n.to_string()), now(4)).await;
    }
    let folded = fold(&lease, 2, digest("digest"), now(5)).await;
    undo(&lease, &folded[0], now(5)).await;
    let folded = fold(&lease, 1, digest("digest"), now(6)).await;
    if let Some(folded) = folded.first() {
        deliver(&lease, folded, now(6)).await;
    }
    let dead = claim(&lease, 1, now(7)).await;
    for dead in &dead {
        kill(&lease, dead, now(7)).await;
    }
    let unnoticed = outbox.unnoticed(&team(), now(0), 10).await.unwrap();
    let ids = unnoticed.iter().map(|dead| dead.delivery).collect();
    let notice = alert(&group("notice"), "notice");
    outbox.notice(notice.clone(), NoticeSubject::Dead(ids), now(8)).await.unwrap();
    outbox.notice(notice, NoticeSubject::Hold(ops(), team()), now(8)).await.unwrap();
    outbox.held_backlog(&ops(), &team(), 3, 100).await.unwrap();
    outbox.holds().await.unwrap();
    outbox.requeue(Requeue::AllDead, now(9)).await.unwrap();
    if let Some(dead) = dead.first() {
        outbox.requeue(Requeue::One(dead.id), now(9)).await.unwrap();
        outbox.discard(dead.id, now(9)).await.unwrap();
        outbox.show(dead.id).await.unwrap();
    }
    for states in [vec![], vec![State::Dead]] {
        for order in [ListOrder::OldestFirst, ListOrder::NewestFirst] {
            let filter = Filter { states: states.clone(), ..Filter::default() };
            outbox.list(filter, PageRequest { order, after: None, limit: 10 }).await.unwrap();
        }
    }
    let members = Filter { digest: folded.first().map(|digest| digest.id), ..Filter::default() };
    list_all(outbox, members, ListOrder::OldestFirst, 10).await;
    outbox.depths().await.unwrap();
    outbox.senders().await.unwrap();
    lease.scheduled().await.unwrap();
    lease.sent_since(now(0)).await.unwrap();
    outbox.recover(&SenderName("gone".to_owned()), now(9)).await.unwrap();
    outbox.probe(now(9)).await.unwrap();
    outbox.purge(at(round * 1000 - 500), 100).await.unwrap();
    outbox.size().await.unwrap();
    let left = claim(&lease, 2, now(20)).await;
    acquire(outbox, now(21)).await;
    for left in left {
        crate::outbox_conformance::fixture::settle(&lease, &left, Verdict::Dead("late".to_owned()), now(22))
            .await;
    }
}

/// Sends cards, presses their buttons, watches and updates them.
async fn use_cards(
    outbox: &PostgresOutbox,
    lease: &PostgresLease,
    group: &str,
    now: &impl Fn(i64) -> Timestamp,
) {
    drain(lease, now(0)).await;
    for n in 0..3 {
        let task_id = format!("{group} {n}");
        send_card(outbox, lease, card(group, &task_id), &task_id, now(0)).await;
        accept(outbox, press(&task_id, 0), now(0)).await;
        let claimed = outbox.claim_press(now(9), now(0)).await.unwrap().unwrap();
        let handled = Handled { action: HandledAction::Acknowledged, by: "zhang".to_owned(), at: now(0) };
        let verdict = PressVerdict::Done {
            result: "done".to_owned(),
            handled: Some(handled),
            watch_until: Some(now(100)),
            notifications: vec![alert(group, "update")],
        };
        outbox.settle_press(claimed.id, claimed.claim, verdict, now(0)).await.unwrap();
        drain(lease, now(0)).await;
    }
    accept(outbox, press("unknown", now(0).as_second()), now(0)).await;
    outbox.next_press_due().await.unwrap();
    let claimed = outbox.claim_press(now(9), now(0)).await.unwrap().unwrap();
    let retry = PressVerdict::Retry { at: now(5), reason: String::new() };
    outbox.settle_press(claimed.id, claimed.claim, retry, now(0)).await.unwrap();
    let watched = outbox.watched_cards(2, now(9), now(1)).await.unwrap();
    let delivery = watched[0].card.delivery;
    let again = WatchVerdict::Again { at: now(2), absence: None };
    outbox.settle_watch(delivery, now(9), again, now(1)).await.unwrap();
    let ended = WatchVerdict::Resolved(resolved(group));
    outbox.settle_watch(delivery, now(2), ended, now(1)).await.unwrap();
    let update = claim_one(lease, now(1)).await;
    outbox.presses(update.id).await.unwrap();
    let tried: Vec<_> =
        update.open_cards.iter().map(|card| (card.task_id.as_str(), CodeState::Used)).collect();
    settle_tried(lease, &update, sent_with(""), &tried, now(1)).await;
    outbox.recalled(update.id, now(2)).await.unwrap();
}

/// Fills the tables with deliveries that wait and deliveries that are settled.
async fn fill(outbox: &PostgresOutbox, count: usize) {
    let calls = (0..count).map(|n| {
        let to = user(&format!("user{}", n % 50));
        let new = addressed(alert(&format!("fill {n}"), "text"), &to);
        outbox.enqueue(NewNotification { sender: SenderName("other".to_owned()), ..new }, at(-1000))
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
}

#[tokio::test]
async fn every_statement_searches_an_index() {
    let settings = [
        "shared_preload_libraries=auto_explain",
        "auto_explain.log_min_duration=0",
        "log_min_messages=log",
        "autovacuum=off",
    ];
    let cluster = Cluster::start(&settings);
    let url = cluster.database();
    let outbox = open(&url, LeaseTimes::default());
    use_everything(&outbox, 1).await;
    fill(&outbox, 5000).await;
    use_everything(&outbox, 2).await;
    cluster.sql(database_of(&url), "ANALYZE");
    outbox.close().await;
    let outbox = open(&url, LeaseTimes::default());
    use_everything(&outbox, 3).await;
    outbox.close().await;
    let plans = plans(&cluster.log());
    assert!(plans.len() > 500, "{} plans", plans.len());
    let mut bad = Vec::new();
    for plan in &plans {
        let is_small = |line: &str| SMALL.iter().any(|table| line.contains(&format!("on {table}")));
        let scans = plan.text.lines().any(|line| {
            (line.contains("Seq Scan") && !is_small(line)) || line.contains("Bitmap") || line.contains("JIT")
        });
        // The rows of a list of numbers are as few as the list.
        let is_of_list = [
            "= ANY",
            "unnest",
            "wecom_relay.migration",
            "wecom_relay.replica",
            "wecom_relay.lease",
            "wecom_relay.hold",
            "wecom_relay.sender",
            "wecom_relay.discarded",
        ]
        .iter()
        .any(|list| plan.text.contains(list));
        let sorts = plan.text.lines().any(|line| line.contains("Sort  (")) && !is_of_list;
        if scans || sorts {
            bad.push(plan.text.clone());
        }
    }
    bad.sort();
    bad.dedup();
    assert!(bad.is_empty(), "{} plans:\n{}", bad.len(), bad.join("\n"));
}
