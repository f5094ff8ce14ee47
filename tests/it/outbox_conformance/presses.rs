//! Presses of buttons, and the watch of silenced cards.

use jiff::Timestamp;
use wecom_relay::outbox::{
    Absence, AcceptedPress, CardLabels, ClaimId, CodeState, ConfiguredSender, Dedupe, DeliveryId, Handled,
    HandledAction, Key, Lease, NewNotification, NewPress, Outbox, Press, PressId, PressRecord, PressVerdict,
    SenderName, State, StoredCard, Verdict, WatchVerdict, WatchedCard,
};
use wecom_relay::wecom::Content;

use super::{
    cards::{
        card, card_content, labels, repeat, resolved, send_card, sent_with, settle_tried, update_content,
        with_content,
    },
    fixture::{acquire, alert, at, claim_one, deliver, enqueue, list, ops, states, team, user},
};

/// Zhang presses the button `ack` of the card `task_id`.
pub(crate) fn press(task_id: &str, second: i64) -> NewPress {
    NewPress {
        sender: ops(),
        task_id: task_id.to_owned(),
        user: "zhang".to_owned(),
        button: "ack".to_owned(),
        response_code: format!("code of {task_id}"),
        pressed_at: at(second),
    }
}

/// Stores a press that is no duplicate.
pub(crate) async fn accept<O: Outbox>(outbox: &O, press: NewPress, now: Timestamp) -> PressId {
    let AcceptedPress::Stored(id) = outbox.accept_press(press, now).await.unwrap() else {
        panic!("it is a duplicate");
    };
    id
}

/// Claims a press for a minute.
pub(crate) async fn claim<O: Outbox>(outbox: &O, now: Timestamp) -> Option<Press> {
    outbox.claim_press(now + jiff::SignedDuration::from_secs(60), now).await.unwrap()
}

pub(crate) fn done(result: &str) -> PressVerdict {
    PressVerdict::Done {
        result: result.to_owned(),
        handled: None,
        watch_until: None,
        notifications: Vec::new(),
    }
}

fn acknowledged(second: i64) -> Handled {
    Handled { action: HandledAction::Acknowledged, by: "zhang".to_owned(), at: at(second) }
}

/// Ends a claim with everything that a silence needs.
fn silenced(until: i64, notifications: Vec<NewNotification>) -> PressVerdict {
    let action = HandledAction::Silenced { silence_id: "id".to_owned(), until: at(until) };
    PressVerdict::Done {
        result: "silenced".to_owned(),
        handled: Some(Handled { action, by: "zhang".to_owned(), at: at(3) }),
        watch_until: Some(at(until)),
        notifications,
    }
}

async fn settle<O: Outbox>(outbox: &O, press: &Press, verdict: PressVerdict, now: Timestamp) {
    outbox.settle_press(press.id, press.claim, verdict, now).await.unwrap();
}

/// Sends a card and presses its button.
async fn pressed_card<O: Outbox>(outbox: &O, lease: &O::Lease, task_id: &str) -> Press {
    send_card(outbox, lease, card(task_id, task_id), "c1", at(1)).await;
    accept(outbox, press(task_id, 2), at(2)).await;
    claim(outbox, at(2)).await.unwrap()
}

pub(crate) async fn a_press_is_claimed_with_its_card(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    let id = accept(&outbox, press("t1", 2), at(3)).await;
    let claimed = claim(&outbox, at(4)).await.unwrap();
    let expected = Press {
        id,
        claim: claimed.claim,
        sender: ops(),
        task_id: "t1".to_owned(),
        user: "zhang".to_owned(),
        button: "ack".to_owned(),
        response_code: "code of t1".to_owned(),
        pressed_at: at(2),
        accepted_at: at(3),
        attempts: 0,
        card: Some(StoredCard {
            task_id: "t1".to_owned(),
            delivery: list(&outbox).await[0].id,
            receiver: team(),
            group_key: "a".to_owned(),
            sender: ops(),
            recipients: user("zhang"),
            content: card_content("t1"),
            summary: "t1".to_owned(),
            severity: "critical".to_owned(),
            labels: labels(),
            handled: Vec::new(),
            is_closed: false,
            accepted_at: at(1),
        }),
    };
    assert_eq!(claimed, expected);
    settle(&outbox, &claimed, done("acknowledged"), at(5)).await;
    assert_eq!(claim(&outbox, at(1000)).await, None);
}

