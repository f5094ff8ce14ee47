use proptest::{collection::vec, prelude::*};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const START: Monotonic = Monotonic(Duration::from_secs(1_000_000));

fn at(secs: u64) -> Monotonic {
    START + SECOND * u32::try_from(secs).unwrap()
}

fn limits(per_minute: u32, per_hour: u32) -> Limits {
    Limits { per_minute, per_hour }
}

fn limiter(per_minute: u32, per_hour: u32) -> RateLimiter {
    RateLimiter::new(limits(per_minute, per_hour), Windows::default())
}

fn user() -> Recipients {
    Recipients::parse("u1", "", "").unwrap()
}

fn sets() -> [Recipients; 5] {
    [
        user(),
        Recipients::parse("u1|u2", "", "").unwrap(),
        Recipients::parse("u2", "p1", "").unwrap(),
        Recipients::parse("", "p1", "t1").unwrap(),
        Recipients::All,
    ]
}

fn free(limiter: &RateLimiter, recipients: &Recipients, now: Monotonic) -> u32 {
    match limiter.budget(recipients, now) {
        Budget::Unlimited => u32::MAX,
        Budget::Slots { free, .. } => free,
    }
}

/// A message from its start to WeCom's answer.
fn send(limiter: &mut RateLimiter, id: i64, recipients: &Recipients, counted: bool, now: Monotonic) {
    limiter.start(DeliveryId(id), recipients, now);
    limiter.end(DeliveryId(id), recipients, counted, None, now);
}

#[test]
fn a_slot_is_free_again_a_minute_after_the_answer() {
    let mut limiter = limiter(1, 0);
    limiter.start(DeliveryId(1), &user(), at(0));
    assert_eq!(free(&limiter, &user(), at(100)), 0);
    limiter.end(DeliveryId(1), &user(), true, None, at(100));
    assert_eq!(free(&limiter, &user(), at(159)), 0);
    assert_eq!(limiter.next_release(&user(), at(100)), Some(at(160)));
    assert_eq!(free(&limiter, &user(), at(160)), 1);
}

#[test]
fn a_rejection_frees_the_slot() {
    let mut limiter = limiter(1, 1);
    send(&mut limiter, 1, &user(), false, at(0));
    assert_eq!(free(&limiter, &user(), at(0)), 1);
}

#[test]
fn a_message_to_all_needs_a_slot_of_every_recipient() {
    let mut limiter = limiter(3, 0);
    send(&mut limiter, 1, &user(), true, at(0));
    assert_eq!(free(&limiter, &Recipients::All, at(0)), 2);
    send(&mut limiter, 2, &Recipients::All, true, at(0));
    assert_eq!(free(&limiter, &user(), at(0)), 1);
    assert_eq!(free(&limiter, &sets()[3], at(0)), 2);
}

#[test]
fn a_resend_uses_its_slot_while_wecom_suppresses_it() {
    let mut limiter = limiter(2, 0);
    let id = DeliveryId(1);
    limiter.start(id, &user(), at(0));
    limiter.end(id, &user(), true, Some(at(50)), at(10));
    assert!(limiter.has_slot(id, &user(), at(49)));
    assert!(!limiter.has_slot(id, &user(), at(50)));
    limiter.start(id, &user(), at(20));
    assert_eq!(free(&limiter, &user(), at(20)), 1);
    // The first attempt counts, because WeCom may have accepted it.
    limiter.end(id, &user(), true, Some(at(90)), at(30));
    assert!(!limiter.has_slot(id, &user(), at(50)));
    limiter.start(id, &user(), at(50));
    assert_eq!(free(&limiter, &user(), at(50)), 0);
}

#[test]
fn a_rejected_resend_keeps_the_slot_of_the_first_attempt() {
    let mut limiter = limiter(1, 0);
    let id = DeliveryId(1);
    limiter.start(id, &user(), at(0));
    limiter.end(id, &user(), true, Some(at(90)), at(10));
    limiter.start(id, &user(), at(11));
    limiter.end(id, &user(), false, None, at(12));
    assert_eq!(free(&limiter, &user(), at(12)), 0);
    assert_eq!(free(&limiter, &user(), at(70)), 1);
}

