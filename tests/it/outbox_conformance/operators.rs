//! Queries and commands of operators.

use wecom_relay::{
    outbox::{
        Changed, DeliveryId, Filter, Kind, ListOrder, NewNotification, Outbox, Page, PageRequest,
        ReceiverName, Requeue, SenderName, State, Verdict,
    },
    wecom::{CardUpdate, Content, InvalidRecipients, Otherwise, Receipt},
};

use super::fixture::{
    acquire, alert, at, claim, claim_one, deliver, digest, drain, enqueue, fold, kill, list, list_all, owned,
    postpone, settle, states, texts, user,
};

async fn find<O: Outbox>(outbox: &O, filter: Filter) -> Vec<String> {
    let found = list_all(outbox, filter, ListOrder::OldestFirst, 10).await;
    found.into_iter().map(|listed| listed.summary).collect()
}

fn summaries(page: &Page) -> Vec<&str> {
    page.deliveries.iter().map(|listed| listed.summary.as_str()).collect()
}

pub(crate) async fn a_list_is_filtered_and_paged<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for (n, receiver) in [(0, "team"), (1, "other"), (2, "team"), (3, "team")] {
        let new = NewNotification {
            receiver: ReceiverName(receiver.to_owned()),
            ..alert(&n.to_string(), &n.to_string())
        };
        enqueue(&outbox, new, at(n)).await;
    }
    let team = claim(&lease, 3, at(5)).await.into_iter().filter(|claimed| claimed.receiver.0 == "team");
    for (claimed, dead) in team.zip([true, false]) {
        if dead {
            kill(&lease, &claimed, at(6)).await;
        } else {
            deliver(&lease, &claimed, at(6)).await;
        }
    }
    let all = Filter::default();
    assert_eq!(find(&outbox, all.clone()).await, ["0", "1", "2", "3"]);
    let states = vec![State::Delivered, State::Dead];
    assert_eq!(find(&outbox, Filter { states: states.clone(), ..all.clone() }).await, ["0", "2"]);
    let receiver = Some(ReceiverName("other".to_owned()));
    assert_eq!(find(&outbox, Filter { receiver, ..all.clone() }).await, ["1"]);
    let (accepted_since, accepted_before) = (Some(at(1)), Some(at(3)));
    assert_eq!(find(&outbox, Filter { accepted_since, accepted_before, ..all.clone() }).await, ["1", "2"]);
    let request = |order, after, limit| PageRequest { order, after, limit };
    let page = outbox.list(all.clone(), request(ListOrder::OldestFirst, None, 3)).await.unwrap();
    assert_eq!(summaries(&page), ["0", "1", "2"]);
    let page = outbox.list(all.clone(), request(ListOrder::OldestFirst, page.next, 3)).await.unwrap();
    assert_eq!((summaries(&page), page.next), (vec!["3"], None));
    let few = Filter { states, ..all };
    let page = outbox.list(few, request(ListOrder::OldestFirst, None, 1)).await.unwrap();
    assert_eq!(summaries(&page), ["0"]);
}

async fn find_by_words<O: Outbox>(outbox: &O, words: &[&str]) -> Vec<String> {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    find(outbox, Filter { words, ..Filter::default() }).await
}

pub(crate) async fn a_list_is_searched_by_words_sender_and_group<O: Outbox>(outbox: O) {
    for (group, text) in [("disk db1", "DiskFull É"), ("disk db2", "磁盘已满"), ("lag", "100% \\_Kafka'")]
    {
        enqueue(&outbox, alert(group, text), at(0)).await;
    }
    let [disk, chinese, kafka] = ["DiskFull É", "磁盘已满", "100% \\_Kafka'"];
    assert_eq!(find_by_words(&outbox, &["DISK"]).await, [disk, chinese]);
    assert_eq!(find_by_words(&outbox, &["db1", "full"]).await, [disk]);
    assert_eq!(find_by_words(&outbox, &["磁盘"]).await, [chinese]);
    assert_eq!(find_by_words(&outbox, &["\\_kafka'", "%"]).await, [kafka]);
    assert_eq!(find_by_words(&outbox, &["é"]).await, [""; 0]);
    let all = Filter::default();
    let by_group = Filter { group_key: Some("lag".to_owned()), ..all.clone() };
    assert_eq!(find(&outbox, by_group).await, [kafka]);
    let sender = |name: &str| Filter { sender: Some(SenderName(name.to_owned())), ..all.clone() };
    assert_eq!(find(&outbox, sender("ops")).await.len(), 3);
    assert_eq!(find(&outbox, sender("other")).await, [""; 0]);
    for (kind, count) in [(Kind::Alert, 3), (Kind::Digest, 0)] {
        assert_eq!(find(&outbox, Filter { kind: Some(kind), ..all.clone() }).await.len(), count);
    }
}