pub(crate) async fn a_press_that_comes_again_is_a_duplicate(outbox: impl Outbox) {
    let id = accept(&outbox, press("t1", 0), at(0)).await;
    let again = |press: NewPress| outbox.accept_press(press, at(1));
    assert_eq!(again(press("t1", 0)).await.unwrap(), AcceptedPress::Duplicate(id));
    settle(&outbox, &claim(&outbox, at(1)).await.unwrap(), done("done"), at(2)).await;
    assert_eq!(again(press("t1", 0)).await.unwrap(), AcceptedPress::Duplicate(id), "also when it is settled");
    let others = [
        NewPress { sender: SenderName("other".to_owned()), ..press("t1", 0) },
        NewPress { user: "li".to_owned(), ..press("t1", 0) },
        NewPress { button: "silence:3600".to_owned(), ..press("t1", 0) },
        NewPress { response_code: "other".to_owned(), ..press("t1", 0) },
        press("t2", 0),
        press("t1", 1),
    ];
    for other in others {
        assert!(matches!(again(other).await.unwrap(), AcceptedPress::Stored(_)));
    }
}

pub(crate) async fn presses_at_once_are_stored_once(outbox: impl Outbox) {
    let calls = (0..8).map(|_| outbox.accept_press(press("t1", 0), at(0)));
    let answers = futures_util::future::join_all(calls).await;
    let stored = answers.into_iter().filter(|answer| matches!(answer, Ok(AcceptedPress::Stored(_))));
    assert_eq!(stored.count(), 1);
}

pub(crate) async fn a_press_of_an_unknown_card_has_no_card(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    accept(&outbox, press("unknown", 2), at(2)).await;
    let other = SenderName("other".to_owned());
    accept(&outbox, NewPress { sender: other, ..press("t1", 2) }, at(3)).await;
    for second in [4, 5] {
        assert_eq!(claim(&outbox, at(second)).await.unwrap().card, None);
    }
}

pub(crate) async fn a_press_of_a_closed_card_says_so(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    accept(&outbox, press("t1", 2), at(2)).await;
    enqueue(&outbox, resolved("a"), at(3)).await;
    deliver(&lease, &claim_one(&lease, at(3)).await, at(3)).await;
    let card = claim(&outbox, at(4)).await.unwrap().card.unwrap();
    assert!(card.is_closed);
}

pub(crate) async fn a_press_of_a_changed_card_has_what_it_shows(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    for (second, task_id) in [(1, "t1"), (2, "t2"), (3, "t3")] {
        send_card(&outbox, &lease, card("a", task_id), task_id, at(second)).await;
    }
    let shown = CardLabels([("alertname".to_owned(), "DiskFuller".to_owned())].into());
    let severity = "info".to_owned();
    let update = NewNotification { card: Some(shown.clone()), severity, ..repeat("a", "new") };
    enqueue(&outbox, update, at(4)).await;
    let claimed = claim_one(&lease, at(4)).await;
    let tried = [("t3", CodeState::Used), ("t2", CodeState::Refused)];
    settle_tried(&lease, &claimed, sent_with(""), &tried, at(4)).await;
    for (second, task_id) in [(5, "t1"), (6, "t2"), (7, "t3")] {
        accept(&outbox, press(task_id, second), at(second)).await;
        let card = claim(&outbox, at(second)).await.unwrap().card.unwrap();
        let is_shown = (card.labels == shown, card.severity == "info", card.summary == "new");
        assert_eq!(is_shown, if task_id == "t3" { (true, true, true) } else { (false, false, false) });
        let content =
            if task_id == "t3" { update_content("new", None, "card") } else { card_content(task_id) };
        assert_eq!((card.content, card.task_id.as_str()), (content, task_id));
    }
}

