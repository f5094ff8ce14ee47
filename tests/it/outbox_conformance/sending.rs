//! Claims and settlements.

use serde_json::json;
use wecom_relay::{
    outbox::{
        Attempt, Changed, ConfiguredSender, DeliveryId, Destination, Enqueued, Kind, Lease, NewNotification,
        Outbox, Part, Requeue, SenderName, Settlement, State, Verdict,
    },
    wecom::{
        ChatId, Content, GroupText, Receipt, Recipients,
        limits::{self, CardLimits, TextCard},
    },
};

use super::fixture::{
    acquire, addressed, alert, at, attempt, claim, claim_one, claim_zhang, deliver, digest, drain, enqueue,
    fold, kill, list, owned, postpone, settle, settlement, split, state, states, team, texts, user, waiting,
};

pub(crate) async fn a_claimed_delivery_is_not_claimed_again<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    claim_one(&lease, at(1)).await;
    assert_eq!(claim_zhang(&lease, 10, at(1)).await, []);
    assert_eq!(waiting(&lease, 10, at(1)).await, []);
}

pub(crate) async fn two_claims_at_once_share_no_delivery<O: Outbox>(outbox: O) {
    for n in 0..20 {
        enqueue(&outbox, alert(&n.to_string(), &n.to_string()), at(0)).await;
    }
    let lease = acquire(&outbox, at(1)).await;
    let (one, two) =
        futures_util::future::join(claim_zhang(&lease, 12, at(1)), claim_zhang(&lease, 12, at(1))).await;
    let mut ids: Vec<_> = one.iter().chain(&two).map(|claimed| claimed.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

pub(crate) async fn a_claim_carries_the_stored_notification<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let mut new = alert("a", "text");
    let to = Recipients::parse("Zhang|li", "2", "3|4").unwrap();
    new.recipients = to.clone();
    new.deliveries.iter_mut().for_each(|delivery| {
        delivery.recipients = to.clone();
        delivery.content = Content::Markdown("**text**".to_owned());
    });
    let id = enqueue(&outbox, new.clone(), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    assert_eq!(claimed.notification, id);
    assert_eq!((claimed.kind, claimed.part), (Kind::Alert, Part::WHOLE));
    assert_eq!((&claimed.receiver, claimed.group_key.as_str()), (&team(), "a"));
    let content = new.deliveries.remove(0).content;
    assert_eq!((&claimed.message.recipients, &claimed.message.content), (&to, &content));
    assert_eq!((claimed.accepted_at, claimed.claimed_at), (at(0), at(1)));
    assert_eq!((claimed.attempts, claimed.unconfirmed_since), (0, None));
    assert_eq!((claimed.message.duplicate_check, claimed.unsettled_others), (None, 0));
    assert_eq!(claimed.all_recipients, to);
}

pub(crate) async fn every_message_type_is_returned_as_it_was_stored<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
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
        limits::template_card(card.as_object().unwrap().clone(), &CardLimits::APP).unwrap(),
        Content::MarkdownV2("| a |\n|:--|\n| b |".to_owned()),
        GroupText {
            content: "a \"b\"".to_owned(),
            mentioned_list: vec!["@all".to_owned()],
            mentioned_mobile_list: vec!["13800138000".to_owned()],
        }
        .into(),
    ];
    for (content, n) in contents.iter().zip(0..) {
        let mut new = alert("a", content.msgtype());
        new.deliveries.iter_mut().for_each(|delivery| delivery.content = content.clone());
        enqueue(&outbox, new, at(n)).await;
        let claimed = claim_one(&lease, at(n)).await;
        assert_eq!(&claimed.message.content, content);
        assert_eq!(&outbox.show(claimed.id).await.unwrap().unwrap().content, content);
        deliver(&lease, &claimed, at(n)).await;
    }
}

