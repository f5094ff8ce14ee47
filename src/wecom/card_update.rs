//! A change of interactive cards that were sent.
//!
//! A card is changed with a response code. WeCom grants one with the message and one with each press, each for one use
//! within 72 hours. The update of a press has the code of that press. Any other update concerns the open cards of a group,
//! and the dispatcher puts the codes in when it sends.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Card, Content};

/// A change of interactive cards that were sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardUpdate {
    /// The whole card as it is to look, with `replace_text` if its buttons are to be grey.
    pub template_card: Card,
    /// The code of a press. `None` changes the open cards of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_code: Option<String>,
    /// The message to send if no card can be changed.
    pub otherwise: Otherwise,
}

/// The message that takes the place of a card update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// The card, as a new one.
    Card,
    /// The text form of the notification.
    Text,
}

impl CardUpdate {
    /// The update of one card.
    pub fn of_card(&self, task_id: &str, response_code: &str) -> Self {
        Self {
            template_card: self.template_card.with("task_id", task_id),
            response_code: Some(response_code.to_owned()),
            otherwise: self.otherwise,
        }
    }
}

impl Content {
    pub fn card_update(update: &CardUpdate) -> Self {
        Card::new(update).map_or_else(|_| Self::TemplateCard(update.template_card.clone()), Self::CardUpdate)
    }

    pub fn as_card_update(&self) -> Option<CardUpdate> {
        match self {
            Self::CardUpdate(update) => serde_json::from_str(update.json()).ok(),
            _ => None,
        }
    }

    /// This content for the eyes of people. A response code becomes `…`, because it is a secret for 72 hours.
    pub fn without_code(&self) -> Cow<'_, Self> {
        match self.as_card_update() {
            Some(update @ CardUpdate { response_code: Some(_), .. }) => {
                let hidden = Some("…".to_owned());
                Cow::Owned(Self::card_update(&CardUpdate { response_code: hidden, ..update }))
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// The task id of the interactive card that this sends. A card update sends one if it is `otherwise` a card.
    pub fn task_id(&self) -> Option<String> {
        let update;
        let card = match self {
            Self::TemplateCard(card) => card,
            Self::CardUpdate(_) => {
                update = self.as_card_update().filter(|update| update.otherwise == Otherwise::Card)?;
                &update.template_card
            }
            _ => return None,
        };
        card.task_id()
    }
}

impl Card {
    /// `None` if the card is not interactive.
    pub fn task_id(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Fields {
            card_type: String,
            task_id: String,
        }
        // Most cards are not interactive, and need not be parsed.
        if !self.json().contains(INTERACTIVE) {
            return None;
        }
        let fields: Fields = serde_json::from_str(self.json()).ok()?;
        (fields.card_type == INTERACTIVE && !fields.task_id.is_empty()).then_some(fields.task_id)
    }
}

/// The `card_type` of an interactive card.
pub(super) const INTERACTIVE: &str = "button_interaction";

#[cfg(test)]
mod tests {
    use super::*;

    fn update(otherwise: Otherwise) -> CardUpdate {
        let card = r#"{"card_type":"button_interaction","task_id":"t1","z":1,"a":"é"}"#;
        CardUpdate { template_card: Card::from_json(card).unwrap(), response_code: None, otherwise }
    }

    #[test]
    fn a_card_update_is_stored_and_restored() {
        for response_code in [None, Some("code".to_owned())] {
            let update = CardUpdate { response_code, ..update(Otherwise::Card) };
            let content = Content::card_update(&update);
            assert_eq!(content.msgtype(), "card_update");
            let restored = Content::stored(content.msgtype(), content.text().to_owned()).unwrap();
            assert_eq!(restored.as_card_update(), Some(update));
        }
        assert_eq!(
            Content::card_update(&update(Otherwise::Text)).text(),
            r#"{"template_card":{"card_type":"button_interaction","task_id":"t1","z":1,"a":"é"},"otherwise":"text"}"#
        );
        assert_eq!(
            Content::stored("card_update", r#"{"template_card":[]}"#.to_owned()).unwrap().as_card_update(),
            None
        );
    }

    #[test]
    fn a_response_code_is_not_shown() {
        let with_code = CardUpdate { response_code: Some("c0de".to_owned()), ..update(Otherwise::Text) };
        let content = Content::card_update(&with_code);
        let shown = content.without_code();
        assert_eq!(shown.text(), content.text().replace("c0de", "…"));
        for content in [Content::card_update(&update(Otherwise::Text)), Content::Text("c0de".to_owned())] {
            assert_eq!(content.without_code().as_ref(), &content);
        }
    }

    #[test]
    fn only_a_message_with_an_interactive_card_has_a_task_id() {
        let card = |json: &str| Content::stored("template_card", json.to_owned()).unwrap();
        assert_eq!(
            card(r#"{"card_type":"button_interaction","task_id":"t1"}"#).task_id().as_deref(),
            Some("t1")
        );
        assert_eq!(card(r#"{"card_type":"text_notice","task_id":"t1"}"#).task_id(), None);
        assert_eq!(
            card(r#"{"card_type":"text_notice","title":"button_interaction","task_id":"t"}"#).task_id(),
            None
        );
        assert_eq!(Content::card_update(&update(Otherwise::Card)).task_id().as_deref(), Some("t1"));
        assert_eq!(Content::card_update(&update(Otherwise::Text)).task_id(), None);
        assert_eq!(Content::Text("button_interaction".to_owned()).task_id(), None);
    }

    #[test]
    fn the_update_of_a_card_has_its_task_id_and_code() {
        let of_card = update(Otherwise::Text).of_card("other", "c1");
        assert_eq!(of_card.response_code.as_deref(), Some("c1"));
        assert_eq!(
            of_card.template_card.json(),
            r#"{"a":"é","card_type":"button_interaction","task_id":"other","z":1}"#
        );
    }
}
