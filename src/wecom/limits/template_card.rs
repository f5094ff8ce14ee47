//! The rules of a `template_card`. WeCom recommends these lengths, and its client cuts longer texts.

use serde_json::{Map, Value};

use super::check::{CardError, url};
use crate::text::shorten_chars;
use crate::wecom::content::{Card, Content};

type Object = Map<String, Value>;

/// The only supported type of card, because interactive types need a callback URL.
const TEXT_NOTICE: &str = "text_notice";
const MAX_ROWS: usize = 6;
const MAX_JUMPS: usize = 3;
const TASK_ID_BYTES: usize = 128;

/// Recommended lengths in characters.
#[derive(Debug)]
pub struct CardLimits {
    /// By object and key.
    lengths: [(&'static str, &'static str, usize); 5],
    /// The limit for [`SUB_TITLE`].
    pub sub_title: usize,
    value: usize,
    jump_title: usize,
}

impl CardLimits {
    /// The limits for apps.
    pub const APP: Self = Self {
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
    /// The limits for robots.
    pub const ROBOT: Self = Self {
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

/// Keys with number values at any depth.
const NUMBERS: [&str; 2] = ["type", "desc_color"];
/// Keys with text values at any depth.
const TEXTS: [&str; 13] = [
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
];

/// Makes a `template_card` that WeCom accepts unchanged. A card without `card_type` is a `text_notice`.
///
/// # Errors
/// [`CardError`] if WeCom would refuse it.
pub fn template_card(mut card: Object, limits: &CardLimits) -> Result<Content, CardError> {
    convert_types(&mut card);
    match text(&card, "card_type") {
        "" => _ = card.insert("card_type".to_owned(), TEXT_NOTICE.into()),
        TEXT_NOTICE => {}
        other => {
            return Err(CardError::new(
                "card_type",
                format!("is {other:?}, and only {TEXT_NOTICE} is supported"),
            ));
        }
    }
    task_id(&mut card)?;
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
    let Some(action) = inner(&mut card, "card_action")? else {
        return Err(CardError::new("card_action", "is missing: write type: 1 and a url"));
    };
    if target(action, "card_action")? == 0 {
        return Err(CardError::new("card_action.type", "must be 1 for a url or 2 for a mini program"));
    }
    let card = Card::new(&card).map_err(|error| CardError::new("template_card", error.to_string()))?;
    Ok(Content::TemplateCard(card))
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

fn text<'a>(object: &'a Object, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn shorten(object: &mut Object, key: &str, max_chars: usize) {
    if let Some(Value::String(text)) = object.get_mut(key) {
        *text = shorten_chars(text.trim(), max_chars).into_owned();
    }
}

fn inner<'a>(object: &'a mut Object, key: &str) -> Result<Option<&'a mut Object>, CardError> {
    match object.get_mut(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(CardError::new(key, "is not a mapping")),
    }
}

fn task_id(card: &mut Object) -> Result<(), CardError> {
    let id = text(card, "task_id").trim().to_owned();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-@".contains(c);
    if id.len() > TASK_ID_BYTES || !id.chars().all(allowed) {
        let problem = format!("may have at most {TASK_ID_BYTES} letters, digits, _, - and @");
        return Err(CardError::new("task_id", problem));
    }
    if id.is_empty() {
        card.remove("task_id");
        if card.contains_key("action_menu") {
            return Err(CardError::new("task_id", "is empty, and action_menu needs one"));
        }
        return Ok(());
    }
    card.insert("task_id".to_owned(), id.into());
    Ok(())
}

/// The target of a tap: 0 for none, 1 for a URL, 2 for a mini program. The last two need a field.
fn target(object: &mut Object, path: &str) -> Result<i64, CardError> {
    let number = match object.get("type") {
        None | Some(Value::Null) => 0,
        Some(value) => value.as_i64().unwrap_or(-1),
    };
    match number {
        1 => {
            let url = url(&format!("{path}.url"), text(object, "url"))?;
            object.insert("url".to_owned(), url.into());
        }
        2 => required(object, path, "appid")?,
        0 => {}
        _ => return Err(CardError::new(format!("{path}.type"), "must be 0, 1 or 2")),
    }
    Ok(number)
}

fn required(object: &Object, path: &str, key: &str) -> Result<(), CardError> {
    if text(object, key).trim().is_empty() {
        return Err(CardError::new(format!("{path}.{key}"), "is empty"));
    }
    Ok(())
}

fn list<'a>(card: &'a mut Object, key: &str, most: usize) -> Result<Vec<&'a mut Object>, CardError> {
    let items = match card.get_mut(key) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(CardError::new(key, "is not a list")),
    };
    if items.len() > most {
        return Err(CardError::new(key, format!("has {} entries, and WeCom allows {most}", items.len())));
    }
    let object = |item: &'a mut Value| {
        item.as_object_mut().ok_or_else(|| CardError::new(key, "has an entry that is not a mapping"))
    };
    items.iter_mut().map(object).collect()
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
