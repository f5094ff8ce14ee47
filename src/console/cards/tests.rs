//! Tests of the cards.

use jiff::tz::TimeZone;

use super::{super::status::RefusedWebhook, *};
use crate::outbox::{DeliveryId, Depth, Kind, NotificationId, OutboxSize, Part, ReceiverName, State, Status};

const REFUSED: &str =
    "WeCom refused message/send (60020): IP 203.0.113.4 is not a trusted IP of the app. Add it.";

fn now() -> Timestamp {
    Timestamp::from_second(1_795_248_000).unwrap()
}

fn listed(state: State, reason: &str) -> Listed {
    Listed {
        id: DeliveryId(7),
        notification: NotificationId(7),
        kind: Kind::Alert,
        state,
        receiver: ReceiverName("wechat".to_owned()),
        sender: SenderName("ops".to_owned()),
        status: Status::Firing,
        accepted_at: now(),
        due_at: None,
        settled_at: Some(now()),
        recalled_at: None,
        attempts: 1,
        part: Part::WHOLE,
        digest: None,
        summary: "PodCrash".to_owned(),
        reason: reason.to_owned(),
    }
}

fn healthy() -> Snapshot {
    Snapshot {
        depths: Vec::new(),
        holds: Vec::new(),
        size: OutboxSize { bytes: 1, max_bytes: 100 },
        dead: Vec::new(),
        latest: vec![listed(State::Delivered, "")],
    }
}

fn config() -> ConfigStatus {
    ConfigStatus { path: "config.yml".to_owned(), started_at: now(), loaded_at: now(), problems: None }
}

fn ops() -> SenderStatus {
    SenderStatus { name: SenderName("ops".to_owned()), is_robot: false }
}

fn cards_of(snapshot: &Snapshot, config: &ConfigStatus, language: Language) -> Vec<Card> {
    let refused = Refused::default();
    let senders = [ops()];
    let seen = Seen { snapshot: Ok(snapshot), senders: &senders, config, refused: &refused };
    cards(&seen, &Moments { now: now(), zone: TimeZone::UTC, language })
}

fn kinds(cards: &[Card]) -> Vec<&'static str> {
    cards.iter().map(|card| card.kind).collect()
}

#[test]
fn a_healthy_relay_has_no_cards() {
    assert_eq!(kinds(&cards_of(&healthy(), &config(), Language::En)), [""; 0]);
}

#[test]
fn a_held_app_shows_the_address_to_add() {
    let hold = Hold {
        sender: SenderName("ops".to_owned()),
        since: now(),
        reason: REFUSED.to_owned(),
        errcode: Some(60020),
        probes: 9,
        next_probe_at: now(),
        credentials: String::new(),
    };
    let waiting = Depth {
        sender: SenderName("ops".to_owned()),
        receiver: ReceiverName("wechat".to_owned()),
        deliveries: 37,
        oldest_accepted_at: Some(now()),
        discarded: 0,
    };
    let snapshot = Snapshot { holds: vec![hold], depths: vec![waiting], ..healthy() };
    for language in [Language::En, Language::Zh] {
        let cards = cards_of(&snapshot, &config(), language);
        assert_eq!(kinds(&cards), ["held"]);
        assert_eq!(cards[0].copy.as_deref(), Some("203.0.113.4"));
        assert!(cards[0].lines[1].contains("37"), "{:?}", cards[0].lines);
        assert_eq!(cards[0].probe.as_deref(), Some("senders/ops/probe"));
    }
}

#[test]
fn dead_letters_are_grouped_by_reason() {
    let dead = ["a. WeCom's text: hint 1", "b", "a. WeCom's text: hint 2"]
        .map(|reason| listed(State::Dead, reason))
        .to_vec();
    let cards = cards_of(&Snapshot { dead, ..healthy() }, &config(), Language::En);
    assert_eq!(kinds(&cards), ["dead"]);
    assert_eq!(cards[0].lines, ["2 × a.", "1 × b"]);
    let since = "state=dead&since=2026-11-21T08%3A00%3A00Z";
    assert_eq!(cards[0].requeue, Some(format!("messages/confirm?do=requeue&{since}")));
}

#[test]
fn refused_webhooks_are_forgotten_after_an_hour() {
    let last = RefusedWebhook {
        at: now() - REFUSED_FOR,
        peer: "10.0.0.7".to_owned(),
        path: "/webhook/wechta".to_owned(),
        status: 404,
        answer: "no receiver wechta".to_owned(),
    };
    let refused = Refused { count: 12, last: vec![last] };
    let moments = |now| Moments { now, zone: TimeZone::UTC, language: Language::En };
    assert!(super::refused(&refused, &moments(now())).is_some());
    assert!(super::refused(&refused, &moments(now() + SignedDuration::from_secs(1))).is_none());
}

#[test]
fn the_worst_cards_come_first() {
    let snapshot = Snapshot {
        size: OutboxSize { bytes: 80, max_bytes: 100 },
        dead: vec![listed(State::Dead, "")],
        ..healthy()
    };
    let failed = ConfigStatus { problems: Some("a\nb".to_owned()), ..config() };
    assert_eq!(kinds(&cards_of(&snapshot, &failed, Language::Zh)), ["dead", "size", "reload"]);
}

#[test]
fn silence_is_shown_after_a_day() {
    let mut old = listed(State::Delivered, "");
    old.accepted_at = now() - SILENCE;
    let snapshot = Snapshot { latest: vec![old], ..healthy() };
    assert_eq!(kinds(&cards_of(&snapshot, &config(), Language::En)), ["silence"]);
}

#[test]
fn deliveries_of_a_removed_app_need_a_person() {
    let waiting = Depth {
        sender: SenderName("gone".to_owned()),
        receiver: ReceiverName("wechat".to_owned()),
        deliveries: 1,
        oldest_accepted_at: None,
        discarded: 0,
    };
    let cards = cards_of(&Snapshot { depths: vec![waiting], ..healthy() }, &config(), Language::En);
    assert_eq!(kinds(&cards), ["gone"]);
}
