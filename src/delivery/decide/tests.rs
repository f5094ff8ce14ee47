use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    outbox::{BodyHash, ClaimId, DeliveryId, Kind, NotificationId, Part, ReceiverName},
    wecom::{
        Api, ApiError, Content, Errcode, Message, Receipt, Recipients, TransportError, TransportErrorKind,
    },
};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn claimed(attempts: u32, age: Duration) -> Claimed {
    Claimed {
        id: DeliveryId(1),
        claim: ClaimId(1),
        body: BodyHash(1),
        notification: NotificationId(1),
        kind: Kind::Alert,
        members: Vec::new(),
        receiver: ReceiverName("wechat".to_owned()),
        group_key: "group".to_owned(),
        message: Message {
            recipients: Recipients::All,
            content: Content::Text("text".to_owned()),
            duplicate_check: None,
        },
        all_recipients: Recipients::All,
        unsettled_others: 0,
        part: Part::WHOLE,
        accepted_at: earlier(now(), age),
        claimed_at: now(),
        attempts,
        unknown_codes: 0,
        unconfirmed_since: None,
        text_form: None,
        open_cards: Vec::new(),
    }
}

const ALONE: Scope = Scope::Message { others_succeed: false };
const AMONG_OTHERS: Scope = Scope::Message { others_succeed: true };

fn after_in(scope: Scope, claimed: &Claimed, outcome: &Outcome) -> Decision {
    decide(claimed, outcome, scope, &Policy::new(DAY), now(), &mut StdRng::seed_from_u64(1))
}

fn after(claimed: &Claimed, outcome: &Outcome) -> Decision {
    after_in(ALONE, claimed, outcome)
}

fn after_first(outcome: &Outcome) -> Decision {
    after(&claimed(0, Duration::ZERO), outcome)
}

fn rejected(errcode: i64) -> Outcome {
    Outcome::Rejected(ApiError { api: Api::MessageSend, errcode: Errcode(errcode), errmsg: "no".to_owned() })
}

fn fault(kind: TransportErrorKind) -> TransportError {
    TransportError { api: Api::MessageSend, kind, detail: "detail".to_owned() }
}

#[test]
fn an_accepted_message_is_delivered_and_counted() {
    let receipt = Receipt { msgid: "m1".to_owned(), ..Receipt::default() };
    let decision = after_first(&Outcome::Accepted(receipt.clone()));
    let verdict = Verdict::Delivered(receipt);
    assert_eq!(decision, Decision { verdict, counted: true, cause: None });
}

#[test]
fn a_rejected_message_or_recipient_is_a_dead_letter() {
    for (errcode, cause) in [(44004, Cause::Rejected), (81013, Cause::Nobody)] {
        let decision = after_first(&rejected(errcode));
        assert!(matches!(&decision.verdict, Verdict::Dead(reason) if reason.contains(&errcode.to_string())));
        assert_eq!((decision.counted, decision.cause), (false, Some(cause)));
    }
}

#[test]
fn a_transient_failure_is_retried_within_seconds() {
    for outcome in [rejected(-1), Outcome::NotSent(fault(TransportErrorKind::Connect))] {
        let decision = after_first(&outcome);
        let Verdict::Retry { at, charged: true, unconfirmed: false, unknown_code: false } = decision.verdict
        else {
            panic!("{decision:?}")
        };
        assert!(at <= later(now(), Duration::from_secs(2)));
        assert!(!decision.counted);
    }
}

#[test]
fn an_unknown_outcome_is_unconfirmed_and_counted() {
    for kind in [
        TransportErrorKind::Timeout,
        TransportErrorKind::Lost,
        TransportErrorKind::Status(502),
        TransportErrorKind::InvalidReply,
    ] {
        let decision = after_first(&Outcome::Unknown(fault(kind)));
        assert!(
            matches!(decision.verdict, Verdict::Retry { unconfirmed: true, charged: true, .. }),
            "{decision:?}"
        );
        assert!(decision.counted);
    }
}

