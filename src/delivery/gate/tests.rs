use rand::{SeedableRng, rngs::StdRng};

use super::*;

const UP: Monotonic = Monotonic(Duration::from_secs(1_000_000));
const MINUTE: Duration = Duration::from_secs(60);

fn wall() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn gate(hold: Option<Hold>) -> Gate {
    gate_of("old", hold)
}

fn gate_of(credentials: &str, hold: Option<Hold>) -> Gate {
    let policy = Policy::new(Duration::from_secs(24 * 3600));
    Gate::new(SenderName("ops".to_owned()), credentials.to_owned(), &policy, hold, wall(), UP)
}

fn block(errcode: i64) -> Health {
    Health::Blocked(Block {
        kind: BlockKind::Configuration,
        errcode: Some(errcode),
        reason: "mend it".to_owned(),
    })
}

fn note(gate: &mut Gate, health: &Health, after: Duration) -> Option<Change> {
    gate.note(health, later(wall(), after), UP + after, &mut StdRng::seed_from_u64(1))
}

fn hold_of(gate: &Gate) -> Option<&Hold> {
    match &gate.state {
        State::Held { hold, .. } => Some(hold),
        State::Open | State::Troubled { .. } => None,
    }
}

fn held(change: Option<Change>) -> Hold {
    match change {
        Some(Change::Held(hold)) => hold,
        other => panic!("not held: {other:?}"),
    }
}

#[test]
fn a_hold_is_probed_after_one_two_and_then_every_five_minutes_until_another_answer() {
    let mut gate = gate(None);
    let mut hold = held(note(&mut gate, &block(40001), Duration::ZERO));
    let mut now = Duration::ZERO;
    for (probes, minutes) in [(1, 1), (2, 2), (3, 5), (4, 5), (5, 5)] {
        assert_eq!((hold.probes, hold.since), (probes, wall()));
        let probe = now + MINUTE * minutes;
        assert_eq!(hold.next_probe_at, later(wall(), probe));
        assert_eq!(gate.admission(0, UP + now), Admission::Wait(UP + probe));
        assert_eq!(gate.admission(0, UP + probe), Admission::Probe);
        assert_eq!(gate.admission(1, UP + probe), Admission::Probing);
        now = probe;
        hold = held(note(&mut gate, &block(40001), now));
    }
    assert_eq!(note(&mut gate, &Health::Well, now), Some(Change::Released(hold)));
    assert_eq!(gate.admission(31, UP + now), Admission::Open);
}

#[test]
fn what_was_in_flight_when_the_hold_began_is_no_failed_probe() {
    let mut gate = gate(None);
    let hold = held(note(&mut gate, &block(40001), Duration::ZERO));
    for n in 1..31 {
        assert_eq!(note(&mut gate, &block(40001), Duration::from_secs(n)), None);
    }
    assert_eq!(hold_of(&gate), Some(&hold));
    assert_eq!(gate.admission(0, UP), Admission::Wait(UP + MINUTE));
}

#[test]
fn a_probe_without_an_answer_is_repeated_soon_and_is_not_charged_to_the_hold() {
    let mut gate = gate(None);
    let hold = held(note(&mut gate, &block(40001), Duration::ZERO));
    assert_eq!(note(&mut gate, &Health::Trouble, MINUTE), None);
    assert_eq!(gate.admission(0, UP + MINUTE), Admission::Wait(UP + MINUTE + Duration::from_secs(10)));
    assert_eq!(hold_of(&gate), Some(&hold));
}

#[test]
fn one_at_a_time_goes_out_after_three_transient_failures_in_a_row() {
    let mut gate = gate(None);
    for _ in 0..2 {
        note(&mut gate, &Health::Trouble, Duration::ZERO);
        assert_eq!(gate.admission(5, UP), Admission::Open);
    }
    note(&mut gate, &Health::Trouble, Duration::ZERO);
    let Admission::Wait(probe) = gate.admission(0, UP) else { panic!("{gate:?}") };
    assert!(probe <= UP + Duration::from_secs(2));
    assert_eq!(gate.admission(0, probe), Admission::Probe);
    assert_eq!(gate.admission(1, probe), Admission::Probing);
    assert_eq!(note(&mut gate, &Health::Well, MINUTE), None);
    assert_eq!(gate.admission(5, UP), Admission::Open);
}

#[test]
fn a_reload_probes_a_held_channel_at_once_but_not_again_and_again() {
    let policy = Policy::new(MINUTE * 1440);
    let pause = policy.probes.unanswered;
    let mut gate = gate(None);
    note(&mut gate, &block(40001), Duration::ZERO);
    gate.renew("old".to_owned(), &policy, UP);
    assert_eq!(gate.admission(0, UP), Admission::Wait(UP + pause));
    gate.renew("old".to_owned(), &policy, UP + pause * 2);
    assert_eq!(gate.admission(0, UP + pause * 2), Admission::Probe);
}

#[test]
fn a_reload_with_other_credentials_probes_at_once() {
    let mut gate = gate(None);
    note(&mut gate, &block(40001), Duration::ZERO);
    gate.renew("new".to_owned(), &Policy::new(MINUTE * 1440), UP);
    assert_eq!(gate.admission(0, UP), Admission::Probe);
}

#[test]
fn a_restart_keeps_the_hold_and_other_credentials_probe_at_once() {
    let hold = held(note(&mut gate(None), &block(40001), Duration::ZERO));
    let kept = gate(Some(hold.clone()));
    assert_eq!(kept.admission(0, UP), Admission::Wait(UP + MINUTE));
    let other = gate_of("new", Some(hold));
    assert_eq!(other.admission(0, UP), Admission::Probe);
    assert!(hold_of(&other).is_some());
}

#[test]
fn a_clock_that_is_set_back_does_not_stretch_a_hold() {
    let hold = Hold {
        next_probe_at: later(wall(), MINUTE * 600),
        ..held(note(&mut gate(None), &block(40001), MINUTE))
    };
    assert_eq!(gate(Some(hold)).admission(0, UP), Admission::Wait(UP + MINUTE * 5));
}