pub(crate) async fn a_press_after_a_replaced_update_has_what_is_shown(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let text = Content::Text("text".to_owned());
    for (group, replaced) in [("card", card_content("new")), ("text", text)] {
        let [gone, changed] = [format!("{group} 1"), format!("{group} 2")];
        send_card(&outbox, &lease, card(group, &gone), "c1", at(1)).await;
        send_card(&outbox, &lease, card(group, &changed), "c2", at(2)).await;
        let shown = CardLabels([("alertname".to_owned(), "DiskFuller".to_owned())].into());
        let update = NewNotification { card: Some(shown.clone()), ..repeat(group, "new") };
        enqueue(&outbox, update, at(3)).await;
        let tried = [(changed.as_str(), CodeState::Used), (gone.as_str(), CodeState::Refused)];
        let replace = Verdict::Replace { content: replaced, reason: "a card is gone".to_owned() };
        settle_tried(&lease, &claim_one(&lease, at(3)).await, replace, &tried, at(3)).await;
        deliver(&lease, &claim_one(&lease, at(4)).await, at(4)).await;
        accept(&outbox, press(&changed, 5), at(5)).await;
        let pressed = claim(&outbox, at(5)).await.unwrap().card.unwrap();
        // The text says what the update says, but it is no card.
        let expected =
            if group == "card" { (card_content("new"), shown) } else { (card_content(&changed), labels()) };
        assert_eq!((pressed.content, pressed.labels), expected);
        assert_eq!(pressed.task_id, changed);
    }
}

pub(crate) async fn a_press_of_a_purged_card_has_no_card(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    accept(&outbox, press("t1", 2), at(200)).await;
    outbox.purge(at(100), 10).await.unwrap();
    let claimed = claim(&outbox, at(201)).await.unwrap();
    assert_eq!(claimed.card, None);
    settle(&outbox, &claimed, silenced(500, vec![alert("a", "too old")]), at(202)).await;
    assert_eq!(states(&outbox).await, [("too old".to_owned(), State::Ready)]);
}

fn retry(second: i64) -> PressVerdict {
    PressVerdict::Retry { at: at(second), reason: "no answer".to_owned() }
}

pub(crate) async fn the_longest_due_press_is_claimed_first(outbox: impl Outbox) {
    let first = accept(&outbox, press("t1", 0), at(1)).await;
    let second = accept(&outbox, press("t2", 0), at(2)).await;
    assert_eq!(outbox.next_press_due().await.unwrap(), Some(at(1)));
    let claimed = claim(&outbox, at(5)).await.unwrap();
    assert_eq!(claimed.id, first);
    settle(&outbox, &claimed, retry(9), at(5)).await;
    assert_eq!(outbox.next_press_due().await.unwrap(), Some(at(2)));
    let claimed = claim(&outbox, at(10)).await.unwrap();
    assert_eq!(claimed.id, second);
    assert_eq!(claim(&outbox, at(8)).await, None, "the other one is not due");
    let claimed = claim(&outbox, at(9)).await.unwrap();
    assert_eq!((claimed.id, claimed.attempts), (first, 1));
    assert_eq!(outbox.next_press_due().await.unwrap(), Some(at(69)), "the end of a claim");
}

pub(crate) async fn a_claimed_press_is_claimed_again_after_its_deadline(outbox: impl Outbox) {
    accept(&outbox, press("t1", 0), at(0)).await;
    let late = outbox.claim_press(at(30), at(0)).await.unwrap().unwrap();
    assert_eq!(claim(&outbox, at(29)).await, None);
    let present = claim(&outbox, at(30)).await.unwrap();
    assert_eq!((present.id, present.attempts), (late.id, 1));
    assert_ne!(present.claim, late.claim);
    // The late worker changes nothing.
    settle(&outbox, &late, silenced(100, vec![alert("a", "late")]), at(31)).await;
    settle(&outbox, &late, retry(0), at(31)).await;
    assert_eq!((claim(&outbox, at(32)).await, list(&outbox).await), (None, vec![]));
    settle(&outbox, &present, done("done"), at(33)).await;
    settle(&outbox, &present, silenced(100, vec![alert("a", "twice")]), at(34)).await;
    assert_eq!((claim(&outbox, at(1000)).await, list(&outbox).await), (None, vec![]));
    let nobody = outbox.settle_press(PressId(1), ClaimId(1), done("nothing"), at(35)).await;
    assert_eq!(nobody, Ok(()));
}

