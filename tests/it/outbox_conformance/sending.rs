//! Claims and what becomes of them.

use serde_json::json;
use wecom_relay::{
    outbox::{
        Changed, Destination, Kind, NewNotification, NotificationId, Outbox, Part, Pick, Settlement, State,
        Verdict, Which,
    },
    wecom::{
        Content, Receipt, Recipients,
        limits::{self, TextCard},
    },
};

use super::fixture::{
    CHECK, alert, at, attempt, claim, claim_one, deliver, kill, list, ops, put_off, says, settle, split,
    states, take, team, user,
};

fn heads(slots: u32) -> Vec<Pick> {
    let destination = Destination::of(&ops(), &user("zhang"));
    vec![Pick::Heads { destination, receiver: team(), slots }]
}

pub(crate) async fn what_is_claimed_is_given_to_nobody_else<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "text"), at(0)).await;
    claim_one(&outbox, at(1)).await;
    assert!(outbox.claim(&ops(), heads(10), CHECK, at(1)).await.unwrap().is_empty());
    assert_eq!(outbox.waiting(&ops(), 10, at(1)).await.unwrap(), Default::default());
}

pub(crate) async fn two_claims_at_once_share_nothing<O: Outbox>(outbox: O) {
    for n in 0..20 {
        take(&outbox, alert(&n.to_string(), &n.to_string()), at(0)).await;
    }
    let other = outbox.clone();
    let sender = ops();
    let one = outbox.claim(&sender, heads(12), CHECK, at(1));
    let two = other.claim(&sender, heads(12), CHECK, at(1));
    let (one, two) = futures_util::future::join(one, two).await;
    let mut ids: Vec<_> = one.unwrap().iter().chain(&two.unwrap()).map(|claimed| claimed.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

pub(crate) async fn a_claim_carries_what_was_put_in<O: Outbox>(outbox: O) {
    let mut new = alert("a", "text");
    let to = wecom_relay::wecom::Recipients::parse("Zhang|li", "2", "3|4").unwrap();
    new.recipients = to.clone();
    new.deliveries.iter_mut().for_each(|delivery| {
        delivery.recipients = to.clone();
        delivery.content = wecom_relay::wecom::Content::Markdown("**text**".to_owned());
    });
    let id = take(&outbox, new.clone(), at(0)).await;
    let claimed = claim_one(&outbox, at(1)).await;
    assert_eq!((claimed.notification, claimed.kind, claimed.part), (id, Kind::Alert, Part::WHOLE));
    assert_eq!((&claimed.receiver, claimed.group_key.as_str()), (&team(), "a"));
    let content = new.deliveries.remove(0).content;
    assert_eq!((&claimed.message.recipients, &claimed.message.content), (&to, &content));
    assert_eq!((claimed.accepted_at, claimed.claimed_at), (at(0), at(1)));
    assert_eq!((claimed.attempts, claimed.unconfirmed_since), (0, None));
}

pub(crate) async fn every_type_of_message_is_given_out_as_it_was_put_in<O: Outbox>(outbox: O) {
    let card = json!({
        "main_title": { "title": "磁盘 \"/data\"" },
        "card_action": { "type": 1, "url": "https://a.example/?q=1&r=<2>" },
        "more": [1.5, null, true],
    });
    let text_card = TextCard {
        title: "磁盘".to_owned(),
        description: "a<br>\n\t\"b\"".to_owned(),
        url: "https://a.example".to_owned(),
        btntxt: String::new(),
    };
    let contents = [
        Content::Text("text".to_owned()),
        Content::Markdown("**text**".to_owned()),
        limits::text_card(text_card).unwrap(),
        limits::template_card(card.as_object().unwrap().clone()).unwrap(),
    ];
    for (content, n) in contents.iter().zip(0..) {
        let mut new = alert("a", content.msgtype());
        new.deliveries.iter_mut().for_each(|delivery| delivery.content = content.clone());
        take(&outbox, new, at(n)).await;
        let claimed = claim_one(&outbox, at(n)).await;
        assert_eq!(&claimed.message.content, content);
        assert_eq!(&outbox.show(claimed.id).await.unwrap().unwrap().content, content);
        deliver(&outbox, &claimed, at(n)).await;
    }
}

pub(crate) async fn what_is_dead_from_the_start_is_kept_and_nothing_waits_for_it<O: Outbox>(outbox: O) {
    let nobody = |mut new: NewNotification| {
        new.recipients = Recipients::Nobody;
        new.deliveries.iter_mut().for_each(|delivery| delivery.recipients = Recipients::Nobody);
        NewNotification { dead: Some("nobody".to_owned()), ..new }
    };
    take(&outbox, nobody(split("a", "lost", 2)), at(0)).await;
    take(&outbox, alert("a", "next"), at(1)).await;
    let dead = list(&outbox).await;
    let dead: Vec<_> = dead.iter().filter(|listed| listed.state == State::Dead).collect();
    assert_eq!(dead.len(), 2);
    assert_eq!((dead[0].reason.as_str(), dead[0].settled_at), ("nobody", Some(at(0))));
    assert_eq!(outbox.show(dead[0].id).await.unwrap().unwrap().recipients, Recipients::Nobody);
    assert_eq!(outbox.unnoticed(&team(), at(-1), 10).await.unwrap().len(), 2);
    let next = claim_one(&outbox, at(2)).await;
    assert_eq!(next.message.content.text(), "next");
    deliver(&outbox, &next, at(2)).await;
    let retried = outbox.retry(Which::One(dead[0].id), at(3)).await.unwrap();
    assert_eq!(retried, Changed::Deliveries(1));
    let again = claim_one(&outbox, at(3)).await;
    assert_eq!(again.message.recipients, Recipients::Nobody);
    kill(&outbox, &again, at(4)).await;
    assert_eq!(outbox.purge(at(5), 10).await.unwrap(), 2);
}

pub(crate) async fn what_was_in_flight_is_in_doubt_after_a_recovery<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "text"), at(0)).await;
    take(&outbox, alert("b", "waits"), at(1)).await;
    let before = claim_one(&outbox, at(2)).await;
    assert_eq!(outbox.recover(at(9)).await.unwrap(), 1);
    assert_eq!(outbox.recover(at(9)).await.unwrap(), 0);
    let claimed = claim(&outbox, 2, at(9)).await;
    assert_eq!(says(&claimed), ["waits", "text"]);
    let again = claimed.last().unwrap();
    assert_eq!((again.id, again.attempts, again.unconfirmed_since), (before.id, 1, Some(at(2))));
    let detail = outbox.show(before.id).await.unwrap().unwrap();
    let interrupted = detail.attempts.first().unwrap();
    assert_eq!((interrupted.started_at, interrupted.counted), (at(2), true));
    assert_eq!(outbox.sent_since(&ops(), at(8)).await.unwrap().len(), 1);
}

