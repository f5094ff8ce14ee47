//! What people ask and change.

use wecom_relay::{
    outbox::{Changed, DeliveryId, Filter, NewNotification, Outbox, ReceiverName, State, Verdict, Which},
    wecom::{InvalidRecipients, Receipt},
};

use super::fixture::{
    alert, at, claim, claim_one, deliver, digest, drain, fold, kill, list, owned, put_off, says, settle,
    states, take, user,
};

async fn find<O: Outbox>(outbox: &O, filter: Filter) -> Vec<String> {
    let found = outbox.list(Filter { limit: 10, ..filter }).await.unwrap();
    found.into_iter().map(|listed| listed.summary).collect()
}

pub(crate) async fn a_list_is_filtered_and_paged<O: Outbox>(outbox: O) {
    for (n, receiver) in [(0, "team"), (1, "other"), (2, "team"), (3, "team")] {
        let new = NewNotification {
            receiver: ReceiverName(receiver.to_owned()),
            ..alert(&n.to_string(), &n.to_string())
        };
        take(&outbox, new, at(n)).await;
    }
    let team = claim(&outbox, 2, at(5)).await.into_iter().filter(|claimed| claimed.receiver.0 == "team");
    for (claimed, dead) in team.zip([true, false]) {
        if dead {
            kill(&outbox, &claimed, at(6)).await;
        } else {
            deliver(&outbox, &claimed, at(6)).await;
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
    let page = outbox.list(Filter { limit: 3, ..all.clone() }).await.unwrap();
    assert_eq!(page.len(), 3);
    let after = page.last().map(|listed| listed.id);
    assert_eq!(find(&outbox, Filter { after, ..all.clone() }).await, ["3"]);
    let page = outbox.list(Filter { states, limit: 1, ..all }).await.unwrap();
    assert_eq!(page.iter().map(|listed| listed.summary.as_str()).collect::<Vec<_>>(), ["0"]);
}

pub(crate) async fn a_delivery_is_shown_with_its_attempts<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "text"), at(0)).await;
    let claimed = claim_one(&outbox, at(1)).await;
    settle(
        &outbox,
        claimed.id,
        Verdict::Retry { at: at(5), charged: true, unconfirmed: true, unknown: false },
        at(2),
    )
    .await;
    let waits = outbox.show(claimed.id).await.unwrap().unwrap();
    assert_eq!((waits.listed.state, waits.listed.due_at), (State::Ready, Some(at(5))));
    assert_eq!(waits.listed.reason, "said");
    let again = claim_one(&outbox, at(5)).await;
    let missed = InvalidRecipients {
        users: vec!["li".to_owned()],
        tags: vec!["4".to_owned()],
        ..InvalidRecipients::default()
    };
    let receipt = Receipt { msgid: "m1".to_owned(), response_code: String::new(), invalid: missed };
    settle(&outbox, again.id, Verdict::Delivered(receipt), at(6)).await;
    let detail = outbox.show(claimed.id).await.unwrap().unwrap();
    assert_eq!((detail.group_key.as_str(), detail.msgid.as_str()), ("a", "m1"));
    assert_eq!((&detail.recipients, &detail.content), (&user("zhang"), &claimed.message.content));
    assert!(detail.missed.contains("li") && detail.missed.contains('4'), "{}", detail.missed);
    assert!(detail.unconfirmed_since.is_some());
    assert_eq!(detail.attempts.iter().map(|attempt| attempt.started_at).collect::<Vec<_>>(), [at(2), at(6)]);
    assert_eq!((detail.listed.attempts, detail.listed.settled_at), (2, Some(at(6))));
    assert_eq!((detail.listed.state, detail.listed.due_at), (State::Delivered, None));
}

