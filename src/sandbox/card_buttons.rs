//! The buttons of a `button_interaction` card, and its drop-down list.

use std::collections::HashSet;

use serde_json::Value;

use super::fields::Fields;
use super::reply::ErrorReply;

// These limits are not shared with the relay, because no test would find a mistake in a shared limit.
const BUTTONS: std::ops::RangeInclusive<usize> = 1..=6;
const MAX_KEY_BYTES: usize = 1_024;
const OPTIONS: std::ops::RangeInclusive<usize> = 1..=10;
const MAX_OPTION_ID_BYTES: usize = 128;

pub(super) fn check(card: &Fields<'_>) -> Result<(), ErrorReply> {
    let buttons = card.list("button_list");
    if !BUTTONS.contains(&buttons.len()) {
        return Err(ErrorReply::new(42035));
    }
    let mut keys = HashSet::new();
    for button in &buttons {
        button.required("text", 42038)?;
        button.number("style", 1..=4)?;
        if button.number("type", 0..=1)? == Some(1) {
            button.required("url", 42028)?;
            continue;
        }
        let key = button.required("key", 42039)?;
        if key.len() > MAX_KEY_BYTES {
            return Err(ErrorReply::new(42039));
        }
        if !keys.insert(key) {
            return Err(ErrorReply::new(42051));
        }
    }
    match card.inner("button_selection") {
        Some(selection) => check_selection(&selection),
        None => Ok(()),
    }
}

fn check_selection(selection: &Fields<'_>) -> Result<(), ErrorReply> {
    if selection.required("question_key", 42043)?.len() > MAX_KEY_BYTES {
        return Err(ErrorReply::new(42043));
    }
    let options = selection.list("option_list");
    if !OPTIONS.contains(&options.len()) {
        return Err(ErrorReply::new(42037));
    }
    for option in options {
        if option.required("id", 42040)?.len() > MAX_OPTION_ID_BYTES {
            return Err(ErrorReply::new(42040));
        }
        option.required("text", 42041)?;
    }
    Ok(())
}

/// A line for each button: in brackets if it can be pressed, and in parentheses if it is grey.
pub(super) fn lines(card: &Fields<'_>) -> Vec<String> {
    match card.text("replace_text") {
        Ok(replaced) if !replaced.is_empty() => vec![format!("({replaced})")],
        _ => {
            let buttons = card.list("button_list");
            buttons.iter().filter_map(|button| Some(format!("[{}]", button.text("text").ok()?))).collect()
        }
    }
}

/// The keys of the buttons that a member can press. Empty if the buttons are grey.
pub(super) fn pressable(card: &Value) -> Vec<String> {
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if !text(card, "replace_text").is_empty() {
        return Vec::new();
    }
    let list = card.get("button_list").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter(|button| !opens_url(button)).map(|button| text(button, "key")).collect()
}

fn opens_url(button: &Value) -> bool {
    match button.get("type") {
        Some(Value::String(kind)) => kind.trim() == "1",
        Some(kind) => kind.as_i64() == Some(1),
        None => false,
    }
}