pub(crate) async fn a_retry_waits_until_it_is_due<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "text"), at(0)).await;
    let claimed = claim_one(&outbox, at(1)).await;
    let retry = Verdict::Retry { at: at(10), charged: false, unconfirmed: false, unknown: false };
    settle(&outbox, claimed.id, retry, at(2)).await;
    assert!(claim(&outbox, 1, at(9)).await.is_empty());
    let claimed = claim_one(&outbox, at(10)).await;
    assert_eq!((claimed.attempts, claimed.unconfirmed_since), (0, None));
    put_off(&outbox, &claimed, at(20), at(11)).await;
    assert_eq!(claim_one(&outbox, at(20)).await.attempts, 1);
}

pub(crate) async fn what_was_refused_goes_out_with_other_words_in_its_place<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "card"), at(0)).await;
    take(&outbox, alert("a", "later"), at(0)).await;
    let claimed = claim_one(&outbox, at(1)).await;
    assert_eq!(claimed.text_form.as_deref(), Some("card, plainly"));
    let reason = "no card".to_owned();
    let content = Content::Text("words".to_owned());
    settle(&outbox, claimed.id, Verdict::Replace { content, reason }, at(2)).await;
    let again = outbox.claim(&ops(), heads(2), CHECK, at(3)).await.unwrap();
    assert_eq!(says(&again), ["words"]);
    assert_eq!((again[0].id, again[0].unconfirmed_since), (claimed.id, None));
    assert_eq!(again[0].message.duplicate_check, Some(CHECK), "the new body was never sent");
    assert_eq!(outbox.show(claimed.id).await.unwrap().unwrap().content, again[0].message.content);
    deliver(&outbox, &again[0], at(4)).await;
    assert_eq!(says(&claim(&outbox, 2, at(5)).await), ["later"]);
}

pub(crate) async fn doubt_keeps_its_first_moment<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "text"), at(0)).await;
    for second in [1, 5] {
        let claimed = claim_one(&outbox, at(second)).await;
        let retry = Verdict::Retry { at: at(second), charged: true, unconfirmed: true, unknown: false };
        settle(&outbox, claimed.id, retry, at(second + 1)).await;
    }
    let since = claim_one(&outbox, at(9)).await.unconfirmed_since;
    assert_eq!(since, Some(at(2)));
}