pub(crate) async fn a_dead_letter_that_is_sent_again_goes_to_the_end_of_its_lane<O: Outbox>(outbox: O) {
    for text in ["one", "two", "three"] {
        take(&outbox, alert("a", text), at(0)).await;
    }
    let dead = claim_one(&outbox, at(1)).await;
    kill(&outbox, &dead, at(1)).await;
    assert_eq!(outbox.retry(Which::One(dead.id), at(2)).await.unwrap(), Changed::Deliveries(1));
    let listed = list(&outbox).await.remove(0);
    assert_eq!((listed.state, listed.attempts, listed.settled_at), (State::Queued, 0, None));
    assert_eq!(outbox.retry(Which::One(dead.id), at(2)).await.unwrap(), Changed::NotIn(State::Queued));
    assert_eq!(outbox.purge(at(1000), 10).await.unwrap(), 0);
    assert_eq!(drain(&outbox, at(3)).await, ["two", "three", "one"]);
    assert_eq!(outbox.retry(Which::One(dead.id), at(4)).await.unwrap(), Changed::NotIn(State::Delivered));
}

pub(crate) async fn what_waits_for_its_next_attempt_becomes_due_now<O: Outbox>(outbox: O) {
    take(&outbox, alert("a", "text"), at(0)).await;
    let claimed = claim_one(&outbox, at(1)).await;
    assert_eq!(outbox.retry(Which::One(claimed.id), at(1)).await.unwrap(), Changed::NotIn(State::InFlight));
    put_off(&outbox, &claimed, at(100), at(1)).await;
    assert_eq!(outbox.retry(Which::One(claimed.id), at(2)).await.unwrap(), Changed::Deliveries(1));
    assert_eq!(claim_one(&outbox, at(2)).await.attempts, 1);
}

pub(crate) async fn a_discarded_head_lets_the_next_one_come_up<O: Outbox>(outbox: O) {
    for text in ["one", "two", "three"] {
        take(&outbox, alert("a", text), at(0)).await;
    }
    let ids: Vec<_> = list(&outbox).await.into_iter().map(|listed| listed.id).collect();
    for id in ids.into_iter().take(2) {
        assert_eq!(outbox.discard(id, at(1)).await.unwrap(), Changed::Deliveries(1));
        assert_eq!(outbox.discard(id, at(1)).await.unwrap(), Changed::NotIn(State::Discarded));
        assert_eq!(outbox.retry(Which::AllDead, at(1)).await.unwrap(), Changed::Deliveries(0));
    }
    let last = claim_one(&outbox, at(2)).await;
    assert_eq!(says(std::slice::from_ref(&last)), ["three"]);
    kill(&outbox, &last, at(3)).await;
    assert_eq!(outbox.discard(last.id, at(4)).await.unwrap(), Changed::Deliveries(1));
    assert_eq!(outbox.purge(at(5), 10).await.unwrap(), 3);
}

pub(crate) async fn what_is_in_flight_or_folded_is_not_discarded<O: Outbox>(outbox: O) {
    let member = take(&outbox, alert("a", "a1"), at(0)).await;
    let claimed = fold(&outbox, &[member], digest("digest"), at(1)).await;
    let ids: Vec<_> = list(&outbox).await.into_iter().map(|listed| listed.id).collect();
    let mut answers = Vec::new();
    for id in ids {
        answers.push(outbox.discard(id, at(1)).await.unwrap());
    }
    assert_eq!(answers, [Changed::NotIn(State::Folded), Changed::NotIn(State::InFlight)]);
    put_off(&outbox, claimed.first().unwrap(), at(9), at(1)).await;
    let id = claimed.first().unwrap().id;
    assert_eq!(outbox.discard(id, at(2)).await.unwrap(), Changed::Deliveries(1));
    let expected = [("a1", State::Discarded), ("digest", State::Discarded)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

pub(crate) async fn what_is_unknown_is_said_to_be<O: Outbox>(outbox: O) {
    let id = DeliveryId(7);
    assert_eq!(outbox.show(id).await.unwrap(), None);
    assert_eq!(outbox.discard(id, at(0)).await.unwrap(), Changed::Unknown);
    assert_eq!(outbox.retry(Which::One(id), at(0)).await.unwrap(), Changed::Unknown);
}