#[test]
fn reserved_slots_are_for_later_parts_and_not_for_a_resend() {
    let mut limiter = limiter(3, 0);
    let notification = NotificationId(1);
    limiter.start(DeliveryId(1), &user(), at(0));
    limiter.reserve(notification, DeliveryId(1), &user(), 2, at(0));
    assert_eq!(free(&limiter, &user(), at(0)), 0);
    assert!(limiter.has_reserved(notification, DeliveryId(2)));
    assert!(!limiter.has_reserved(notification, DeliveryId(1)));
    limiter.reserve(notification, DeliveryId(3), &user(), 0, at(0));
    assert_eq!(free(&limiter, &user(), at(0)), 2);
}

#[test]
fn no_more_slots_are_reserved_than_are_free() {
    let mut limiter = limiter(2, 0);
    let notification = NotificationId(1);
    send(&mut limiter, 1, &user(), true, at(0));
    limiter.start(DeliveryId(2), &user(), at(1));
    limiter.reserve(notification, DeliveryId(2), &user(), 2, at(1));
    assert!(!limiter.has_reserved(notification, DeliveryId(3)));
}

#[test]
fn messages_of_an_earlier_lease_count_by_their_age() {
    let mut limiter = limiter(2, 0);
    limiter.charge(&user(), SECOND * 59, at(0));
    limiter.charge(&user(), SECOND * 10, at(0));
    assert_eq!(free(&limiter, &user(), at(0)), 0);
    assert_eq!(limiter.next_release(&user(), at(0)), Some(at(1)));
    assert_eq!(free(&limiter, &user(), at(1)), 1);
    assert_eq!(free(&limiter, &user(), at(50)), 2);
}

#[test]
fn an_hour_of_silence_does_not_hide_the_next_release() {
    let mut limiter = limiter(0, 2);
    send(&mut limiter, 1, &user(), true, at(0));
    send(&mut limiter, 2, &user(), true, at(3000));
    limiter.start(DeliveryId(3), &user(), at(3600));
    assert_eq!(free(&limiter, &user(), at(3600)), 0);
    assert_eq!(limiter.next_release(&user(), at(3600)), Some(at(6600)));
}

#[test]
fn the_last_of_the_full_recipients_decides_about_the_next_release() {
    let mut limiter = limiter(1, 0);
    send(&mut limiter, 1, &user(), true, at(0));
    send(&mut limiter, 2, &Recipients::parse("u2", "", "").unwrap(), true, at(30));
    let both = Recipients::parse("u1|u2|u3", "", "").unwrap();
    assert_eq!(limiter.next_release(&both, at(31)), Some(at(90)));
    assert_eq!(limiter.next_release(&Recipients::All, at(31)), Some(at(90)));
    // Only the end of the message to u2 is awaited then.
    limiter.start(DeliveryId(3), &Recipients::parse("u2", "", "").unwrap(), at(90));
    assert_eq!(limiter.next_release(&both, at(90)), None);
}

#[test]
fn a_full_recipient_does_not_wait_for_messages_to_others() {
    let mut limiter = limiter(1, 0);
    send(&mut limiter, 1, &user(), true, at(0));
    let other = Recipients::parse("u2", "", "").unwrap();
    limiter.start(DeliveryId(2), &other, at(1));
    assert!(!limiter.may_free_slot(&user(), at(1)));
    assert!(limiter.may_free_slot(&other, at(1)) && limiter.may_free_slot(&Recipients::All, at(1)));
    limiter.end(DeliveryId(2), &other, true, None, at(2));
    assert!(!limiter.may_free_slot(&Recipients::All, at(2)));
}