#[test]
fn a_failure_of_the_sender_is_not_charged_to_a_delivery() {
    let retry_in = Duration::from_secs(15);
    for outcome in [
        rejected(60020),
        rejected(-1),
        rejected(123_456),
        Outcome::NotSent(fault(TransportErrorKind::Connect)),
    ] {
        let claimed = Claimed { unknown_codes: 2, ..claimed(9, Duration::ZERO) };
        let decision = after_in(Scope::Sender { retry_in }, &claimed, &outcome);
        let at = later(now(), retry_in);
        assert_eq!(
            decision.verdict,
            Verdict::Retry { at, charged: false, unconfirmed: false, unknown_code: false }
        );
        assert!(!decision.counted);
    }
}

#[test]
fn an_unknown_errcode_is_tried_three_times_among_others_that_succeed() {
    for (outcome, others) in [(rejected(123_456), 0), (rejected(-2), 500)] {
        let after_tries = |scope, unknown_codes| {
            let claimed = claimed(others + unknown_codes, Duration::ZERO);
            after_in(scope, &Claimed { unknown_codes, ..claimed }, &outcome)
        };
        for (scope, tries) in [(AMONG_OTHERS, 0), (AMONG_OTHERS, 1), (ALONE, 2), (ALONE, 500)] {
            let verdict = after_tries(scope, tries).verdict;
            assert!(
                matches!(verdict, Verdict::Retry { charged: true, unknown_code: true, .. }),
                "{verdict:?}"
            );
        }
        let last = after_tries(AMONG_OTHERS, 2);
        assert!(matches!(&last.verdict, Verdict::Dead(reason) if reason.ends_with("; tried 3 times")));
        assert_eq!(last.cause, Some(Cause::UnknownCode));
    }
}

#[test]
fn the_reason_of_a_dead_letter_says_what_to_do() {
    let Verdict::Dead(reason) = after_first(&rejected(81013)).verdict else { panic!() };
    assert!(reason.contains("可见范围") && reason.ends_with("WeCom's text: no"), "{reason}");
}

#[test]
fn a_delivery_expires_only_with_a_failed_attempt() {
    let old = claimed(500, DAY);
    for outcome in [rejected(-1), rejected(40001), Outcome::Unknown(fault(TransportErrorKind::Timeout))] {
        let Decision { verdict, cause, .. } = after(&old, &outcome);
        assert!(matches!(&verdict, Verdict::Dead(reason) if reason.contains("expire_after")), "{verdict:?}");
        assert_eq!(cause, Some(Cause::Expired));
    }
    let accepted = Outcome::Accepted(Receipt::default());
    assert!(matches!(after(&old, &accepted).verdict, Verdict::Delivered(_)));
    let young = claimed(500, DAY - Duration::from_secs(1));
    assert!(matches!(after(&young, &rejected(-1)).verdict, Verdict::Retry { .. }));
}

#[test]
fn content_that_wecom_rejects_is_sent_as_text_instead() {
    let rejection = rejected(40008);
    let as_text = |content, text_form: Option<&str>| {
        let mut claimed = claimed(0, Duration::ZERO);
        claimed.message.content = content;
        claimed.text_form = text_form.map(str::to_owned);
        match after(&claimed, &rejection).verdict {
            Verdict::Replace { content: Content::Text(text), .. } => Some(text),
            Verdict::Dead(_) => None,
            other => panic!("{other:?}"),
        }
    };
    let card = || Content::stored("textcard", "{}".to_owned()).unwrap();
    assert_eq!(as_text(Content::Text("text".to_owned()), Some("form")), None);
    assert_eq!(as_text(card(), None), None);
    insta::assert_snapshot!(
        as_text(card(), Some("form")).unwrap(),
        @r"
    [wecom-relay: WeCom rejected this as a textcard: message/send answered errcode 40008: no]
    form
    "
    );
    let long = "x".repeat(2048);
    assert_eq!(as_text(Content::Markdown(long.clone()), None), Some(long));
    // A robot's markdown may be longer than a text.
    let cut = as_text(Content::MarkdownV2("x".repeat(4096)), None).unwrap();
    let (note, text) = cut.split_once('\n').unwrap();
    assert_eq!(
        note,
        "[wecom-relay: WeCom rejected this as a markdown_v2; the end is cut, because a text is shorter]"
    );
    assert!(cut.len() <= 2048 && text.len() > 1900 && text.ends_with('…'), "{cut}");
}

