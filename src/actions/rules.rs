//! Decides whether a press is obeyed.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    intake::ButtonAction,
    outbox::{Handled, HandledAction, Press, PressId, StoredCard},
};

/// A press that could not be handled for this time is not obeyed any more, for example because the relay was stopped.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// The reason why a press is not obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The outbox has no such card, or no more.
    UnknownCard,
    /// Its group is resolved.
    Closed,
    /// The card has no such button.
    UnknownButton,
    /// The receiver is gone from the configuration, or has no actions any more.
    NotConfigured,
    /// [`MAX_AGE`] has passed since its acceptance.
    TooOld,
    NotAllowed,
    /// By the same member.
    AlreadyAcknowledged,
    /// As far as the card knows: somebody may have expired the silence in Alertmanager.
    AlreadySilenced {
        silence_id: String,
        by: String,
        until: Timestamp,
    },
    /// There is nothing to silence by.
    NoLabels,
    /// The configuration has no `alertmanager`.
    NoAlertmanager,
}

/// A button of a card.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'p> {
    pub(super) card: &'p StoredCard,
    pub(super) action: ButtonAction,
}

/// The button that was pressed, if it can be obeyed at all.
pub(super) fn target(press: &Press, now: Timestamp) -> Result<Target<'_>, Refusal> {
    let Some(card) = &press.card else { return Err(Refusal::UnknownCard) };
    if now.duration_since(press.accepted_at).unsigned_abs() > MAX_AGE {
        return Err(Refusal::TooOld);
    }
    if card.is_closed {
        return Err(Refusal::Closed);
    }
    // Only a key that the relay wrote on this card is obeyed.
    if card.content.button_text(&press.button).is_none() {
        return Err(Refusal::UnknownButton);
    }
    let action = press.button.parse().map_err(|_| Refusal::UnknownButton)?;
    Ok(Target { card, action })
}