#[test]
fn messages_to_others_do_not_delay_the_reserve() {
    let mut limiter = limiter(30, 0);
    for n in 0..25 {
        send(&mut limiter, n, &user(), true, at(0));
    }
    send(&mut limiter, 99, &Recipients::parse("u2", "", "").unwrap(), true, at(20));
    for recipients in [Recipients::parse("u1|u2", "", "").unwrap(), Recipients::All] {
        let budget = limiter.budget(&recipients, at(20));
        assert_eq!(budget, Budget::Slots { free: 5, reserve: 5, last: Some(at(0)) });
    }
}

#[test]
fn recipients_without_recent_messages_are_forgotten() {
    let mut limiter = limiter(30, 1000);
    for n in 0..10_000 {
        let one = Recipients::parse(&format!("u{n}"), "", "").unwrap();
        send(&mut limiter, n, &one, true, at(n.unsigned_abs()));
    }
    assert!(limiter.ledgers.len() <= 3600, "{}", limiter.ledgers.len());
    assert!(limiter.suppressed.is_empty() && limiter.reserved.is_empty() && limiter.replaced.is_empty());
}

/// Sends for `secs` seconds whenever a slot is free. Returns the second of each message.
fn sends_under_demand(secs: u64) -> Vec<u64> {
    let mut limiter = limiter(30, 1000);
    let mut sent = Vec::new();
    for second in 0..secs {
        while free(&limiter, &user(), at(second)) > 0 {
            send(&mut limiter, 1, &user(), true, at(second));
            sent.push(second);
        }
    }
    sent
}

#[test]
fn constant_demand_never_meets_three_minutes_of_silence() {
    let sent = sends_under_demand(3 * 3600);
    let longest = sent.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest < 180, "{longest} s");
    let first_hour = sent.iter().filter(|second| **second < 3600).count();
    assert!((900..=1000).contains(&first_hour), "{first_hour}");
    assert!(3 * 3600 - sent.last().unwrap() < 180);
}

#[test]
fn the_rate_falls_beyond_seventy_percent_of_the_hour() {
    let sent = sends_under_demand(3600);
    let in_minute = |minute: u64| sent.iter().filter(|second| **second / 60 == minute).count();
    assert_eq!(in_minute(20), 30);
    assert!(in_minute(40) < 15, "{}", in_minute(40));
}

#[test]
fn waiting_for_the_next_release_needs_few_wakes() {
    for (per_minute, per_hour) in [(30, 1000), (3, 0), (0, 40), (1, 10), (5, 20)] {
        let mut limiter = limiter(per_minute, per_hour);
        let (mut now, mut sent, mut wakes) = (at(0), 0, 0);
        while sent < 200 {
            while sent < 200 && free(&limiter, &user(), now) > 0 {
                send(&mut limiter, sent, &user(), true, now);
                sent += 1;
            }
            if sent < 200 {
                let next = limiter.next_release(&user(), now).unwrap();
                assert!(next > now);
                now = next;
                wakes += 1;
            }
        }
        assert!(wakes <= 2 * 200, "{wakes} wakes with {per_minute} a minute and {per_hour} an hour");
    }
}

#[derive(Debug, Clone)]
enum Event {
    Start(usize),
    End { which: usize, counted: bool },
    Restart,
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..5_usize).prop_map(Event::Start),
        4 => (0..9_usize, prop::bool::weighted(0.8)).prop_map(|(which, counted)| Event::End { which, counted }),
        1 => Just(Event::Restart),
        3 => (0..40_u64).prop_map(Event::Pass),
        1 => (0..1500_u64).prop_map(Event::Pass),
    ]
}

