use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    outbox::{BodyHash, ClaimId, DeliveryId, Kind, NotificationId, OpenCard, Part, ReceiverName},
    wecom::{Api, Card, Errcode, Recipients, TransportError, TransportErrorKind},
};

fn update(response_code: Option<&str>, otherwise: Otherwise) -> Content {
    let card = r#"{"card_type":"button_interaction","task_id":"new"}"#;
    Content::card_update(&CardUpdate {
        template_card: Card::from_json(card).unwrap(),
        response_code: response_code.map(str::to_owned),
        otherwise,
    })
}

fn claimed(content: Content, open_cards: &[&str]) -> Claimed {
    let open = |task_id: &&str| OpenCard {
        task_id: (*task_id).to_owned(),
        response_code: format!("code of {task_id}"),
        may_be_used: false,
    };
    Claimed {
        id: DeliveryId(1),
        claim: ClaimId(1),
        notification: NotificationId(1),
        kind: Kind::Alert,
        members: Vec::new(),
        receiver: ReceiverName("wechat".to_owned()),
        group_key: "group".to_owned(),
        message: Message { recipients: Recipients::All, content, duplicate_check: None },
        body: BodyHash(1),
        all_recipients: Recipients::All,
        unsettled_others: 0,
        part: Part::WHOLE,
        accepted_at: Timestamp::UNIX_EPOCH,
        claimed_at: Timestamp::UNIX_EPOCH,
        attempts: 0,
        unknown_codes: 0,
        unconfirmed_since: None,
        text_form: Some("form".to_owned()),
        open_cards: open_cards.iter().map(open).collect(),
    }
}

/// The next claim of an update after an attempt that may have used the codes of the cards in `doubtful`.
fn unconfirmed(mut claimed: Claimed, doubtful: &[&str]) -> Claimed {
    for card in &mut claimed.open_cards {
        card.may_be_used = doubtful.contains(&card.task_id.as_str());
    }
    Claimed { unconfirmed_since: Some(Timestamp::UNIX_EPOCH), ..claimed }
}

fn tried(cards: &[(&str, CodeState)]) -> Vec<TriedCard> {
    cards.iter().map(|(task_id, code)| TriedCard { task_id: (*task_id).to_owned(), code: *code }).collect()
}

fn accepted() -> Outcome {
    Outcome::Accepted(Receipt::default())
}

fn refused(errcode: i64) -> Outcome {
    let api = Api::UpdateTemplateCard;
    Outcome::Rejected(ApiError { api, errcode: Errcode(errcode), errmsg: String::new() })
}

fn lost() -> Outcome {
    let (api, kind) = (Api::UpdateTemplateCard, TransportErrorKind::Lost);
    Outcome::Unknown(TransportError { api, kind, detail: String::new() })
}

/// The outcome of a send in which WeCom answers `outcomes`.
fn sent(claimed: &Claimed, outcomes: &[Outcome]) -> CardsOutcome {
    let mut all = CardOutcomes::default();
    for (call, outcome) in card_calls(claimed).zip(outcomes) {
        if !all.add(&call, outcome.clone()) {
            break;
        }
    }
    all.end(claimed)
}

#[test]
fn each_open_card_is_changed_with_its_own_code() {
    let claimed = claimed(update(None, Otherwise::Text), &["b", "a"]);
    let calls: Vec<CardCall> = card_calls(&claimed).collect();
    let updates = calls.iter().map(|call| call.message.content.as_card_update().unwrap());
    let codes: Vec<_> =
        updates.map(|update| (update.template_card.task_id(), update.response_code)).collect();
    let expected = ["b", "a"].map(|task| (Some(task.to_owned()), Some(format!("code of {task}"))));
    assert_eq!(codes, expected);
    assert_eq!(calls[0].task_id.as_deref(), Some("b"));
}

#[test]
fn the_card_of_a_press_is_changed_with_the_code_of_the_press() {
    let claimed = claimed(update(Some("press"), Otherwise::Text), &[]);
    let calls: Vec<CardCall> = card_calls(&claimed).collect();
    assert_eq!((calls.len(), calls[0].task_id.as_ref(), &calls[0].message), (1, None, &claimed.message));
    assert_eq!(without_open_card(&claimed), None);
    assert_eq!(sent(&claimed, &[accepted()]).tried_cards, []);
    let again = sent(&unconfirmed(claimed, &[]), &[refused(60140)]);
    assert_eq!((again.outcome, again.changed), (accepted(), 1));
}

