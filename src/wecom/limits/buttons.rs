//! The buttons of an interactive card.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    check::{CardError, url},
    fields::{Object, list, required, shorten, text},
};

const LIST: &str = "button_list";
const MAX_BUTTONS: usize = 6;
const TEXT_CHARS: usize = 10;
const KEY_BYTES: usize = 1024;

/// Checks the buttons. Their texts are cut.
pub(super) fn buttons(card: &mut Object) -> Result<(), CardError> {
    let buttons = list(card, LIST, MAX_BUTTONS)?;
    if buttons.is_empty() {
        return Err(CardError::new(LIST, "is empty, and an interactive card needs a button"));
    }
    let mut keys = BTreeSet::new();
    for (button, at) in buttons.into_iter().zip(0..) {
        let path = format!("{LIST}[{at}]");
        required(button, &path, "text")?;
        shorten(button, "text", TEXT_CHARS);
        style(button, &path)?;
        match button.get("type").map_or(Some(0), Value::as_i64) {
            Some(0) => {
                let key = key(button, &path)?;
                if !keys.insert(key) {
                    return Err(CardError::new(format!("{path}.key"), "is the key of another button"));
                }
            }
            Some(1) => {
                let url = url(&format!("{path}.url"), text(button, "url"))?;
                button.insert("url".to_owned(), url.into());
            }
            _ => return Err(CardError::new(format!("{path}.type"), "must be 0 for a key or 1 for a url")),
        }
    }
    Ok(())
}

fn key(button: &Object, path: &str) -> Result<String, CardError> {
    required(button, path, "key")?;
    let key = text(button, "key").to_owned();
    if key.len() > KEY_BYTES {
        return Err(CardError::new(format!("{path}.key"), format!("is longer than {KEY_BYTES} bytes")));
    }
    Ok(key)
}

fn style(button: &Object, path: &str) -> Result<(), CardError> {
    match button.get("style").map(Value::as_i64) {
        None | Some(Some(1..=4)) => Ok(()),
        Some(_) => Err(CardError::new(format!("{path}.style"), "must be 1, 2, 3 or 4")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::wecom::limits::{CardLimits, template_card};

    use super::*;

    fn checked(changes: Value) -> Result<Value, String> {
        let mut card = json!({
            "main_title": { "title": "t" },
            "task_id": "t1",
            "button_list": [{ "text": "Silence", "key": "silence:3600" }],
        });
        for (key, value) in changes.as_object().unwrap() {
            card[key] = value.clone();
        }
        let content = template_card(card.as_object().unwrap().clone(), &CardLimits::INTERACTIVE)
            .map_err(|error| error.to_string())?;
        Ok(serde_json::from_str(content.text()).unwrap())
    }

    #[test]
    fn texts_of_buttons_are_cut_and_types_converted() {
        let card = checked(json!({
            "button_list": [
                { "text": " Silence for 1 h ", "style": "2", "key": 7, "type": "0" },
                { "text": "打开", "type": 1, "url": " https://a.example " },
            ],
            "replace_text": "已".repeat(30),
            "button_selection": { "question_key": "q", "option_list": [{ "id": "1", "text": "x".repeat(40) }] },
        }))
        .unwrap();
        assert_eq!(card["card_type"], "button_interaction");
        let buttons = json!([
            { "text": "Silence f…", "style": 2, "key": "7", "type": 0 },
            { "text": "打开", "type": 1, "url": "https://a.example" },
        ]);
        assert_eq!(card["button_list"], buttons);
        assert_eq!(card["replace_text"], "已".repeat(19) + "…");
        assert_eq!(card["button_selection"]["option_list"][0]["text"], "x".repeat(40));
        assert_eq!(card.get("card_action"), None);
    }

    #[test]
    fn an_interactive_card_that_wecom_would_refuse_is_an_error() {
        let button = |number: usize| json!({ "text": "t", "key": format!("k{number}") });
        for (changes, expected) in [
            (json!({ "card_type": "text_notice" }), "card_type is \"text_notice\""),
            (json!({ "task_id": "" }), "task_id is empty"),
            (json!({ "task_id": "t".repeat(129) }), "task_id may have"),
            (json!({ "button_list": [] }), "button_list is empty"),
            (json!({ "button_list": (0..7).map(button).collect::<Vec<_>>() }), "button_list has 7 entries"),
            (json!({ "button_list": [button(1), button(1)] }), "button_list[1].key is the key of another"),
            (json!({ "button_list": [{ "text": "t" }] }), "button_list[0].key is empty"),
            (json!({ "button_list": [{ "key": "k" }] }), "button_list[0].text is empty"),
            (
                json!({ "button_list": [{ "text": "t", "key": "k".repeat(1025) }] }),
                "button_list[0].key is longer",
            ),
            (
                json!({ "button_list": [{ "text": "t", "key": "k", "style": 5 }] }),
                "button_list[0].style must be",
            ),
            (json!({ "button_list": [{ "text": "t", "type": 1 }] }), "button_list[0].url is empty"),
            (json!({ "button_list": [{ "text": "t", "type": 2 }] }), "button_list[0].type must be"),
            (json!({ "card_action": { "type": 1 } }), "card_action.url is empty"),
        ] {
            let error = checked(changes).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        let most: Vec<_> = (0..6).map(button).collect();
        assert!(checked(json!({ "button_list": most, "card_action": { "type": 0 } })).is_ok());
    }
}