pub(crate) async fn groups_are_returned_as_they_were_stored<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let chat = ChatId::parse("wrOgQhDgAAMYQiS5ol9G7gK9JVAAAA").map(Recipients::Chat).unwrap();
    for (recipients, n) in [Recipients::Group, chat, Recipients::All].iter().zip(0..) {
        let group = format!("group{n}");
        enqueue(&outbox, addressed(alert(&group, "text"), recipients), at(n)).await;
        let claimed = claim_one(&lease, at(n)).await;
        assert_eq!((&claimed.message.recipients, &claimed.all_recipients), (recipients, recipients));
        assert_eq!(&outbox.show(claimed.id).await.unwrap().unwrap().recipients, recipients);
        deliver(&lease, &claimed, at(n)).await;
        assert_eq!(&lease.sent_since(at(-1)).await.unwrap().last().unwrap().recipients, recipients);
    }
}

pub(crate) async fn a_notification_stored_dead_blocks_nothing<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let lost = addressed(split("a", "lost", 2), &Recipients::Nobody);
    enqueue(&outbox, NewNotification { dead: Some("nobody".to_owned()), ..lost }, at(0)).await;
    enqueue(&outbox, alert("a", "next"), at(1)).await;
    let dead = list(&outbox).await;
    let dead: Vec<_> = dead.iter().filter(|listed| listed.state == State::Dead).collect();
    assert_eq!(dead.len(), 2);
    assert_eq!((dead[0].reason.as_str(), dead[0].settled_at), ("nobody", Some(at(0))));
    assert_eq!(outbox.show(dead[0].id).await.unwrap().unwrap().recipients, Recipients::Nobody);
    assert_eq!(outbox.unnoticed(&team(), at(-1), 10).await.unwrap().len(), 2);
    let next = claim_one(&lease, at(2)).await;
    assert_eq!(next.message.content.text(), "next");
    deliver(&lease, &next, at(2)).await;
    // There is nobody to send it to.
    let requeued = outbox.requeue(Requeue::One(dead[0].id), at(3)).await.unwrap();
    assert_eq!(requeued, Changed::NoRecipient);
    assert_eq!(outbox.purge(at(5), 10).await.unwrap(), 3);
}

pub(crate) async fn acquire_makes_deliveries_in_flight_unconfirmed<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    enqueue(&outbox, alert("b", "waits"), at(1)).await;
    let before = claim_one(&lease, at(2)).await;
    assert_eq!((lease.recovered(), acquire(&outbox, at(9)).await.recovered()), (0, 1));
    let lease = acquire(&outbox, at(9)).await;
    assert_eq!(lease.recovered(), 0);
    let claimed = claim(&lease, 2, at(9)).await;
    assert_eq!(texts(&claimed), ["text", "waits"]);
    let again = claimed.first().unwrap();
    assert_eq!((again.id, again.attempts), (before.id, 1));
    assert_eq!(again.unconfirmed_since, Some(at(2)));
    let detail = outbox.show(before.id).await.unwrap().unwrap();
    let interrupted = detail.attempts.first().unwrap();
    assert_eq!((interrupted.started_at, interrupted.counted), (at(2), true));
    assert_eq!(lease.sent_since(at(8)).await.unwrap().len(), 1);
}

fn sender(name: &str) -> SenderName {
    SenderName(name.to_owned())
}

async fn adopt<O: Outbox>(outbox: &O, senders: &[(&str, &str)]) -> usize {
    let configured = senders.iter().map(|(name, identity)| ConfiguredSender {
        name: sender(name),
        identity: (*identity).to_owned(),
        aliases: Vec::new(),
    });
    let moved = outbox.adopt(configured.collect(), at(5)).await.unwrap();
    moved.iter().map(|moved| moved.deliveries).sum()
}

async fn ready_texts<O: Outbox>(outbox: &O, name: &str) -> Vec<String> {
    let lease = outbox.acquire(&sender(name), at(5)).await.unwrap();
    let destinations = lease.scheduled().await.unwrap();
    assert!(destinations.iter().all(|one| one.destination == Destination::of(&sender(name), &user("zhang"))));
    let listed =
        list(outbox).await.into_iter().filter(|one| one.sender == sender(name) && one.state == State::Ready);
    listed.map(|one| one.summary).collect()
}