#[test]
fn without_an_open_card_a_message_is_sent() {
    let text = claimed(update(None, Otherwise::Text), &[]);
    assert_eq!(without_open_card(&text), Some(Content::Text("form".to_owned())));
    let card = without_open_card(&claimed(update(None, Otherwise::Card), &[]));
    assert_eq!(card.and_then(|card| card.task_id()).as_deref(), Some("new"));
    let without_form = without_open_card(&Claimed { text_form: None, ..text });
    assert!(matches!(without_form, Some(Content::TemplateCard(_))), "{without_form:?}");
    assert_eq!(without_open_card(&claimed(Content::Text("t".to_owned()), &[])), None);
}

#[test]
fn only_a_message_that_differs_from_others_is_checked_for_duplicates() {
    for (content, open, expected) in [
        (Content::Text("t".to_owned()), &[][..], true),
        (update(None, Otherwise::Card), &[], true),
        (update(None, Otherwise::Text), &[], false),
        (update(None, Otherwise::Card), &["a"], false),
        (update(Some("press"), Otherwise::Text), &[], false),
    ] {
        assert_eq!(has_duplicate_check(&claimed(content.clone(), open)), expected, "{content:?}");
    }
}

#[test]
fn all_cards_changed_is_a_delivery() {
    let claimed = claimed(update(None, Otherwise::Text), &["a", "b"]);
    let invalid =
        |user: &str| InvalidRecipients { users: vec![user.to_owned()], ..InvalidRecipients::default() };
    let receipt = |user| Outcome::Accepted(Receipt { invalid: invalid(user), ..Receipt::default() });
    let sent = sent(&claimed, &[receipt("lisi"), receipt("lisi")]);
    let tried_cards = tried(&[("a", CodeState::Used), ("b", CodeState::Used)]);
    assert_eq!(sent, CardsOutcome { outcome: receipt("lisi"), tried_cards, changed: 2 });
}

#[test]
fn a_failure_ends_the_send_and_keeps_what_was_done() {
    let claimed = claimed(update(None, Otherwise::Text), &["a", "b", "c"]);
    for failure in [refused(-1), refused(45009), refused(42017)] {
        let sent = sent(&claimed, &[accepted(), failure.clone(), accepted()]);
        let tried_cards = tried(&[("a", CodeState::Used)]);
        assert_eq!(sent, CardsOutcome { outcome: failure, tried_cards, changed: 1 });
    }
    let tried_cards = tried(&[("a", CodeState::Used), ("b", CodeState::Unconfirmed)]);
    let sent = sent(&claimed, &[accepted(), lost(), accepted()]);
    assert_eq!(sent, CardsOutcome { outcome: lost(), tried_cards, changed: 1 });
}

#[test]
fn a_used_code_is_a_success_only_after_an_unknown_outcome() {
    for errcode in [60140, 42014, 42016] {
        let fresh = claimed(update(None, Otherwise::Text), &["a", "b"]);
        let first = sent(&fresh, &[refused(errcode), accepted()]);
        assert_eq!((first.outcome, first.changed), (refused(errcode), 1));
        assert_eq!(first.tried_cards, tried(&[("a", CodeState::Refused), ("b", CodeState::Used)]));
        let again = sent(&unconfirmed(fresh, &["a"]), &[refused(errcode), accepted()]);
        assert_eq!((again.outcome, again.changed), (accepted(), 2));
    }
}

#[test]
fn a_card_that_was_not_tried_is_gone_also_after_an_unknown_outcome() {
    let first = claimed(update(None, Otherwise::Text), &["a", "b"]);
    let again = sent(&unconfirmed(first, &["a"]), &[refused(60140), refused(60140)]);
    assert_eq!((again.outcome, again.changed), (refused(60140), 1));
    assert_eq!(again.tried_cards, tried(&[("a", CodeState::Used), ("b", CodeState::Refused)]));
}

#[test]
fn no_card_behind_one_with_an_unused_code_was_tried() {
    let killed = || unconfirmed(claimed(update(None, Otherwise::Text), &["a", "b", "c"]), &["a", "b", "c"]);
    let used = sent(&killed(), &[refused(60140), refused(60140), accepted()]);
    assert_eq!((used.outcome, used.changed), (accepted(), 3));
    let gone = sent(&killed(), &[refused(60140), accepted(), refused(60140)]);
    assert_eq!((gone.outcome, gone.changed), (refused(60140), 2));
    let busy = sent(&killed(), &[accepted(), refused(-1)]);
    let expected = [("a", CodeState::Used), ("b", CodeState::Unused), ("c", CodeState::Unused)];
    assert_eq!(busy.tried_cards, tried(&expected));
}