pub(crate) async fn a_press_waits_for_earlier_ones_of_its_card(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let first = pressed_card(&outbox, &lease, "t1").await;
    let other = NewPress { user: "li".to_owned(), ..press("t1", 3) };
    let second = accept(&outbox, other, at(3)).await;
    assert_eq!(claim(&outbox, at(3)).await, None);
    // The first one is tried again at 9 s, and that comes first.
    settle(&outbox, &first, retry(9), at(4)).await;
    assert_eq!(claim(&outbox, at(5)).await, None);
    assert_eq!(outbox.next_press_due().await.unwrap(), Some(at(9)));
    let again = claim(&outbox, at(9)).await.unwrap();
    assert_eq!(again.id, first.id);
    settle(&outbox, &again, done("acknowledged"), at(9)).await;
    assert_eq!(claim(&outbox, at(9)).await.unwrap().id, second);
}

pub(crate) async fn a_closed_card_is_not_updated_by_a_press(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let claimed = pressed_card(&outbox, &lease, "t1").await;
    enqueue(&outbox, resolved("t1"), at(3)).await;
    deliver(&lease, &claim_one(&lease, at(3)).await, at(4)).await;
    let content = update_content("t1", Some("code of t1"), "text");
    let update = with_content(alert("t1", "updated"), content);
    let text = alert("of zhang", "it is resolved");
    let before = list(&outbox).await.len();
    settle(&outbox, &claimed, silenced(60, vec![update, text]), at(5)).await;
    assert_eq!(list(&outbox).await.len(), before + 1, "only the text to the member");
}