pub(crate) async fn words_are_found_in_texts_and_not_in_codes<O: Outbox>(outbox: O) {
    let mut text = alert("disk", "DiskFull");
    text.deliveries[0].content = Content::Text("db1 is FULL".to_owned());
    let mut update = alert("lag", "KafkaLag");
    let card = Content::stored("template_card", r#"{"card_type":"button_interaction"}"#.to_owned());
    let Some(Content::TemplateCard(template_card)) = card else { panic!("no card") };
    let code = Some("a-secret-code".to_owned());
    let with_code = CardUpdate { template_card, response_code: code, otherwise: Otherwise::Card };
    update.deliveries[0].content = Content::card_update(&with_code);
    for new in [text, update] {
        enqueue(&outbox, new, at(0)).await;
    }
    let found = async |words: &[&str], in_content| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        find(&outbox, Filter { words, in_content, ..Filter::default() }).await
    };
    assert_eq!(found(&["DB1", "diskfull"], true).await, ["DiskFull"]);
    assert_eq!(found(&["db1"], false).await, [""; 0]);
    assert_eq!(found(&["kafkalag"], true).await, ["KafkaLag"]);
    assert_eq!(found(&["secret"], true).await, [""; 0]);
}

pub(crate) async fn a_list_can_start_with_the_newest_delivery<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for n in 0..5 {
        let text = n.to_string();
        enqueue(&outbox, alert(&text, &text), at(n)).await;
    }
    for dead in claim(&lease, 3, at(6)).await.iter().take(2) {
        kill(&lease, dead, at(7)).await;
    }
    let newest_first = async |states: &[State], limit| {
        let filter = Filter { states: states.to_vec(), ..Filter::default() };
        let listed = list_all(&outbox, filter, ListOrder::NewestFirst, limit).await;
        listed.into_iter().map(|listed| listed.summary).collect::<Vec<_>>()
    };
    for limit in [1, 2, 5, 100] {
        assert_eq!(newest_first(&[], limit).await, ["4", "3", "2", "1", "0"]);
        assert_eq!(newest_first(&[State::Dead], limit).await, ["1", "0"]);
        assert_eq!(newest_first(&[State::Ready], limit).await, ["4", "3"]);
        assert_eq!(newest_first(&[State::Dead, State::InFlight], limit).await, ["2", "1", "0"]);
    }
}

pub(crate) async fn a_delivery_is_shown_with_its_attempts<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    settle(
        &lease,
        &claimed,
        Verdict::Retry { at: at(5), charged: true, unconfirmed: true, unknown_code: false },
        at(2),
    )
    .await;
    let waits = outbox.show(claimed.id).await.unwrap().unwrap();
    assert_eq!((waits.listed.state, waits.listed.due_at), (State::Ready, Some(at(5))));
    assert_eq!(waits.listed.reason, "detail");
    let again = claim_one(&lease, at(5)).await;
    let missed = InvalidRecipients {
        users: vec!["li".to_owned()],
        tags: vec!["4".to_owned()],
        ..InvalidRecipients::default()
    };
    let receipt = Receipt { msgid: "m1".to_owned(), response_code: String::new(), invalid: missed };
    settle(&lease, &again, Verdict::Delivered(receipt), at(6)).await;
    let detail = outbox.show(claimed.id).await.unwrap().unwrap();
    assert_eq!((detail.group_key.as_str(), detail.msgid.as_str()), ("a", "m1"));
    assert_eq!((&detail.recipients, &detail.content), (&user("zhang"), &claimed.message.content));
    assert!(
        detail.invalid_recipients.contains("li") && detail.invalid_recipients.contains('4'),
        "{}",
        detail.invalid_recipients
    );
    assert!(detail.unconfirmed_since.is_some());
    assert_eq!(detail.attempts.iter().map(|attempt| attempt.started_at).collect::<Vec<_>>(), [at(2), at(6)]);
    assert_eq!((detail.listed.attempts, detail.listed.settled_at), (2, Some(at(6))));
    assert_eq!((detail.listed.state, detail.listed.due_at), (State::Delivered, None));
}