#[test]
fn a_card_that_is_gone_is_replaced_by_a_message() {
    for (otherwise, expected) in [
        (Otherwise::Text, Content::Text("form".to_owned())),
        (
            Otherwise::Card,
            Content::stored(
                "template_card",
                r#"{"card_type":"button_interaction","task_id":"new"}"#.to_owned(),
            )
            .unwrap(),
        ),
    ] {
        for code in [None, Some("press")] {
            let claimed = claimed(update(code, otherwise), &["a"]);
            assert_eq!(replacement(&claimed, &refused(60140)), Some(expected.clone()));
            assert_eq!(replacement(&claimed, &refused(42017)), None);
        }
    }
}

/// A WeCom with cards whose codes can be used once.
#[derive(Debug)]
struct Cards {
    /// The names of open cards with an unused code, as the outbox knows them.
    known: Vec<String>,
    /// Codes that WeCom accepts.
    valid: Vec<String>,
    /// Cards that show the new state.
    changed: Vec<String>,
}

/// The result of one call.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Answered,
    Busy,
    /// WeCom changes the card, and the answer is lost.
    AnswerLost,
    /// The request does not arrive.
    RequestLost,
    /// WeCom changes the card, and the relay is killed before it stores anything.
    Killed,
}

impl Cards {
    fn call(&mut self, task_id: &str, happens: Happens) -> Outcome {
        if matches!(happens, Happens::Busy) {
            return refused(-1);
        }
        if matches!(happens, Happens::RequestLost) {
            return lost();
        }
        let is_valid = self.valid.iter().any(|valid| valid == task_id);
        self.valid.retain(|valid| valid != task_id);
        if is_valid {
            self.changed.push(task_id.to_owned());
        }
        match happens {
            Happens::AnswerLost => lost(),
            _ if is_valid => accepted(),
            _ => refused(60140),
        }
    }
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => Just(Happens::Answered),
        1 => Just(Happens::Busy),
        1 => Just(Happens::AnswerLost),
        1 => Just(Happens::RequestLost),
        1 => Just(Happens::Killed),
    ]
}

proptest! {
    /// However calls fail, the members see the new state in the end: on each card, or in a message. If all codes were
    /// valid, no message is sent, and each card is changed once.
    #[test]
    fn every_card_is_changed_or_a_message_is_sent(
        count in 1usize..6, spent in prop::collection::vec(any::<bool>(), 6),
        mut script in prop::collection::vec(happens(), 0..40),
    ) {
        let names: Vec<String> = (0..count).map(|number| format!("card{number}")).collect();
        let valid: Vec<String> = names.iter().zip(&spent).filter(|(_, spent)| !**spent).map(|(name, _)| name.clone()).collect();
        let mut cards = Cards { known: names.clone(), valid: valid.clone(), changed: Vec::new() };
        let (mut is_unconfirmed, mut doubtful) = (false, Vec::<String>::new());
        let message_sent = loop {
            let known: Vec<&str> = cards.known.iter().map(String::as_str).collect();
            let mut claimed = claimed(update(None, Otherwise::Text), &known);
            if is_unconfirmed {
                let doubtful: Vec<&str> = doubtful.iter().map(String::as_str).collect();
                claimed = unconfirmed(claimed, &doubtful);
            }
            let mut all = CardOutcomes::default();
            let mut is_killed = false;
            for call in card_calls(&claimed) {
                let happens = script.pop().unwrap_or(Happens::Answered);
                let outcome = cards.call(call.task_id.as_deref().unwrap(), happens);
                is_killed = matches!(happens, Happens::Killed);
                if is_killed || !all.add(&call, outcome) {
                    break;
                }
            }
            if is_killed {
                is_unconfirmed = true;
                doubtful.clone_from(&cards.known);
                continue;
            }
            let end = all.end(&claimed);
            for TriedCard { task_id, code } in &end.tried_cards {
                cards.known.retain(|known| !code.is_spent() || known != task_id);
                doubtful.retain(|doubtful| doubtful != task_id);
                doubtful.extend((*code == CodeState::Unconfirmed).then(|| task_id.clone()));
            }
            if replacement(&claimed, &end.outcome).is_some() {
                break true;
            }
            match end.outcome {
                Outcome::Accepted(_) => break false,
                Outcome::Unknown(_) => is_unconfirmed = true,
                _ => {}
            }
        };
        let all_changed = names.iter().all(|name| cards.changed.contains(name));
        if valid.len() == names.len() {
            prop_assert!(all_changed && !message_sent, "{:?}", cards);
        } else if !is_unconfirmed {
            prop_assert!(message_sent, "{:?}", cards);
        }
    }
}