pub(crate) async fn senders_that_swap_their_names_keep_their_queues<O: Outbox>(outbox: O) {
    assert_eq!(adopt(&outbox, &[("one", "A"), ("two", "B")]).await, 0);
    enqueue(&outbox, NewNotification { sender: sender("one"), ..alert("a", "of A") }, at(0)).await;
    enqueue(&outbox, NewNotification { sender: sender("two"), ..alert("b", "of B") }, at(0)).await;
    assert_eq!(adopt(&outbox, &[("two", "A"), ("one", "B")]).await, 2);
    assert_eq!(ready_texts(&outbox, "two").await, ["of A"]);
    assert_eq!(ready_texts(&outbox, "one").await, ["of B"]);
    // A request that began before a reload still has the former name.
    assert_eq!(adopt(&outbox, &[("three", "A"), ("one", "B")]).await, 1);
    enqueue(&outbox, NewNotification { sender: sender("two"), ..alert("c", "late of A") }, at(6)).await;
    assert_eq!(ready_texts(&outbox, "three").await, ["of A", "late of A"]);
}

pub(crate) async fn merged_senders_deliver_both_queues<O: Outbox>(outbox: O) {
    let new = |name: &str, text: &str| NewNotification { sender: sender(name), ..alert("a", text) };
    adopt(&outbox, &[("one", "A"), ("two", "B")]).await;
    for name in ["one", "two"] {
        for text in ["fires", "ends"] {
            enqueue(&outbox, new(name, &format!("{text} at {name}")), at(0)).await;
        }
    }
    // The entry "two" gets the agent of "one", and the entry "one" is removed.
    assert_eq!(adopt(&outbox, &[("two", "A")]).await, 2);
    assert_eq!(ready_texts(&outbox, "two").await, ["fires at one", "fires at two"]);
    enqueue(&outbox, new("two", "fires again"), at(6)).await;
    let lease = outbox.acquire(&sender("two"), at(6)).await.unwrap();
    let sent = drain(&lease, at(7)).await;
    assert_eq!(sent.len(), 5);
    for (earlier, later) in
        [("fires at one", "ends at one"), ("fires at two", "ends at two"), ("ends at one", "fires again")]
    {
        let place = |text: &str| sent.iter().position(|sent| sent == text).unwrap();
        assert!(place(earlier) < place(later), "{sent:?}");
    }
}

pub(crate) async fn a_renamed_sender_keeps_its_order_and_its_duplicates<O: Outbox>(outbox: O) {
    let group = "g".repeat(5000);
    let new = |name: &str, text: &str| NewNotification {
        sender: sender(name),
        group_key: group.clone(),
        ..state("a", text)
    };
    adopt(&outbox, &[("ops", "A")]).await;
    enqueue(&outbox, new("ops", "first"), at(0)).await;
    assert_eq!(adopt(&outbox, &[("later", "A")]).await, 1);
    let repeated = outbox.enqueue(new("later", "first"), at(5)).await.unwrap();
    assert!(matches!(repeated, Enqueued::Duplicate(_)), "{repeated:?}");
    enqueue(&outbox, new("later", "second"), at(6)).await;
    // Another sender with the former name does not wait for it.
    assert_eq!(adopt(&outbox, &[("later", "A"), ("ops", "B")]).await, 0);
    enqueue(&outbox, new("ops", "of B"), at(7)).await;
    assert_eq!(ready_texts(&outbox, "later").await, ["first"]);
    assert_eq!(ready_texts(&outbox, "ops").await, ["of B"]);
}

pub(crate) async fn a_dead_letter_of_a_renamed_sender_is_requeued_to_it<O: Outbox>(outbox: O) {
    adopt(&outbox, &[("ops", "A")]).await;
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    kill(&lease, &claimed, at(2)).await;
    for senders in [("later", "A"), ("later", "B"), ("last", "B")] {
        assert_eq!(adopt(&outbox, &[senders]).await, 0);
    }
    outbox.requeue(Requeue::One(claimed.id), at(6)).await.unwrap();
    assert_eq!(ready_texts(&outbox, "last").await, ["text"]);
}