pub(crate) async fn a_requeued_dead_letter_is_last_of_its_ordering_key<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for text in ["one", "two", "three"] {
        enqueue(&outbox, alert("a", text), at(0)).await;
    }
    let dead = claim_one(&lease, at(1)).await;
    kill(&lease, &dead, at(1)).await;
    assert_eq!(outbox.requeue(Requeue::One(dead.id), at(2)).await.unwrap(), Changed::Deliveries(1));
    let listed = list(&outbox).await.remove(0);
    assert_eq!((listed.state, listed.attempts, listed.settled_at), (State::Queued, 0, None));
    assert_eq!(outbox.requeue(Requeue::One(dead.id), at(2)).await.unwrap(), Changed::NotIn(State::Queued));
    assert_eq!(outbox.purge(at(1000), 10).await.unwrap(), 0);
    assert_eq!(drain(&lease, at(3)).await, ["two", "three", "one"]);
    assert_eq!(outbox.requeue(Requeue::One(dead.id), at(4)).await.unwrap(), Changed::NotIn(State::Delivered));
}

pub(crate) async fn a_requeued_ready_delivery_is_due_now<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "text"), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    assert_eq!(
        outbox.requeue(Requeue::One(claimed.id), at(1)).await.unwrap(),
        Changed::NotIn(State::InFlight)
    );
    postpone(&lease, &claimed, at(100), at(1)).await;
    assert_eq!(outbox.requeue(Requeue::One(claimed.id), at(2)).await.unwrap(), Changed::Deliveries(1));
    assert_eq!(claim_one(&lease, at(2)).await.attempts, 1);
}

pub(crate) async fn the_next_delivery_is_ready_after_a_discarded_one<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    for text in ["one", "two", "three"] {
        enqueue(&outbox, alert("a", text), at(0)).await;
    }
    let ids: Vec<_> = list(&outbox).await.into_iter().map(|listed| listed.id).collect();
    for id in ids.into_iter().take(2) {
        assert_eq!(outbox.discard(id, at(1)).await.unwrap(), Changed::Deliveries(1));
        assert_eq!(outbox.discard(id, at(1)).await.unwrap(), Changed::NotIn(State::Discarded));
        assert_eq!(outbox.requeue(Requeue::AllDead, at(1)).await.unwrap(), Changed::Deliveries(0));
    }
    let last = claim_one(&lease, at(2)).await;
    assert_eq!(texts(std::slice::from_ref(&last)), ["three"]);
    kill(&lease, &last, at(3)).await;
    assert_eq!(outbox.discard(last.id, at(4)).await.unwrap(), Changed::Deliveries(1));
    assert_eq!(outbox.purge(at(5), 10).await.unwrap(), 3);
}

pub(crate) async fn deliveries_in_flight_or_folded_are_not_discarded<O: Outbox>(outbox: O) {
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "a1"), at(0)).await;
    let claimed = fold(&lease, 1, digest("digest"), at(1)).await;
    let ids: Vec<_> = list(&outbox).await.into_iter().map(|listed| listed.id).collect();
    let mut answers = Vec::new();
    for id in ids {
        answers.push(outbox.discard(id, at(1)).await.unwrap());
    }
    assert_eq!(answers, [Changed::NotIn(State::Folded), Changed::NotIn(State::InFlight)]);
    postpone(&lease, claimed.first().unwrap(), at(9), at(1)).await;
    let id = claimed.first().unwrap().id;
    assert_eq!(outbox.discard(id, at(2)).await.unwrap(), Changed::Deliveries(1));
    let expected = [("a1", State::Discarded), ("digest", State::Discarded)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn an_unknown_delivery_is_reported_as_unknown<O: Outbox>(outbox: O) {
    let id = DeliveryId(7);
    assert_eq!(outbox.show(id).await.unwrap(), None);
    assert_eq!(outbox.discard(id, at(0)).await.unwrap(), Changed::Unknown);
    assert_eq!(outbox.requeue(Requeue::One(id), at(0)).await.unwrap(), Changed::Unknown);
}

pub(crate) async fn the_secret_for_the_console_stays_the_same<O: Outbox>(outbox: O) {
    let secret = outbox.console_secret().await.unwrap();
    assert_eq!(secret.expose().len(), 64);
    assert_eq!(outbox.console_secret().await.unwrap().expose(), secret.expose());
}