pub(crate) async fn a_press_is_not_claimed_twice_at_once(outbox: impl Outbox) {
    for n in 0..4 {
        accept(&outbox, press(&format!("t{n}"), 0), at(0)).await;
    }
    let claims = futures_util::future::join_all((0..8).map(|_| claim(&outbox, at(1)))).await;
    let mut ids: Vec<_> = claims.iter().flatten().map(|press| press.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let claimed = claims.iter().flatten().count();
    // A process that finds the longest due press locked may find none.
    assert_eq!(claimed, ids.len(), "{claims:?}");
    assert!(claimed > 0);
}

pub(crate) async fn a_settled_press_stores_its_notifications_and_its_action(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let first = pressed_card(&outbox, &lease, "t1").await;
    let update = alert("t1", "update");
    settle(&outbox, &first, silenced(3600, vec![update, alert("of the member", "done")]), at(3)).await;
    let waiting = [("update", State::Ready), ("done", State::Ready)];
    assert_eq!(states(&outbox).await[1..], super::fixture::owned(&waiting));
    accept(&outbox, press("t1", 4), at(4)).await;
    let second = claim(&outbox, at(4)).await.unwrap();
    let handled = second.card.as_ref().unwrap().handled.clone();
    let action = HandledAction::Silenced { silence_id: "id".to_owned(), until: at(3600) };
    assert_eq!(handled, [Handled { action, by: "zhang".to_owned(), at: at(3) }]);
    let verdict = PressVerdict::Done {
        result: "acknowledged".to_owned(),
        handled: Some(acknowledged(5)),
        watch_until: None,
        notifications: vec![],
    };
    settle(&outbox, &second, verdict, at(5)).await;
    accept(&outbox, press("t1", 6), at(6)).await;
    let handled = claim(&outbox, at(6)).await.unwrap().card.unwrap().handled;
    assert_eq!((handled.len(), &handled[1]), (2, &acknowledged(5)));
}

pub(crate) async fn notifications_of_a_press_are_accepted_like_others(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let first = pressed_card(&outbox, &lease, "t1").await;
    let dedupe = Dedupe { key: Key([1; 16]), window: std::time::Duration::from_secs(120) };
    let update = |text| NewNotification { dedupe: Some(dedupe.clone()), ..alert("t1", text) };
    enqueue(&outbox, update("before"), at(3)).await;
    settle(&outbox, &first, silenced(3600, vec![update("again"), alert("t1", "behind")]), at(4)).await;
    let expected = [("before", State::Ready), ("behind", State::Queued)];
    assert_eq!(states(&outbox).await[1..], super::fixture::owned(&expected));
}

pub(crate) async fn presses_are_shown_with_their_results(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let first = pressed_card(&outbox, &lease, "t1").await;
    settle(&outbox, &first, done("acknowledged"), at(3)).await;
    let id = accept(&outbox, NewPress { user: "li".to_owned(), ..press("t1", 4) }, at(5)).await;
    let record = |id, user: &str, pressed, accepted, result: Option<&str>| PressRecord {
        id,
        user: user.to_owned(),
        button: "ack".to_owned(),
        pressed_at: at(pressed),
        accepted_at: at(accepted),
        last_failure: None,
        result: result.map(str::to_owned),
    };
    let delivery = list(&outbox).await[0].id;
    let mut expected = [record(first.id, "zhang", 2, 2, Some("acknowledged")), record(id, "li", 4, 5, None)];
    assert_eq!(outbox.presses(delivery).await.unwrap(), expected);
    let second = claim(&outbox, at(5)).await.unwrap();
    settle(&outbox, &second, retry(7), at(6)).await;
    expected[1].last_failure = Some("no answer".to_owned());
    assert_eq!(outbox.presses(delivery).await.unwrap(), expected);
    let second = claim(&outbox, at(7)).await.unwrap();
    settle(&outbox, &second, done("acknowledged too"), at(8)).await;
    expected[1] = record(id, "li", 4, 5, Some("acknowledged too"));
    assert_eq!(outbox.presses(delivery).await.unwrap(), expected);
    enqueue(&outbox, alert("b", "other"), at(6)).await;
    let other = list(&outbox).await[1].id;
    assert_eq!(outbox.presses(other).await.unwrap(), []);
}

pub(crate) async fn settled_presses_are_purged_and_others_are_not(outbox: impl Outbox) {
    accept(&outbox, press("t1", 0), at(0)).await;
    accept(&outbox, press("t2", 0), at(1)).await;
    let first = claim(&outbox, at(2)).await.unwrap();
    settle(&outbox, &first, done("done"), at(2)).await;
    outbox.purge(at(2), 10).await.unwrap();
    let again = outbox.accept_press(press("t1", 0), at(3)).await.unwrap();
    assert_eq!(again, AcceptedPress::Duplicate(first.id), "it is kept until then");
    outbox.purge(at(100), 10).await.unwrap();
    let again = outbox.accept_press(press("t1", 0), at(101)).await.unwrap();
    assert_eq!(again, AcceptedPress::Stored(first.id));
    let other = outbox.accept_press(press("t2", 0), at(101)).await.unwrap();
    assert!(matches!(other, AcceptedPress::Duplicate(_)));
}

pub(crate) async fn a_renamed_sender_keeps_its_presses(outbox: impl Outbox) {
    let configured = |name: &str| {
        let name = SenderName(name.to_owned());
        vec![ConfiguredSender { name, identity: "A".to_owned(), aliases: vec![] }]
    };
    outbox.adopt(configured("ops"), at(0)).await.unwrap();
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    let id = accept(&outbox, press("t1", 2), at(2)).await;
    lease.release().await;
    outbox.adopt(configured("new"), at(3)).await.unwrap();
    for name in ["new", "ops"] {
        let again = NewPress { sender: SenderName(name.to_owned()), ..press("t1", 2) };
        assert_eq!(outbox.accept_press(again, at(4)).await.unwrap(), AcceptedPress::Duplicate(id), "{name}");
    }
    let claimed = claim(&outbox, at(5)).await.unwrap();
    let new = SenderName("new".to_owned());
    assert_eq!((&claimed.sender, &claimed.card.as_ref().unwrap().sender), (&new, &new));
    settle(&outbox, &claimed, done("acknowledged"), at(5)).await;
    let of_new = NewPress { sender: new.clone(), ..press("t1", 6) };
    accept(&outbox, of_new, at(6)).await;
    assert!(claim(&outbox, at(6)).await.unwrap().card.is_some());
}

/// The watched cards that are due, which are due again after half a minute.
async fn watched<O: Outbox>(outbox: &O, now: Timestamp) -> Vec<WatchedCard> {
    outbox.watched_cards(10, now + jiff::SignedDuration::from_secs(30), now).await.unwrap()
}

/// The task ids and ends of watched cards.
fn ends(watched: &[WatchedCard]) -> Vec<(&str, Timestamp)> {
    watched.iter().map(|watched| (watched.card.task_id.as_str(), watched.watch_until)).collect()
}

/// The claim of the only watched card that is due, for half a minute.
struct Watching {
    delivery: DeliveryId,
    until: Timestamp,
}

async fn watching<O: Outbox>(outbox: &O, second: i64) -> Watching {
    let due = watched(outbox, at(second)).await;
    assert_eq!(due.len(), 1);
    Watching { delivery: due[0].card.delivery, until: at(second + 30) }
}

async fn settle_watch<O: Outbox>(outbox: &O, watching: &Watching, verdict: WatchVerdict, now: Timestamp) {
    outbox.settle_watch(watching.delivery, watching.until, verdict, now).await.unwrap();
}

fn again(second: i64) -> WatchVerdict {
    WatchVerdict::Again { at: at(second), absence: None }
}

pub(crate) async fn a_silenced_card_is_watched_until_it_ends(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let press = pressed_card(&outbox, &lease, "t1").await;
    settle(&outbox, &press, silenced(3600, vec![]), at(3)).await;
    let due = watched(&outbox, at(4)).await;
    assert_eq!(ends(&due), [("t1", at(3600))]);
    assert_eq!(watched(&outbox, at(33)).await, []);
    let first = Watching { delivery: due[0].card.delivery, until: at(34) };
    settle_watch(&outbox, &first, again(50), at(34)).await;
    assert_eq!(watched(&outbox, at(49)).await, []);
    let second = watching(&outbox, 50).await;
    settle_watch(&outbox, &second, WatchVerdict::Ended, at(51)).await;
    settle_watch(&outbox, &second, again(52), at(52)).await;
    let unknown = Watching { delivery: DeliveryId(9999), ..second };
    settle_watch(&outbox, &unknown, WatchVerdict::Ended, at(52)).await;
    assert_eq!(watched(&outbox, at(9999)).await, []);
}

pub(crate) async fn a_late_look_at_a_watched_card_changes_nothing(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let press = pressed_card(&outbox, &lease, "t1").await;
    settle(&outbox, &press, silenced(60, vec![]), at(3)).await;
    // Another process looks after the deadline, and sees the alerts.
    let late = watching(&outbox, 4).await;
    let present = watching(&outbox, 34).await;
    settle_watch(&outbox, &present, again(64), at(35)).await;
    for verdict in [WatchVerdict::Ended, WatchVerdict::Resolved(resolved("t1")), again(36)] {
        settle_watch(&outbox, &late, verdict, at(36)).await;
    }
    assert_eq!(watched(&outbox, at(63)).await, []);
    // A member adds a silence while the last look at the first one goes on.
    let last = watching(&outbox, 64).await;
    accept(&outbox, self::press("t1", 65), at(65)).await;
    let more = claim(&outbox, at(65)).await.unwrap();
    settle(&outbox, &more, silenced(3600, vec![]), at(65)).await;
    settle_watch(&outbox, &last, WatchVerdict::Ended, at(66)).await;
    assert_eq!(ends(&watched(&outbox, at(66)).await), [("t1", at(3600))]);
    assert_eq!(list(&outbox).await.len(), 1);
}

pub(crate) async fn the_absence_of_alerts_is_kept_with_the_watch(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let first = pressed_card(&outbox, &lease, "t1").await;
    settle(&outbox, &first, silenced(3600, vec![]), at(3)).await;
    let absence = Some(Absence { since: at(4), last: at(10), looks: 2 });
    let mut before = watching(&outbox, 4).await;
    for (stored, second) in [(absence, 10), (None, 20), (absence, 30)] {
        let verdict = WatchVerdict::Again { at: at(second), absence: stored };
        settle_watch(&outbox, &before, verdict, at(second)).await;
        let watched = watched(&outbox, at(second)).await;
        assert_eq!(watched.iter().map(|watched| watched.absence).collect::<Vec<_>>(), [stored]);
        before = Watching { until: at(second + 30), ..before };
    }
    // Another silence begins a watch of its own.
    accept(&outbox, press("t1", 40), at(40)).await;
    let again = claim(&outbox, at(40)).await.unwrap();
    settle(&outbox, &again, silenced(7200, vec![]), at(40)).await;
    assert_eq!(watched(&outbox, at(40)).await[0].absence, None);
}

pub(crate) async fn a_watched_card_that_resolves_stores_one_notification(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let press = pressed_card(&outbox, &lease, "t1").await;
    settle(&outbox, &press, silenced(3600, vec![]), at(3)).await;
    let watching = watching(&outbox, 4).await;
    for second in [4, 5] {
        let resolved = WatchVerdict::Resolved(resolved("t1"));
        settle_watch(&outbox, &watching, resolved, at(second)).await;
    }
    let expected = [("t1", State::Delivered), ("resolved", State::Ready)];
    assert_eq!(states(&outbox).await, super::fixture::owned(&expected));
    assert_eq!(watched(&outbox, at(9999)).await, []);
}

pub(crate) async fn the_watch_of_a_card_ends_with_its_group(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let press = pressed_card(&outbox, &lease, "t1").await;
    settle(&outbox, &press, silenced(3600, vec![]), at(3)).await;
    enqueue(&outbox, resolved("t1"), at(4)).await;
    deliver(&lease, &claim_one(&lease, at(4)).await, at(4)).await;
    assert_eq!(watched(&outbox, at(9999)).await, []);
    // A press that was claimed before is too late to watch it.
    accept(&outbox, self::press("t1", 5), at(5)).await;
    let late = claim(&outbox, at(5)).await.unwrap();
    settle(&outbox, &late, silenced(3600, vec![]), at(6)).await;
    assert_eq!(watched(&outbox, at(9999)).await, []);
}

pub(crate) async fn the_longest_silence_of_a_card_is_watched(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    let first = pressed_card(&outbox, &lease, "t1").await;
    settle(&outbox, &first, silenced(3600, vec![]), at(3)).await;
    for (second, until) in [(4, 7200), (5, 1800)] {
        accept(&outbox, press("t1", second), at(second)).await;
        let next = claim(&outbox, at(second)).await.unwrap();
        settle(&outbox, &next, silenced(until, vec![]), at(second)).await;
    }
    assert_eq!(ends(&watched(&outbox, at(6)).await), [("t1", at(7200))]);
}

pub(crate) async fn watched_cards_are_bounded_and_the_longest_due_come_first(outbox: impl Outbox) {
    let lease = acquire(&outbox, at(0)).await;
    for (n, task_id) in ["t1", "t2", "t3"].into_iter().enumerate() {
        let press = pressed_card(&outbox, &lease, task_id).await;
        settle(&outbox, &press, silenced(3600, vec![]), at(3 + n as i64)).await;
    }
    let first = outbox.watched_cards(2, at(40), at(10)).await.unwrap();
    let mut first: Vec<_> = first.iter().map(|watched| watched.card.task_id.as_str()).collect();
    first.sort_unstable();
    assert_eq!(first, ["t1", "t2"]);
    assert_eq!(ends(&watched(&outbox, at(11)).await), [("t3", at(3600))]);
}