pub(crate) async fn recovered_deliveries_go_before_waiting_ones<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for text in ["one", "two", "three"] {
        enqueue(&outbox, alert(text, text), at(0)).await;
    }
    assert_eq!(texts(&claim(&lease, 1, at(1)).await), ["one"]);
    let lease = acquire(&outbox, at(9)).await;
    assert_eq!(texts(&claim(&lease, 1, at(9)).await), ["one"]);
}

pub(crate) async fn acquire_recovers_only_its_sender<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    let other_sender = SenderName("other".to_owned());
    let other = outbox.acquire(&other_sender, at(0)).await.unwrap();
    enqueue(&outbox, alert("a", "mine"), at(0)).await;
    enqueue(&outbox, NewNotification { sender: other_sender.clone(), ..alert("b", "other") }, at(0)).await;
    let mine = claim_one(&lease, at(1)).await;
    let theirs = claim_one(&other, at(1)).await;
    let other = outbox.acquire(&other_sender, at(2)).await.unwrap();
    assert_eq!(other.recovered(), 1);
    assert_eq!(states(&outbox).await, owned(&[("mine", State::InFlight), ("other", State::Ready)]));
    deliver(&lease, &mine, at(3)).await;
    let again = claim_one(&other, at(3)).await;
    assert_eq!((again.id, again.unconfirmed_since), (theirs.id, Some(at(1))));
    let delivered = states(&outbox).await;
    assert_eq!(delivered, owned(&[("mine", State::Delivered), ("other", State::InFlight)]));
}

pub(crate) async fn a_settlement_of_an_earlier_claim_changes_nothing<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    let earlier = claim_one(&lease, at(1)).await;
    let next_lease = acquire(&outbox, at(2)).await;
    // The delivery is ready again, so the earlier claim has ended.
    kill(&lease, &earlier, at(3)).await;
    let later = claim_one(&next_lease, at(4)).await;
    assert!(later.id == earlier.id && later.claim != earlier.claim);
    let before = outbox.show(later.id).await.unwrap();
    deliver(&lease, &earlier, at(5)).await;
    kill(&lease, &earlier, at(5)).await;
    postpone(&lease, &earlier, at(5), at(5)).await;
    let content = Content::Text("other".to_owned());
    settle(&lease, &earlier, Verdict::Replace { content, reason: "no".to_owned() }, at(5)).await;
    assert_eq!(outbox.show(later.id).await.unwrap(), before);
    assert_eq!(claim(&next_lease, 1, at(6)).await, []);
    deliver(&next_lease, &later, at(7)).await;
    assert_eq!(states(&outbox).await, owned(&[("text", State::Delivered)]));
}

pub(crate) async fn a_retry_waits_until_it_is_due<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    let retry = Verdict::Retry { at: at(10), charged: false, unconfirmed: false, unknown_code: false };
    settle(&lease, &claimed, retry, at(2)).await;
    assert!(claim(&lease, 1, at(9)).await.is_empty());
    let claimed = claim_one(&lease, at(10)).await;
    assert_eq!((claimed.attempts, claimed.unconfirmed_since), (0, None));
    postpone(&lease, &claimed, at(20), at(11)).await;
    assert_eq!(claim_one(&lease, at(20)).await.attempts, 1);
}

pub(crate) async fn replaced_content_is_sent_in_the_same_place<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "card"), at(0)).await;
    enqueue(&outbox, alert("a", "later"), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    assert_eq!(claimed.text_form.as_deref(), Some("card, plainly"));
    let reason = "no card".to_owned();
    let content = Content::Text("words".to_owned());
    settle(&lease, &claimed, Verdict::Replace { content, reason }, at(2)).await;
    let again = claim_zhang(&lease, 2, at(3)).await;
    assert_eq!(texts(&again), ["words"]);
    assert_eq!((again[0].id, again[0].unconfirmed_since), (claimed.id, None));
    assert_ne!(again[0].body, claimed.body);
    assert_eq!(outbox.show(claimed.id).await.unwrap().unwrap().content, again[0].message.content);
    deliver(&lease, &again[0], at(4)).await;
    assert_eq!(texts(&claim(&lease, 2, at(5)).await), ["later"]);
}

