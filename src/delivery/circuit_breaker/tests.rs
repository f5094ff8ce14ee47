use super::*;
use crate::outbox::Key;

mod simulation;

const UP: Monotonic = Monotonic(Duration::from_secs(1_000_000));
const MINUTE: Duration = Duration::from_secs(60);

fn wall() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn policy() -> Policy {
    Policy::new(Duration::from_secs(24 * 3600))
}

fn breaker(hold: Option<Hold>) -> CircuitBreaker {
    breaker_of("old", hold)
}

fn breaker_of(credentials: &str, hold: Option<Hold>) -> CircuitBreaker {
    CircuitBreaker::new(SenderName("ops".to_owned()), credentials.to_owned(), &policy(), hold, wall(), UP)
}

fn destination(number: u8) -> Destination {
    Destination(Key([number; 16]))
}

fn block(kind: BlockKind, errcode: i64) -> Block {
    Block { kind, errcode: Some(errcode), reason: "fix it".to_owned() }
}

fn blocks(kind: BlockKind, errcode: i64) -> Evidence {
    Evidence::Blocks(block(kind, errcode))
}

fn fails() -> Evidence {
    Evidence::Fails(block(BlockKind::Failing, 86399))
}

/// The end of the first delivery to a destination.
fn ended(number: u8, evidence: Evidence) -> EndedMessage {
    EndedMessage { delivery: DeliveryId(i64::from(number)), destination: destination(number), evidence }
}

fn record(breaker: &mut CircuitBreaker, ended: &EndedMessage, after: Duration) -> Recorded {
    breaker.record(ended, later(wall(), after), UP + after)
}

fn refused(breaker: &mut CircuitBreaker, after: Duration) -> Option<HoldChange> {
    record(breaker, &ended(1, blocks(BlockKind::RefusedSecret, 40001)), after).change
}

fn hold_of(breaker: &CircuitBreaker) -> Option<&Hold> {
    match &breaker.state {
        State::Held { hold, .. } => Some(hold),
        State::Closed => None,
    }
}

fn held(change: Option<HoldChange>) -> Hold {
    match change {
        Some(HoldChange::Held(hold, _) | HoldChange::StillHeld(hold, _)) => hold,
        other => panic!("not held: {other:?}"),
    }
}

/// The delays between the probes of a sender that is held for this reason.
fn delays(evidence: &Evidence, probes: usize) -> Vec<u64> {
    let (mut breaker, mut now, mut delays) = (breaker(None), Duration::ZERO, Vec::new());
    while delays.len() < probes {
        let change = record(&mut breaker, &ended(1, evidence.clone()), now).change;
        if change.is_none() {
            continue;
        }
        let hold = held(change);
        let wait = hold.next_probe_at.duration_since(later(wall(), now)).unsigned_abs();
        assert_eq!(hold.since, wall());
        delays.push(wait.as_secs());
        now += wait;
    }
    delays
}

#[test]
fn probes_come_after_growing_delays() {
    let usual = [1, 2, 5, 15, 30, 60, 60, 60, 60, 60, 60, 60];
    assert_eq!(delays(&fails(), 12), usual);
    assert_eq!(delays(&blocks(BlockKind::Configuration, 60020), 12), usual);
    let rate_limited = [1, 2, 5, 15, 30, 60, 60, 60, 60, 60, 300, 300];
    assert_eq!(delays(&blocks(BlockKind::RateLimited, 45009), 12), rate_limited);
    assert_eq!(delays(&blocks(BlockKind::RefusedSecret, 40001), 4), [60, 120, 300, 300]);
}

#[test]
fn an_open_sender_sends_one_probe_at_a_time() {
    let mut breaker = breaker(None);
    let hold =
        held(record(&mut breaker, &ended(1, blocks(BlockKind::Configuration, 60020)), Duration::ZERO).change);
    let probe = UP + Duration::from_secs(1);
    assert_eq!(breaker.admission(0, UP), Admission::Wait(probe));
    assert_eq!(breaker.admission(0, probe), Admission::One);
    assert_eq!(breaker.admission(1, probe), Admission::Probing);
    let works = ended(2, Evidence::Works);
    assert_eq!(record(&mut breaker, &works, MINUTE).change, Some(HoldChange::Released(hold)));
    assert_eq!(breaker.admission(31, probe), Admission::All);
}

#[test]
fn a_message_in_flight_at_the_start_of_a_hold_is_no_probe() {
    let mut breaker = breaker(None);
    let hold = held(refused(&mut breaker, Duration::ZERO));
    for n in 1..31 {
        assert_eq!(refused(&mut breaker, Duration::from_secs(n)), None);
        let lost = record(&mut breaker, &ended(2, fails()), Duration::from_secs(n));
        assert!(matches!(lost.scope, Scope::Sender { .. }) && lost.change.is_none());
    }
    assert_eq!(hold_of(&breaker), Some(&hold));
    assert_eq!(breaker.admission(0, UP), Admission::Wait(UP + MINUTE));
}

#[test]
fn a_hold_is_news_once_and_when_its_reason_changes() {
    let mut breaker = breaker(None);
    let mut now = Duration::ZERO;
    let mut is_news = |evidence: Evidence| {
        now += MINUTE * 10;
        match record(&mut breaker, &ended(1, evidence), now).change {
            Some(HoldChange::Held(..)) => true,
            Some(HoldChange::StillHeld(..)) | None => false,
            Some(HoldChange::Released(_)) => panic!("released"),
        }
    };
    let unknown = |errcode| Evidence::Fails(block(BlockKind::Failing, errcode));
    let news = [1, 2, 3, 4, 5].map(|errcode| is_news(unknown(errcode)));
    assert_eq!(news, [false, false, true, false, false], "unknown errcodes take turns");
    assert!(is_news(blocks(BlockKind::Configuration, 60020)));
    assert!(!is_news(blocks(BlockKind::Configuration, 60020)));
    assert!(is_news(blocks(BlockKind::Configuration, 48002)));
    assert!(!is_news(Evidence::Fails(block(BlockKind::Unanswered, 0))));
}

