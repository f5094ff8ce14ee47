//! The buttons of an interactive card.

use serde::Deserialize;

use super::Content;

#[derive(Deserialize)]
struct Buttons {
    #[serde(default)]
    button_list: Vec<Button>,
}

#[derive(Deserialize)]
struct Button {
    #[serde(default)]
    key: String,
    #[serde(default)]
    text: String,
}

impl Content {
    /// The text of the button that calls back with `key`. `None` if the card has no such button.
    pub fn button_text(&self, key: &str) -> Option<String> {
        let update;
        let card = match self {
            Self::TemplateCard(card) => card,
            Self::CardUpdate(_) => {
                update = self.as_card_update()?;
                &update.template_card
            }
            _ => return None,
        };
        let buttons: Buttons = serde_json::from_str(card.json()).ok()?;
        // A button that opens a page has no key.
        let found = buttons.button_list.into_iter().find(|button| !key.is_empty() && button.key == key);
        found.map(|button| button.text)
    }
}
