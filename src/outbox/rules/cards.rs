//! Interactive cards: the rows that cards need, and what a settlement changes in them.

use jiff::{SignedDuration, Timestamp};

use super::stored::Unreadable;
use crate::{
    language::Bilingual,
    outbox::{Absence, CardLabels, Handled, NewDelivery, NewNotification, TriedCard},
    wecom::{Content, Receipt},
};

/// WeCom accepts a response code for this time.
const CODE_VALID_FOR: SignedDuration = SignedDuration::from_hours(72);

/// The maximum number of open cards that one claim returns. It is more than one card a minute while codes are valid.
pub const MAX_OPEN: u32 = 5_000;

/// The maximum number of rows that cannot be read, and that one call skips.
pub const MAX_DAMAGED: u32 = 10;

/// The card that `delivery` sends.
pub struct NewCard {
    pub task_id: String,
    /// [`CardLabels`] as they are stored.
    pub labels: String,
}

impl NewCard {
    /// `None` if `delivery` sends no card that an action can be taken on.
    pub fn of(new: &NewNotification, delivery: &NewDelivery) -> Option<Self> {
        let labels = new.card.as_ref()?;
        // Strings as keys and values are always JSON.
        let labels = serde_json::to_string(labels).ok()?;
        Some(Self { task_id: delivery.content.task_id()?, labels })
    }
}

/// False for an update of a card that is closed: it would show the alert as firing again.
pub fn is_wanted(new: &NewNotification, is_closed: bool) -> bool {
    let is_update = |delivery: &NewDelivery| matches!(delivery.content, Content::CardUpdate(_));
    !is_closed || !new.deliveries.iter().any(is_update)
}

/// The right to update a card that was just sent.
pub struct NewCode<'a> {
    pub response_code: &'a str,
    pub valid_until: Timestamp,
}

impl<'a> NewCode<'a> {
    /// `None` if WeCom gave no code.
    pub fn of(receipt: &'a Receipt, now: Timestamp) -> Option<Self> {
        let valid_until = now.checked_add(CODE_VALID_FOR).unwrap_or(Timestamp::MAX);
        let response_code = receipt.response_code.as_str();
        (!response_code.is_empty()).then_some(Self { response_code, valid_until })
    }
}

/// True if a delivery with this message type may have a row of a card.
pub fn may_be_card(msgtype: &str) -> bool {
    is_card(msgtype) || is_update(msgtype)
}

/// True if a delivery with this message type, which was delivered, was sent as a new message: an update is sent so if it finds
/// no open card to try. WeCom may give no code for it, because it suppresses or refuses the repetition of a message.
pub fn is_sent(msgtype: &str, tried: &[TriedCard]) -> bool {
    is_card(msgtype) || is_update(msgtype) && tried.is_empty()
}

fn is_card(msgtype: &str) -> bool {
    msgtype == "template_card"
}

fn is_update(msgtype: &str) -> bool {
    msgtype == "card_update"
}

/// The cards that an update changes.
pub enum Updated {
    /// The open cards of its ordering key.
    OpenCards,
    /// The card of a press.
    Pressed { task_id: String },
}

impl Updated {
    /// `None` if `content` is no update.
    pub fn by(content: &Content) -> Option<Self> {
        if !is_update(content.msgtype()) {
            return None;
        }
        let update = content.as_card_update()?;
        match update.response_code {
            None => Some(Self::OpenCards),
            Some(_) => Some(Self::Pressed { task_id: update.template_card.task_id()? }),
        }
    }
}

/// The reason of the discarded update of a press whose card was closed while the update was waiting.
pub const CARD_CLOSED: Bilingual<&str> = Bilingual::new(
    "discarded: its card is resolved or recalled",
    "已丢弃：卡片对应的告警已恢复，或卡片已撤回",
);

/// # Errors
/// No version of this program writes such a text.
pub fn labels(json: &str) -> Result<CardLabels, Unreadable> {
    serde_json::from_str(json).map_err(|error| Unreadable::new("the labels of a card", error))
}

/// # Errors
/// No version of this program writes such a text.
pub fn handled(json: &str) -> Result<Vec<Handled>, Unreadable> {
    serde_json::from_str(json).map_err(|error| Unreadable::new("the actions of a card", error))
}

/// An absence that cannot be read is forgotten, so that the count starts anew.
pub fn absence(json: Option<&str>) -> Option<Absence> {
    serde_json::from_str(json?).ok()
}

pub fn stored_absence(absence: Option<Absence>) -> Option<String> {
    // Numbers are always JSON.
    serde_json::to_string(&absence?).ok()
}

/// The stored actions of a card after one more. Actions that cannot be read are forgotten, because the new one counts.
///
/// # Errors
/// An action is not JSON, which never happens.
pub fn with_handled(json: &str, more: &Handled) -> Result<String, Unreadable> {
    let mut all = handled(json).unwrap_or_default();
    all.push(more.clone());
    serde_json::to_string(&all).map_err(|error| Unreadable::new("the actions of a card", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::{CodeState, HandledAction};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn actions_are_read_as_they_were_stored() {
        let silenced = HandledAction::Silenced { silence_id: "a-b".to_owned(), until: at(7200) };
        let first = Handled { action: silenced, by: "zhang".to_owned(), at: at(5) };
        let second = Handled { action: HandledAction::Acknowledged, by: "li".to_owned(), at: at(6) };
        let json = with_handled("[]", &first).unwrap();
        let json = with_handled(&json, &second).unwrap();
        assert_eq!(
            json,
            r#"[{"action":{"silenced":{"silence_id":"a-b","until":7200000}},"by":"zhang","at":5000},{"action":"acknowledged","by":"li","at":6000}]"#
        );
        assert_eq!(handled(&json).unwrap(), [first, second]);
        assert!(handled("{}").is_err());
    }

    #[test]
    fn a_code_is_valid_for_three_days() {
        let receipt = Receipt { response_code: "code".to_owned(), ..Receipt::default() };
        let code = NewCode::of(&receipt, at(0)).unwrap();
        assert_eq!((code.response_code, code.valid_until), ("code", at(259_200)));
        assert!(NewCode::of(&Receipt::default(), at(0)).is_none());
    }

    #[test]
    fn an_update_without_an_open_card_is_a_new_message() {
        let tried = [TriedCard { task_id: "t1".to_owned(), code: CodeState::Used }];
        assert!(is_sent("template_card", &[]) && is_sent("card_update", &[]));
        assert!(!is_sent("card_update", &tried) && !is_sent("text", &[]));
    }
}