/// The largest number of `times` within any `window`.
fn max_in_window(times: &[Monotonic], window: Duration) -> usize {
    let within = |at: usize| times[at..].iter().take_while(|end| end.since(times[at]) < window).count();
    (0..times.len()).map(within).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_window_exceeds_the_limit_of_any_recipient(
        per_minute in 1..6_u32, per_hour in 1..15_u32, events in vec(event(), 1..200),
    ) {
        let sets = sets();
        let mut limiter = limiter(per_minute, per_hour);
        let (mut now, mut id) = (at(0), 0);
        let mut in_flight: Vec<(DeliveryId, usize)> = Vec::new();
        let mut ended: Vec<(Monotonic, usize)> = Vec::new();
        for event in events {
            match event {
                Event::Start(set) if free(&limiter, &sets[set], now) > 0 => {
                    id += 1;
                    limiter.start(DeliveryId(id), &sets[set], now);
                    in_flight.push((DeliveryId(id), set));
                }
                Event::Start(_) => {}
                Event::End { which, counted } => {
                    if which < in_flight.len() {
                        let (id, set) = in_flight.remove(which);
                        limiter.end(id, &sets[set], counted, None, now);
                        ended.extend(counted.then_some((now, set)));
                    }
                }
                Event::Restart => {
                    ended.extend(in_flight.drain(..).map(|(_, set)| (now, set)));
                    limiter = RateLimiter::new(limits(per_minute, per_hour), Windows::default());
                    for (at, set) in &ended {
                        limiter.charge(&sets[*set], now.since(*at), now);
                    }
                }
                Event::Pass(secs) => now = now + SECOND * u32::try_from(secs).unwrap(),
            }
            for addressee in sets.iter().flat_map(Recipients::addressees) {
                let concerns = |set: &usize| {
                    let named = sets[*set].addressees();
                    named.contains(&addressee) || named.contains(&Addressee::All)
                };
                let mut times: Vec<_> = ended.iter().filter(|(_, set)| concerns(set)).map(|(at, _)| *at).collect();
                times.extend(in_flight.iter().filter(|(_, set)| concerns(set)).map(|_| now));
                prop_assert!(max_in_window(&times, Windows::default().minute) <= per_minute as usize);
                prop_assert!(max_in_window(&times, Windows::default().hour) <= per_hour as usize);
            }
        }
    }
}

#[test]
fn a_reservation_expires_and_is_the_next_release() {
    let mut limiter = limiter(3, 0);
    limiter.reserve(NotificationId(1), DeliveryId(1), &user(), 3, at(0));
    assert_eq!(free(&limiter, &user(), at(1)), 0);
    let expiry = limiter.next_release(&user(), at(1)).unwrap();
    limiter.expire_reservations(expiry);
    assert_eq!(free(&limiter, &user(), expiry), 3);
}

/// Sends to ten chats for `secs` seconds whenever a slot is free. Returns the second of each message.
fn sends_to_chats(limiter: &mut RateLimiter, secs: u64) -> Vec<Monotonic> {
    let chats: Vec<_> = (0..10)
        .map(|number| Recipients::Chat(crate::wecom::ChatId::parse(&format!("chat{number}")).unwrap()))
        .collect();
    let mut sent = Vec::new();
    for second in 0..secs {
        for chat in &chats {
            while free(limiter, chat, at(second)) > 0 {
                send(limiter, 1, chat, true, at(second));
                sent.push(at(second));
            }
        }
    }
    sent
}

#[test]
fn a_member_of_all_chats_of_an_app_gets_what_wecom_shows() {
    let mut limiter = limiter(30, 1000);
    let sent = sends_to_chats(&mut limiter, 2 * 3600);
    let in_window = |window: Duration| max_in_window(&sent, window);
    assert_eq!(in_window(Windows::default().minute), 200);
    assert!((340..=400).contains(&in_window(Windows::default().hour)));
    let longest = sent.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap();
    assert!(longest < 180 * SECOND, "{longest:?}");
    // Messages to members have limits of their own.
    for recipients in [user(), Recipients::All] {
        assert_eq!(free(&limiter, &recipients, at(2 * 3600)), 30);
    }
}

#[test]
fn an_app_without_a_limit_of_the_hour_has_none_for_its_chats() {
    let sent = sends_to_chats(&mut limiter(30, 0), 3600);
    assert!(sent.len() > 1000, "{}", sent.len());
}