pub(crate) async fn the_duplicate_check_is_frozen_with_the_first_claim<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "text"), at(0)).await;
    let first = outbox.claim(&ops(), heads(1), CHECK, at(1)).await.unwrap().remove(0);
    assert_eq!(first.message.duplicate_check, Some(CHECK));
    put_off(&outbox, &first, at(2), at(2)).await;
    let second = outbox.claim(&ops(), heads(1), CHECK * 2, at(2)).await.unwrap().remove(0);
    assert_eq!(second.message, first.message);
}

pub(crate) async fn an_equal_body_within_the_interval_gets_no_check<O: Outbox>(outbox: O) {
    for group in ["a", "b", "c"] {
        take(&outbox, alert(group, "same"), at(0)).await;
    }
    let first = claim_one(&outbox, at(1)).await;
    assert_eq!(first.message.duplicate_check, Some(CHECK));
    let second = claim_one(&outbox, at(120)).await;
    assert_eq!(second.message.duplicate_check, None);
    put_off(&outbox, &second, at(300), at(121)).await;
    assert_eq!(claim_one(&outbox, at(299)).await.message.duplicate_check, Some(CHECK));
    assert_eq!(claim_one(&outbox, at(500)).await.message.duplicate_check, None);
}

pub(crate) async fn settling_twice_changes_nothing<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "text"), at(0)).await;
    let claimed = claim_one(&outbox, at(1)).await;
    deliver(&outbox, &claimed, at(2)).await;
    let before = list(&outbox).await;
    kill(&outbox, &claimed, at(3)).await;
    put_off(&outbox, &claimed, at(4), at(4)).await;
    settle(&outbox, wecom_relay::outbox::DeliveryId(999), Verdict::Dead("x".to_owned()), at(4)).await;
    assert_eq!(list(&outbox).await, before);
    assert_eq!(outbox.show(claimed.id).await.unwrap().unwrap().attempts.len(), 1);
}

pub(crate) async fn counted_sends_are_remembered<O: Outbox>(outbox: O) {
    for (n, counted) in [true, false, true].into_iter().enumerate() {
        let second = i64::try_from(n).unwrap() * 10;
        take(&outbox, alert("a", "text"), at(second)).await;
        let claimed = claim_one(&outbox, at(second)).await;
        let attempt = wecom_relay::outbox::Attempt { counted, ..attempt(at(second)) };
        let verdict = Verdict::Delivered(Receipt::default());
        outbox.settle(Settlement { delivery: claimed.id, attempt, verdict }, at(second)).await.unwrap();
    }
    let sent = outbox.sent_since(&ops(), at(-1)).await.unwrap();
    let ended: Vec<_> = sent.iter().map(|sent| sent.ended_at.as_second() - at(0).as_second()).collect();
    assert_eq!(ended, [0, 20]);
    assert!(sent.iter().all(|sent| sent.recipients == user("zhang")));
    assert_eq!(outbox.sent_since(&ops(), at(1)).await.unwrap().len(), 1);
    assert!(outbox.sent_since(&ops(), at(21)).await.unwrap().is_empty());
}

pub(crate) async fn a_claim_of_an_empty_queue_gives_nothing<O: Outbox>(outbox: O) {
    assert!(outbox.claim(&ops(), heads(10), CHECK, at(0)).await.unwrap().is_empty());
    take(&outbox, alert("a", "text"), at(0)).await;
    assert!(outbox.claim(&ops(), heads(0), CHECK, at(0)).await.unwrap().is_empty());
    let gone = Pick::Digest {
        members: vec![NotificationId(77)],
        digest: Box::new(super::fixture::digest("digest")),
    };
    assert!(outbox.claim(&ops(), vec![gone], CHECK, at(0)).await.unwrap().is_empty());
    assert_eq!(states(&outbox).await, super::fixture::owned(&[("text", State::Ready)]));
}

pub(crate) async fn what_waits_for_a_moment_beyond_the_horizon_can_be_hastened<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "from the future"), at(9000)).await;
    take(&outbox, alert("b", "soon"), at(100)).await;
    assert!(claim(&outbox, 2, at(10)).await.is_empty());
    outbox.hasten(&ops(), at(610), at(10)).await.unwrap();
    assert_eq!(says(&claim(&outbox, 2, at(10)).await), ["from the future"]);
    assert_eq!(says(&claim(&outbox, 2, at(100)).await), ["soon"]);
}
