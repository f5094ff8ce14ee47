use rand::{SeedableRng, rngs::StdRng};

use super::*;

const UP: Monotonic = Monotonic(Duration::from_secs(1_000_000));
const MINUTE: Duration = Duration::from_secs(60);

fn wall() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn breaker(hold: Option<Hold>) -> CircuitBreaker {
    breaker_of("old", hold)
}

fn breaker_of(credentials: &str, hold: Option<Hold>) -> CircuitBreaker {
    let policy = Policy::new(Duration::from_secs(24 * 3600));
    CircuitBreaker::new(SenderName("ops".to_owned()), credentials.to_owned(), &policy, hold, wall(), UP)
}

fn block(errcode: i64) -> Health {
    Health::Blocked(Block {
        kind: BlockKind::Configuration,
        errcode: Some(errcode),
        reason: "fix it".to_owned(),
    })
}

fn record(breaker: &mut CircuitBreaker, health: &Health, after: Duration) -> Option<HoldChange> {
    breaker.record(health, later(wall(), after), UP + after, &mut StdRng::seed_from_u64(1))
}

fn hold_of(breaker: &CircuitBreaker) -> Option<&Hold> {
    match &breaker.state {
        State::Open { hold, .. } => Some(hold),
        State::Closed | State::HalfOpen { .. } => None,
    }
}

fn held(change: Option<HoldChange>) -> Hold {
    match change {
        Some(HoldChange::Held(hold)) => hold,
        other => panic!("not held: {other:?}"),
    }
}

#[test]
fn a_hold_is_probed_after_one_two_and_each_five_minutes() {
    let mut breaker = breaker(None);
    let mut hold = held(record(&mut breaker, &block(40001), Duration::ZERO));
    let mut now = Duration::ZERO;
    for (probes, minutes) in [(1, 1), (2, 2), (3, 5), (4, 5), (5, 5)] {
        assert_eq!((hold.probes, hold.since), (probes, wall()));
        let probe = now + MINUTE * minutes;
        assert_eq!(hold.next_probe_at, later(wall(), probe));
        assert_eq!(breaker.admission(0, UP + now), Admission::Wait(UP + probe));
        assert_eq!(breaker.admission(0, UP + probe), Admission::Probe);
        assert_eq!(breaker.admission(1, UP + probe), Admission::Probing);
        now = probe;
        hold = held(record(&mut breaker, &block(40001), now));
    }
    assert_eq!(record(&mut breaker, &Health::Good, now), Some(HoldChange::Released(hold)));
    assert_eq!(breaker.admission(31, UP + now), Admission::All);
}

#[test]
fn a_message_in_flight_at_the_start_of_a_hold_is_no_probe() {
    let mut breaker = breaker(None);
    let hold = held(record(&mut breaker, &block(40001), Duration::ZERO));
    for n in 1..31 {
        assert_eq!(record(&mut breaker, &block(40001), Duration::from_secs(n)), None);
    }
    assert_eq!(hold_of(&breaker), Some(&hold));
    assert_eq!(breaker.admission(0, UP), Admission::Wait(UP + MINUTE));
}

#[test]
fn a_probe_without_an_answer_is_repeated_soon() {
    let mut breaker = breaker(None);
    let hold = held(record(&mut breaker, &block(40001), Duration::ZERO));
    assert_eq!(record(&mut breaker, &Health::Transient, MINUTE), None);
    assert_eq!(breaker.admission(0, UP + MINUTE), Admission::Wait(UP + MINUTE + Duration::from_secs(10)));
    assert_eq!(hold_of(&breaker), Some(&hold));
}

#[test]
fn three_transient_failures_in_a_row_half_open_it() {
    let mut breaker = breaker(None);
    for _ in 0..2 {
        record(&mut breaker, &Health::Transient, Duration::ZERO);
        assert_eq!(breaker.admission(5, UP), Admission::All);
    }
    record(&mut breaker, &Health::Transient, Duration::ZERO);
    let Admission::Wait(probe) = breaker.admission(0, UP) else { panic!("{breaker:?}") };
    assert!(probe <= UP + Duration::from_secs(2));
    assert_eq!(breaker.admission(0, probe), Admission::Probe);
    assert_eq!(breaker.admission(1, probe), Admission::Probing);
    assert_eq!(record(&mut breaker, &Health::Good, MINUTE), None);
    assert_eq!(breaker.admission(5, UP), Admission::All);
}

#[test]
fn reloads_probe_a_held_sender_soon_but_not_repeatedly() {
    let policy = Policy::new(MINUTE * 1440);
    let pause = policy.probes.unanswered;
    let mut breaker = breaker(None);
    record(&mut breaker, &block(40001), Duration::ZERO);
    breaker.reload("old".to_owned(), &policy, UP);
    assert_eq!(breaker.admission(0, UP), Admission::Wait(UP + pause));
    breaker.reload("old".to_owned(), &policy, UP + pause * 2);
    assert_eq!(breaker.admission(0, UP + pause * 2), Admission::Probe);
}

#[test]
fn a_reload_with_other_credentials_probes_at_once() {
    let mut breaker = breaker(None);
    record(&mut breaker, &block(40001), Duration::ZERO);
    breaker.reload("new".to_owned(), &Policy::new(MINUTE * 1440), UP);
    assert_eq!(breaker.admission(0, UP), Admission::Probe);
}

#[test]
fn a_restart_keeps_the_hold_unless_credentials_changed() {
    let hold = held(record(&mut breaker(None), &block(40001), Duration::ZERO));
    let kept = breaker(Some(hold.clone()));
    assert_eq!(kept.admission(0, UP), Admission::Wait(UP + MINUTE));
    let other = breaker_of("new", Some(hold));
    assert_eq!(other.admission(0, UP), Admission::Probe);
    assert!(hold_of(&other).is_some());
}

#[test]
fn a_hold_with_a_late_probe_is_probed_as_usual() {
    let hold = Hold {
        next_probe_at: later(wall(), MINUTE * 600),
        ..held(record(&mut breaker(None), &block(40001), MINUTE))
    };
    assert_eq!(breaker(Some(hold)).admission(0, UP), Admission::Wait(UP + MINUTE * 5));
}