#[test]
fn a_message_without_valid_recipients_is_not_sent_as_text() {
    let mut claimed = claimed(0, Duration::ZERO);
    claimed.message.content = Content::Markdown("text".to_owned());
    assert!(matches!(after(&claimed, &rejected(81013)).verdict, Verdict::Dead(_)));
}

#[test]
fn a_digest_that_may_contain_the_reason_is_undone() {
    let digest = |attempts| Claimed { kind: Kind::Digest, ..claimed(attempts, Duration::ZERO) };
    let is_undone =
        |decision: Decision| matches!(decision.verdict, Verdict::Undo(_)) && decision.cause.is_none();
    assert!(is_undone(after(&digest(0), &rejected(44004))));
    let unknown = Claimed { unknown_codes: 2, ..digest(2) };
    assert!(is_undone(after_in(AMONG_OTHERS, &unknown, &rejected(999_001))));
    let lost = Outcome::Unknown(fault(TransportErrorKind::Lost));
    let of_sender = Scope::Sender { retry_in: Duration::ZERO };
    let blocked = Outcome::NotSent(fault(TransportErrorKind::Status(403)));
    for (scope, outcome, attempts) in [
        (AMONG_OTHERS, &lost, SUSPECT_ATTEMPTS),
        (ALONE, &lost, SUSPECT_ATTEMPTS_UNKNOWN),
        (of_sender, &lost, SUSPECT_ATTEMPTS_UNKNOWN),
        (of_sender, &blocked, SUSPECT_ATTEMPTS_REFUSED),
        (of_sender, &rejected(-1), SUSPECT_ATTEMPTS_REFUSED),
        (of_sender, &rejected(999_001), SUSPECT_ATTEMPTS_REFUSED),
    ] {
        assert!(is_undone(after_in(scope, &digest(attempts - 1), outcome)));
        assert!(!is_undone(after_in(scope, &digest(attempts - 2), outcome)));
        assert!(!is_undone(after_in(scope, &claimed(attempts - 1, Duration::ZERO), outcome)));
    }
    // These failures say nothing about the message.
    let not_sent = Outcome::NotSent(fault(TransportErrorKind::Lost));
    for outcome in [rejected(60020), rejected(45009), not_sent] {
        assert!(!is_undone(after_in(of_sender, &digest(99), &outcome)));
    }
    // Every member has the same recipients, and would expire too.
    assert_eq!(after(&digest(4), &rejected(81013)).cause, Some(Cause::Nobody));
    let old = Claimed { kind: Kind::Digest, ..claimed(4, DAY) };
    assert_eq!(after(&old, &lost).cause, Some(Cause::Expired));
}

#[test]
fn a_rejected_notice_is_sent_without_its_lines() {
    let short = Content::Text("counts".to_owned());
    let notice =
        || Claimed { kind: Kind::Notice, text_form: Some("counts".to_owned()), ..claimed(4, Duration::ZERO) };
    let lost = Outcome::Unknown(fault(TransportErrorKind::Lost));
    for outcome in [rejected(44004), lost.clone()] {
        let decision = after_in(AMONG_OTHERS, &notice(), &outcome);
        assert!(matches!(decision.verdict, Verdict::Replace { content, .. } if content == short));
    }
    let mut replaced = notice();
    replaced.message.content = short;
    assert_eq!(after_in(AMONG_OTHERS, &replaced, &rejected(44004)).cause, Some(Cause::Rejected));
    assert!(matches!(after_in(AMONG_OTHERS, &replaced, &lost).verdict, Verdict::Retry { .. }));
}