/// Checks that the action makes sense for the card. `now` is a wall-clock time.
pub(super) fn check(target: Target<'_>, user: &str, now: Timestamp) -> Result<(), Refusal> {
    let Target { card, action } = target;
    if action == ButtonAction::Acknowledge {
        let is_acknowledged = |handled: &Handled| {
            handled.action == HandledAction::Acknowledged && handled.by.eq_ignore_ascii_case(user)
        };
        return match card.handled.iter().any(is_acknowledged) {
            true => Err(Refusal::AlreadyAcknowledged),
            false => Ok(()),
        };
    }
    if card.labels.0.values().all(String::is_empty) {
        return Err(Refusal::NoLabels);
    }
    match silence_of(&card.handled, now) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

/// The refusal because of a silence that has not ended at `now`.
fn silence_of(handled: &[Handled], now: Timestamp) -> Option<Refusal> {
    handled.iter().rev().find_map(|handled| match &handled.action {
        HandledAction::Silenced { silence_id, until } if *until > now => Some(Refusal::AlreadySilenced {
            silence_id: silence_id.clone(),
            by: handled.by.clone(),
            until: *until,
        }),
        _ => None,
    })
}

/// A text that only the silence of this press has in its comment.
pub(super) fn marker(press: PressId) -> String {
    format!("[press {:016x}]", press.0)
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        outbox::{CardLabels, ClaimId, DeliveryId, ReceiverName, SenderName},
        wecom::{Content, Recipients},
    };

    pub(in crate::actions) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_248_000 + second).unwrap()
    }

    pub(in crate::actions) fn card() -> StoredCard {
        let json = r#"{"card_type":"button_interaction","task_id":"t1","button_list":[
            {"text":"Silence 1h","key":"silence:3600"},{"text":"Ack","key":"ack"},{"type":1,"url":"https://a.example"},
            {"text":"odd","key":"odd"}]}"#;
        StoredCard {
            task_id: "t1".to_owned(),
            delivery: DeliveryId(1),
            receiver: ReceiverName("oncall".to_owned()),
            group_key: "{}:{alertname=\"X\"}".to_owned(),
            sender: SenderName("ops".to_owned()),
            recipients: Recipients::All,
            content: Content::stored("template_card", json.to_owned()).unwrap(),
            summary: "[FIRING:1] X".to_owned(),
            severity: String::new(),
            labels: CardLabels(BTreeMap::from([("alertname".to_owned(), "X".to_owned())])),
            handled: Vec::new(),
            is_closed: false,
            accepted_at: at(0),
        }
    }

    pub(in crate::actions) fn press(button: &str, card: Option<StoredCard>) -> Press {
        Press {
            id: PressId(255),
            claim: ClaimId(1),
            sender: SenderName("ops".to_owned()),
            task_id: "t1".to_owned(),
            user: "zhangsan".to_owned(),
            button: button.to_owned(),
            response_code: "code".to_owned(),
            pressed_at: at(0),
            accepted_at: at(0),
            attempts: 0,
            card,
        }
    }

    fn refusal(press: &Press, now: Timestamp) -> Result<ButtonAction, Refusal> {
        target(press, now).map(|target| target.action)
    }

    #[test]
    fn only_a_button_of_the_card_is_obeyed() {
        let pressed = |button: &str| refusal(&press(button, Some(card())), at(1));
        assert_eq!(pressed("ack"), Ok(ButtonAction::Acknowledge));
        assert_eq!(pressed("silence:3600"), Ok(ButtonAction::Silence(Duration::from_secs(3600))));
        for button in ["silence:86400", "until:09:00", "odd", "", "ACK"] {
            assert_eq!(pressed(button), Err(Refusal::UnknownButton), "{button}");
        }
    }

    #[test]
    fn an_unknown_closed_or_old_press_is_refused() {
        assert_eq!(refusal(&press("ack", None), at(1)), Err(Refusal::UnknownCard));
        let closed = StoredCard { is_closed: true, ..card() };
        assert_eq!(refusal(&press("ack", Some(closed)), at(1)), Err(Refusal::Closed));
        assert_eq!(refusal(&press("ack", Some(card())), at(1800)), Ok(ButtonAction::Acknowledge));
        assert_eq!(refusal(&press("ack", Some(card())), at(1801)), Err(Refusal::TooOld));
    }

    fn handled(action: HandledAction, by: &str) -> Vec<Handled> {
        vec![Handled { action, by: by.to_owned(), at: at(0) }]
    }

    #[test]
    fn a_card_is_silenced_once_and_acknowledged_once_by_each() {
        let silenced = HandledAction::Silenced { silence_id: "s".to_owned(), until: at(100) };
        let (silence, ack) = (ButtonAction::Silence(Duration::from_secs(60)), ButtonAction::Acknowledge);
        let checked = |action, handled: Vec<Handled>, now| {
            let card = StoredCard { handled, ..card() };
            check(Target { card: &card, action }, "ZhangSan", now)
        };
        let until =
            Refusal::AlreadySilenced { silence_id: "s".to_owned(), by: "lisi".to_owned(), until: at(100) };
        assert_eq!(checked(silence, handled(silenced.clone(), "lisi"), at(99)), Err(until));
        assert_eq!(checked(silence, handled(silenced.clone(), "lisi"), at(100)), Ok(()));
        assert_eq!(checked(ack, handled(silenced, "lisi"), at(99)), Ok(()));
        let acknowledged = |by| handled(HandledAction::Acknowledged, by);
        assert_eq!(checked(ack, acknowledged("zhangsan"), at(9)), Err(Refusal::AlreadyAcknowledged));
        assert_eq!(checked(ack, acknowledged("lisi"), at(9)), Ok(()));
        assert_eq!(checked(silence, acknowledged("zhangsan"), at(9)), Ok(()));
    }

    #[test]
    fn without_labels_nothing_is_silenced() {
        for labels in [BTreeMap::new(), BTreeMap::from([("a".to_owned(), String::new())])] {
            let card = StoredCard { labels: CardLabels(labels), ..card() };
            let target = |action| Target { card: &card, action };
            let silence = ButtonAction::Silence(Duration::from_secs(60));
            assert_eq!(check(target(silence), "u", at(1)), Err(Refusal::NoLabels));
            assert_eq!(check(target(ButtonAction::Acknowledge), "u", at(1)), Ok(()));
        }
    }

    #[test]
    fn a_marker_belongs_to_one_press() {
        assert_eq!(marker(PressId(255)), "[press 00000000000000ff]");
    }
}
