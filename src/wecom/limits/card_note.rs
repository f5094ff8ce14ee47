//! The note on a card about the action of a member.

use serde_json::{Map, Value, json};

use super::template_card::{CardLimits, MAX_ROWS, REPLACE_TEXT_CHARS, SUB_TITLE};
use crate::{language::Language, text::shorten_chars, wecom::Card};

/// `card` with a row that has `note`. With `replace_text` its buttons are grey and have this text.
///
/// A note that is too long for a row, or for a seventh row, is the first line of the text of the card.
pub fn with_note(card: &Card, note: &str, replace_text: Option<&str>, language: Language) -> Card {
    let mut fields = card.fields();
    let note = note.trim();
    if !note.is_empty() && !add_row(&mut fields, note, language) {
        add_line(&mut fields, note);
    }
    if let Some(text) = replace_text.map(str::trim).filter(|text| !text.is_empty()) {
        let text = shorten_chars(text, REPLACE_TEXT_CHARS);
        fields.insert("replace_text".to_owned(), text.into());
    }
    Card::of_fields(fields)
}

fn add_row(fields: &mut Map<String, Value>, note: &str, language: Language) -> bool {
    const ROWS: &str = "horizontal_content_list";
    if note.chars().count() > CardLimits::INTERACTIVE.value || note.contains('\n') {
        return false;
    }
    let rows = fields.entry(ROWS).or_insert_with(|| json!([]));
    if rows.is_null() {
        *rows = json!([]);
    }
    match rows.as_array_mut() {
        Some(rows) if rows.len() < MAX_ROWS => {
            rows.push(json!({ "keyname": language.choose("State", "状态"), "value": note }));
            true
        }
        _ => false,
    }
}

fn add_line(fields: &mut Map<String, Value>, note: &str) {
    let text = fields.get(SUB_TITLE).and_then(Value::as_str).unwrap_or_default();
    let text = format!("{note}\n{text}");
    let text = shorten_chars(text.trim_end(), CardLimits::INTERACTIVE.sub_title);
    fields.insert(SUB_TITLE.to_owned(), text.into());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wecom::limits::template_card;

    fn card(rows: usize, sub_title: &str) -> Card {
        let rows = vec![json!({ "keyname": "k", "value": "v" }); rows];
        let card = json!({
            "card_type": "button_interaction",
            "main_title": { "title": "t" },
            "sub_title_text": sub_title,
            "horizontal_content_list": rows,
            "task_id": "t1",
            "button_list": [{ "text": "Silence", "style": 1, "key": "silence:3600" }],
        });
        Card::from_json(card.to_string()).unwrap()
    }

    fn noted(card: &Card, note: &str, replace_text: Option<&str>) -> Value {
        serde_json::from_str(with_note(card, note, replace_text, Language::Zh).json()).unwrap()
    }

    #[test]
    fn a_note_is_a_row_and_greys_the_buttons() {
        let noted = noted(&card(1, "s"), "张三 已静默至 10:30", Some("已静默"));
        let row = json!({ "keyname": "状态", "value": "张三 已静默至 10:30" });
        assert_eq!(noted["horizontal_content_list"][1], row);
        assert_eq!(
            (noted["sub_title_text"].as_str(), noted["replace_text"].as_str()),
            (Some("s"), Some("已静默"))
        );
        assert_eq!(noted["button_list"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn without_a_replacement_the_buttons_stay() {
        let noted = noted(&card(0, "s"), "note", None);
        assert_eq!(noted.get("replace_text"), None);
    }

    #[test]
    fn a_note_without_room_in_the_rows_is_the_first_line_of_the_text() {
        assert_eq!(noted(&card(6, "text"), "note", None)["sub_title_text"], "note\ntext");
        let long = "x".repeat(31);
        let noted = noted(&card(0, ""), &long, None);
        assert_eq!(noted["sub_title_text"], long);
        assert_eq!(noted["horizontal_content_list"], json!([]));
    }

    proptest! {
        #[test]
        fn a_card_with_notes_is_within_the_limits(
            rows in 0usize..=6, sub_title in "\\PC{0,200}", notes in prop::collection::vec("\\PC{0,60}", 0..8),
            text in "\\PC{0,40}",
        ) {
            let fields = card(rows, &sub_title).fields();
            let content = template_card(fields, &CardLimits::INTERACTIVE).unwrap();
            let mut card = Card::from_json(content.text()).unwrap();
            for note in &notes {
                card = with_note(&card, note, Some(&text), Language::En);
            }
            let checked = template_card(card.fields(), &CardLimits::INTERACTIVE).unwrap();
            prop_assert_eq!(checked.text(), card.json());
        }
    }
}
