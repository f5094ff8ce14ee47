//! The rules of a `template_card`. WeCom recommends these lengths, and its client cuts longer texts.

use serde_json::Value;

use super::{
    buttons::buttons,
    check::{CardError, url},
    fields::{Object, inner, list, required, shorten, target, text},
};
use crate::wecom::{
    card_update::INTERACTIVE,
    content::{Card, Content},
};

const TEXT_NOTICE: &str = "text_notice";
pub(super) const MAX_ROWS: usize = 6;
const MAX_JUMPS: usize = 3;
const TASK_ID_BYTES: usize = 128;

/// The supported type of card, with recommended lengths in characters.
#[derive(Debug)]
pub struct CardLimits {
    card_type: &'static str,
    /// By object and key.
    lengths: [(&'static str, &'static str, usize); 5],
    /// The limit for [`SUB_TITLE`].
    pub sub_title: usize,
    pub(super) value: usize,
    jump_title: usize,
}

impl CardLimits {
    /// The limits for apps. Interactive cards are not allowed, because they need a callback.
    pub const APP: Self = Self {
        card_type: TEXT_NOTICE,
        lengths: [
            ("source", "desc", 20),
            ("main_title", "title", 36),
            ("main_title", "desc", 44),
            ("emphasis_content", "title", 14),
            ("emphasis_content", "desc", 22),
        ],
        sub_title: 160,
        value: 30,
        jump_title: 18,
    };
    /// The limits for interactive cards of apps.
    pub const INTERACTIVE: Self = Self { card_type: INTERACTIVE, ..Self::APP };
    /// The limits for robots.
    pub const ROBOT: Self = Self {
        card_type: TEXT_NOTICE,
        lengths: [
            ("source", "desc", 13),
            ("main_title", "title", 26),
            ("main_title", "desc", 30),
            ("emphasis_content", "title", 10),
            ("emphasis_content", "desc", 15),
        ],
        sub_title: 112,
        value: 26,
        jump_title: 13,
    };
}

/// The key of the longest text of a card.
pub const SUB_TITLE: &str = "sub_title_text";
const KEYNAME_CHARS: usize = 5;
/// WeCom names no limit. This is one line of a card on a phone.
pub(super) const REPLACE_TEXT_CHARS: usize = 20;

/// Keys with number values at any depth.
const NUMBERS: [&str; 3] = ["type", "desc_color", "style"];
/// Keys with text values at any depth.
const TEXTS: [&str; 16] = [
    "card_type",
    "title",
    "desc",
    "sub_title_text",
    "keyname",
    "value",
    "quote_text",
    "url",
    "appid",
    "pagepath",
    "media_id",
    "userid",
    "task_id",
    "text",
    "key",
    "replace_text",
];

/// Makes a `template_card` that WeCom accepts unchanged. A card without `card_type` gets the type that `limits` supports.
///
/// # Errors
/// [`CardError`] if WeCom would refuse it.
pub fn template_card(mut card: Object, limits: &CardLimits) -> Result<Content, CardError> {
    convert_types(&mut card);
    match text(&card, "card_type") {
        "" => _ = card.insert("card_type".to_owned(), limits.card_type.into()),
        card_type if card_type == limits.card_type => {}
        other => {
            let supported = limits.card_type;
            return Err(CardError::new(
                "card_type",
                format!("is {other:?}, and only {supported} is supported"),
            ));
        }
    }
    let is_interactive = limits.card_type == INTERACTIVE;
    task_id(&mut card, is_interactive)?;
    for (object, key, max) in limits.lengths {
        if let Some(inner) = inner(&mut card, object)? {
            shorten(inner, key, max);
        }
    }
    shorten(&mut card, SUB_TITLE, limits.sub_title);
    let title = inner(&mut card, "main_title")?.is_some_and(|title| !text(title, "title").trim().is_empty());
    if !title && text(&card, SUB_TITLE).trim().is_empty() {
        return Err(CardError::new("main_title.title", "is empty, and so is sub_title_text"));
    }
    if let Some(quote) = inner(&mut card, "quote_area")? {
        target(quote, "quote_area")?;
    }
    rows(&mut card, limits)?;
    jumps(&mut card, limits)?;
    card_action(&mut card, is_interactive)?;
    if is_interactive {
        buttons(&mut card)?;
        shorten(&mut card, "replace_text", REPLACE_TEXT_CHARS);
    }
    let card = Card::new(&card).map_err(|error| CardError::new("template_card", error.to_string()))?;
    Ok(Content::TemplateCard(card))
}

/// An interactive card needs no action, because it has buttons.
fn card_action(card: &mut Object, is_interactive: bool) -> Result<(), CardError> {
    let Some(action) = inner(card, "card_action")? else {
        if is_interactive {
            return Ok(());
        }
        return Err(CardError::new("card_action", "is missing: write type: 1 and a url"));
    };
    if target(action, "card_action")? == 0 && !is_interactive {
        return Err(CardError::new("card_action.type", "must be 1 for a url or 2 for a mini program"));
    }
    Ok(())
}