#[test]
fn a_probe_of_a_refused_secret_without_an_answer_is_repeated_soon() {
    let mut breaker = breaker(None);
    let hold = held(refused(&mut breaker, Duration::ZERO));
    assert_eq!(record(&mut breaker, &ended(1, fails()), MINUTE).change, None);
    assert_eq!(breaker.admission(0, UP + MINUTE), Admission::Wait(UP + MINUTE + Duration::from_secs(10)));
    assert_eq!(hold_of(&breaker), Some(&hold));
}

#[test]
fn failures_of_some_destinations_do_not_delay_another() {
    let mut breaker = breaker(None);
    for number in 1..=3 {
        let before = record(&mut breaker, &ended(number, fails()), Duration::ZERO);
        assert_eq!(before.change.is_some(), number == 3);
    }
    let probe = UP + Duration::from_secs(1);
    // The fourth destination is tested at once, and nothing more is sent to it meanwhile.
    assert_eq!(breaker.admission(5, UP), Admission::One);
    assert_eq!(breaker.waiting(), (1..=3).map(|number| (destination(number), Some(probe))).collect());
    breaker.start(destination(4));
    assert_eq!(breaker.waiting().get(&destination(4)), Some(&None));
    // One of the three is the probe, and the others wait for it.
    breaker.start(destination(2));
    assert_eq!(breaker.waiting(), (1..=4).map(|number| (destination(number), None)).collect());
    let released = record(&mut breaker, &ended(4, Evidence::Works), Duration::ZERO);
    assert!(matches!(released.change, Some(HoldChange::Released(_))));
    assert_eq!(breaker.admission(5, UP), Admission::All);
    assert_eq!(breaker.waiting(), HashMap::from([(destination(2), None)]));
}

#[test]
fn a_destination_that_fails_among_others_is_no_evidence() {
    let mut breaker = breaker(None);
    record(&mut breaker, &ended(1, fails()), Duration::ZERO);
    record(&mut breaker, &ended(9, Evidence::Works), Duration::ZERO);
    for second in 0..100 {
        let recorded = record(&mut breaker, &ended(1, fails()), Duration::from_secs(second));
        assert_eq!(recorded, Recorded { scope: Scope::Message { others_succeed: true }, change: None });
    }
    assert_eq!(breaker.admission(5, UP), Admission::All);
    assert_eq!(breaker.excluded(), &HashSet::from([destination(1)]));
    breaker.start(destination(1));
    assert_eq!(breaker.waiting(), HashMap::from([(destination(1), None)]));
    record(&mut breaker, &ended(1, Evidence::Works), MINUTE);
    assert!(breaker.excluded().is_empty() && breaker.waiting().is_empty());
}

#[test]
fn others_succeed_only_after_the_first_failure() {
    let mut breaker = breaker(None);
    record(&mut breaker, &ended(9, Evidence::Works), Duration::ZERO);
    let alone = record(&mut breaker, &ended(1, fails()), Duration::ZERO);
    assert_eq!(alone.scope, Scope::Message { others_succeed: false });
    record(&mut breaker, &ended(9, Evidence::Works), Duration::ZERO);
    let among_others = record(&mut breaker, &ended(1, fails()), Duration::ZERO);
    assert_eq!(among_others.scope, Scope::Message { others_succeed: true });
    breaker.settle(DeliveryId(1), destination(1));
    assert!(breaker.first_failures.is_empty() && breaker.excluded.is_empty());
}

#[test]
fn reloads_probe_a_held_sender_soon_but_not_repeatedly() {
    let pause = policy().probes.shortest;
    let mut breaker = breaker(None);
    refused(&mut breaker, Duration::ZERO);
    breaker.reload("old".to_owned(), &policy(), UP);
    assert_eq!(breaker.admission(0, UP), Admission::Wait(UP + pause));
    breaker.reload("old".to_owned(), &policy(), UP + pause * 2);
    assert_eq!(breaker.admission(0, UP + pause * 2), Admission::One);
}

#[test]
fn a_reload_with_other_credentials_probes_at_once() {
    let mut breaker = breaker(None);
    refused(&mut breaker, Duration::ZERO);
    breaker.reload("new".to_owned(), &policy(), UP);
    assert_eq!(breaker.admission(0, UP), Admission::One);
}

#[test]
fn a_restart_keeps_the_hold_unless_credentials_changed() {
    let hold = held(refused(&mut breaker(None), Duration::ZERO));
    let kept = breaker(Some(hold.clone()));
    assert_eq!(kept.admission(0, UP), Admission::Wait(UP + MINUTE));
    let other = breaker_of("new", Some(hold));
    assert_eq!(other.admission(0, UP), Admission::One);
    assert!(hold_of(&other).is_some());
}

#[test]
fn a_hold_with_a_late_probe_is_probed_as_usual() {
    let hold =
        Hold { next_probe_at: later(wall(), MINUTE * 600), ..held(refused(&mut breaker(None), MINUTE)) };
    assert_eq!(breaker(Some(hold)).admission(0, UP), Admission::Wait(UP + MINUTE * 5));
}
