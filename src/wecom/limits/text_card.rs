//! The limits of a `textcard`.

use serde::Serialize;

use super::check::{CardError, url};
use crate::{
    text::{ELLIPSIS, prefix_chars, shorten_chars, slice_from},
    wecom::content::{Card, Content},
};

pub(super) const TITLE_CHARS: usize = 128;
/// The maximum number of characters of a description.
pub const DESCRIPTION_CHARS: usize = 512;
const BUTTON_CHARS: usize = 4;

/// The fields of a `textcard`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextCard {
    /// At most 128 characters.
    pub title: String,
    /// At most 512 characters.
    pub description: String,
    /// The link that a tap opens.
    pub url: String,
    /// The text of the button, at most 4 characters. If it is empty, WeCom writes its own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub btntxt: String,
}

/// Makes a `textcard` that WeCom accepts unchanged.
///
/// # Errors
/// [`CardError`] if a required field is empty, or `url` is not a URL.
pub fn text_card(card: TextCard) -> Result<Content, CardError> {
    for (field, text) in [("title", &card.title), ("description", &card.description)] {
        if text.trim().is_empty() {
            return Err(CardError::new(field, "is empty"));
        }
    }
    let card = TextCard {
        title: shorten_chars(card.title.trim(), TITLE_CHARS).into_owned(),
        description: shorten_tagged(card.description.trim(), DESCRIPTION_CHARS),
        url: url("url", &card.url)?,
        btntxt: shorten_chars(card.btntxt.trim(), BUTTON_CHARS).into_owned(),
    };
    let card = Card::new(&card).map_err(|error| CardError::new("textcard", error.to_string()))?;
    Ok(Content::TextCard(card))
}

/// [`shorten_chars`] for the description of a textcard. It cuts no tag in two and leaves no `<div>` open.
fn shorten_tagged(text: &str, max_chars: usize) -> String {
    const CLOSE: &str = "</div>";
    if text.chars().nth(max_chars).is_none() {
        return text.to_owned();
    }
    let mut kept = prefix_chars(text, max_chars.saturating_sub(1 + CLOSE.len()));
    if let Some(before) = before_cut_tag(text, kept) {
        kept = before;
    }
    let is_open = kept.matches("<div").count() > kept.matches(CLOSE).count();
    format!("{kept}{ELLIPSIS}{}", if is_open { CLOSE } else { "" })
}

/// If `kept`, the beginning of `text`, ends inside a tag: the part of `kept` before that tag.
fn before_cut_tag<'a>(text: &str, kept: &'a str) -> Option<&'a str> {
    let (before, cut) = kept.split_at(kept.rfind('<')?);
    let rest = slice_from(text, before.len());
    let is_tag = ["<div", "</div", "<br"].iter().any(|tag| rest.starts_with(tag));
    (is_tag && !cut.contains('>')).then_some(before)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn card(title: &str, description: &str, url: &str, btntxt: &str) -> Result<String, String> {
        let [title, description, url, btntxt] = [title, description, url, btntxt].map(str::to_owned);
        let content = text_card(TextCard { title, description, url, btntxt });
        content.map(|content| content.text().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_that_wecom_would_cut_are_cut_visibly() {
        let json = card(&"告".repeat(129), &"警".repeat(513), "https://a.example", "查看详情吧").unwrap();
        let fields: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(fields["title"], "告".repeat(127) + "…");
        assert!(fields["description"].as_str().unwrap().ends_with("警…"));
        assert_eq!(fields["btntxt"], "查看详…");
        let whole = card(&"告".repeat(128), &"警".repeat(512), "https://a.example", "").unwrap();
        assert!(!whole.contains('…') && !whole.contains("btntxt"), "{whole}");
    }

    #[test]
    fn a_card_that_wecom_would_refuse_is_an_error() {
        assert_eq!(card(" ", "d", "http://a", ""), Err("title is empty".to_owned()));
        assert_eq!(card("t", "\n", "http://a", ""), Err("description is empty".to_owned()));
        assert_eq!(card("t", "d", "", ""), Err("url is empty".to_owned()));
        let wrong = "url does not start with http:// or https://: /#/alerts";
        assert_eq!(card("t", "d", "/#/alerts", ""), Err(wrong.to_owned()));
        assert_eq!(card("t", "d", "https://", "").unwrap_err().lines().count(), 1);
        let long = format!("http://a.example/{}", "a".repeat(2048));
        assert_eq!(card("t", "d", &long, ""), Err("url is longer than 2048 bytes".to_owned()));
    }

    #[test]
    fn no_tag_is_cut_in_two_or_left_open() {
        let text = format!("<div class=\"gray\">{}", "x".repeat(600));
        assert!(shorten_tagged(&text, 100).ends_with("x…</div>"));
        let text = format!("{}<div class=\"highlight\">{}", "x".repeat(90), "y".repeat(100));
        assert_eq!(shorten_tagged(&text, 100), "x".repeat(90) + "…");
    }

    proptest! {
        #[test]
        fn shortened_descriptions_fit(text in "(<div class=\"gray\">|</div>|<br>|\\PC){0,60}", max in 24usize..80) {
            let shortened = shorten_tagged(&text, max);
            prop_assert!(shortened.chars().count() <= max, "{}", shortened);
            prop_assert!(shortened == text || shortened.contains('…'));
        }
    }
}