/// Converts the values of known keys to WeCom's types, because templates and YAML may yield others.
fn convert_types(object: &mut Object) {
    for (key, value) in object.iter_mut() {
        match value {
            Value::String(text) if NUMBERS.contains(&key.as_str()) => {
                if let Ok(number) = text.trim().parse::<i64>() {
                    *value = number.into();
                }
            }
            Value::Number(_) | Value::Bool(_) if TEXTS.contains(&key.as_str()) => {
                *value = value.to_string().into();
            }
            Value::Object(inner) => convert_types(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(convert_types),
            _ => {}
        }
    }
}

fn task_id(card: &mut Object, is_interactive: bool) -> Result<(), CardError> {
    let id = text(card, "task_id").trim().to_owned();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-@".contains(c);
    if id.len() > TASK_ID_BYTES || !id.chars().all(allowed) {
        let problem = format!("may have at most {TASK_ID_BYTES} letters, digits, _, - and @");
        return Err(CardError::new("task_id", problem));
    }
    if id.is_empty() {
        card.remove("task_id");
        if is_interactive {
            return Err(CardError::new("task_id", "is empty, and an interactive card needs one"));
        }
        if card.contains_key("action_menu") {
            return Err(CardError::new("task_id", "is empty, and action_menu needs one"));
        }
        return Ok(());
    }
    card.insert("task_id".to_owned(), id.into());
    Ok(())
}

fn rows(card: &mut Object, limits: &CardLimits) -> Result<(), CardError> {
    const LIST: &str = "horizontal_content_list";
    for (row, at) in list(card, LIST, MAX_ROWS)?.into_iter().zip(0..) {
        let path = format!("{LIST}[{at}]");
        required(row, &path, "keyname")?;
        shorten(row, "keyname", KEYNAME_CHARS);
        shorten(row, "value", limits.value);
        match row.get("type").and_then(Value::as_i64) {
            Some(1) => _ = url(&format!("{path}.url"), text(row, "url"))?,
            Some(2) => required(row, &path, "media_id")?,
            Some(3) => required(row, &path, "userid")?,
            _ => {}
        }
    }
    Ok(())
}

fn jumps(card: &mut Object, limits: &CardLimits) -> Result<(), CardError> {
    const LIST: &str = "jump_list";
    for (jump, at) in list(card, LIST, MAX_JUMPS)?.into_iter().zip(0..) {
        let path = format!("{LIST}[{at}]");
        required(jump, &path, "title")?;
        shorten(jump, "title", limits.jump_title);
        target(jump, &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(changes: Value) -> Result<Value, String> {
        let mut card = json!({
            "main_title": { "title": "t" },
            "card_action": { "type": 1, "url": "https://a.example" },
        });
        for (key, value) in changes.as_object().unwrap() {
            card[key] = value.clone();
        }
        let content = template_card(card.as_object().unwrap().clone(), &CardLimits::APP)
            .map_err(|error| error.to_string())?;
        Ok(serde_json::from_str(content.text()).unwrap())
    }

    #[test]
    fn long_texts_are_cut_and_unknown_keys_are_kept() {
        let card = checked(json!({
            "main_title": { "title": "题".repeat(40), "desc": 7 },
            "horizontal_content_list": [{ "keyname": "instance", "value": "v".repeat(31) }],
            "emphasis_content": { "title": 12 },
            "task_id": " id-1@x ",
            "new_thing": { "deep": [1, true, "x"] },
            "card_action": { "type": "1", "url": " https://a.example " },
        }))
        .unwrap();
        assert_eq!(card["card_type"], "text_notice");
        assert_eq!(card["main_title"], json!({ "title": "题".repeat(35) + "…", "desc": "7" }));
        let row = json!({ "keyname": "inst…", "value": "v".repeat(29) + "…" });
        assert_eq!(card["horizontal_content_list"][0], row);
        assert_eq!(card["emphasis_content"]["title"], "12");
        assert_eq!(card["task_id"], "id-1@x");
        assert_eq!(card["new_thing"], json!({ "deep": [1, true, "x"] }));
        assert_eq!(card["card_action"], json!({ "type": 1, "url": "https://a.example" }));
    }

    #[test]
    fn a_card_that_wecom_would_refuse_is_an_error() {
        let row = json!({ "keyname": "k", "value": "v" });
        let jump = json!({ "title": "t", "type": 1, "url": "http://a" });
        for (changes, expected) in [
            (json!({ "card_type": "vote_interaction" }), "card_type is \"vote_interaction\""),
            (json!({ "main_title": { "title": " " } }), "main_title.title is empty"),
            (json!({ "main_title": "t" }), "main_title is not a mapping"),
            (json!({ "card_action": null }), "card_action is missing"),
            (json!({ "card_action": { "type": 0 } }), "card_action.type must be 1"),
            (json!({ "card_action": { "type": 1, "url": "" } }), "card_action.url is empty"),
            (json!({ "card_action": { "type": 2 } }), "card_action.appid is empty"),
            (json!({ "horizontal_content_list": vec![row; 7] }), "horizontal_content_list has 7 entries"),
            (
                json!({ "horizontal_content_list": [{ "value": "v" }] }),
                "horizontal_content_list[0].keyname is empty",
            ),
            (json!({ "jump_list": vec![jump; 4] }), "jump_list has 4 entries"),
            (json!({ "jump_list": [{ "title": "t", "type": 9 }] }), "jump_list[0].type must be"),
            (json!({ "task_id": "a b" }), "task_id may have"),
            (json!({ "action_menu": {} }), "task_id is empty"),
            (json!({ "quote_area": { "type": 1 } }), "quote_area.url is empty"),
        ] {
            let error = checked(changes).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(checked(json!({ "main_title": null, "sub_title_text": "s" })).is_ok());
    }
}