pub(crate) async fn a_delivery_stays_unconfirmed_since_its_first_attempt<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    for second in [1, 5] {
        let claimed = claim_one(&lease, at(second)).await;
        let retry = Verdict::Retry { at: at(second), charged: true, unconfirmed: true, unknown_code: false };
        settle(&lease, &claimed, retry, at(second + 1)).await;
    }
    let since = claim_one(&lease, at(9)).await.unconfirmed_since;
    assert_eq!(since, Some(at(2)));
}

pub(crate) async fn equal_messages_have_the_same_body_hash<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for (group, text) in [("a", "same"), ("b", "same"), ("c", "different")] {
        enqueue(&outbox, alert(group, text), at(0)).await;
    }
    enqueue(&outbox, addressed(alert("d", "same"), &user("li")), at(0)).await;
    let claimed = claim(&lease, 9, at(1)).await;
    let body = |group: &str| claimed.iter().find(|claimed| claimed.group_key == group).unwrap().body;
    assert_eq!(body("a"), body("b"));
    assert!(body("a") != body("c") && body("a") != body("d"));
    let first = claimed.iter().find(|claimed| claimed.group_key == "a").unwrap();
    postpone(&lease, first, at(2), at(2)).await;
    let again = claim_one(&lease, at(3)).await;
    assert_eq!((again.body, &again.message), (first.body, &first.message));
    deliver(&lease, &again, at(4)).await;
    let sent = lease.sent_since(at(0)).await.unwrap();
    let sent: Vec<_> = sent.iter().map(|sent| (sent.delivery, sent.body)).collect();
    assert_eq!(sent, [(first.id, first.body); 2]);
}

pub(crate) async fn settling_twice_changes_nothing<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    deliver(&lease, &claimed, at(2)).await;
    let before = list(&outbox).await;
    kill(&lease, &claimed, at(3)).await;
    postpone(&lease, &claimed, at(4), at(4)).await;
    let unknown = Settlement {
        delivery: DeliveryId(999),
        ..settlement(&claimed, Verdict::Dead("x".to_owned()), at(4))
    };
    lease.settle(unknown, at(4)).await.unwrap();
    assert_eq!(list(&outbox).await, before);
    assert_eq!(outbox.show(claimed.id).await.unwrap().unwrap().attempts.len(), 1);
}

pub(crate) async fn counted_sends_are_remembered<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for (n, counted) in [true, false, true].into_iter().enumerate() {
        let second = i64::try_from(n).unwrap() * 10;
        enqueue(&outbox, alert("a", "text"), at(second)).await;
        let claimed = claim_one(&lease, at(second)).await;
        let attempt = Attempt { counted, ..attempt(at(second)) };
        let verdict = Verdict::Delivered(Receipt::default());
        let settlement = Settlement { attempt, ..settlement(&claimed, verdict, at(second)) };
        lease.settle(settlement, at(second)).await.unwrap();
    }
    let sent = lease.sent_since(at(-1)).await.unwrap();
    let ended: Vec<_> = sent.iter().map(|sent| sent.ended_at.as_second() - at(0).as_second()).collect();
    assert_eq!(ended, [0, 20]);
    assert!(sent.iter().all(|sent| sent.recipients == user("zhang")));
    assert_eq!(lease.sent_since(at(1)).await.unwrap().len(), 1);
    assert!(lease.sent_since(at(21)).await.unwrap().is_empty());
}

pub(crate) async fn a_claim_of_an_empty_queue_returns_nothing<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    assert!(claim_zhang(&lease, 10, at(0)).await.is_empty());
    assert!(fold(&lease, 1, digest("digest"), at(0)).await.is_empty());
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    assert!(claim_zhang(&lease, 0, at(0)).await.is_empty());
    assert_eq!(states(&outbox).await, owned(&[("text", State::Ready)]));
}
