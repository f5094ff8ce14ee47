//! The used part of WeCom's limits, as a text for a person.

use super::text_card::{DESCRIPTION_CHARS, TITLE_CHARS};
use crate::wecom::{Recipients, content::Content};

/// The bytes of a text or markdown message that WeCom shows. WeCom cuts off the rest without an error.
pub const MAX_CONTENT_BYTES: usize = 2048;

/// The bytes of a markdown message of a robot. WeCom refuses a longer one (40058).
pub const ROBOT_MARKDOWN_BYTES: usize = 4096;

pub fn usage(content: &Content, recipients: &Recipients) -> String {
    match content {
        Content::Text(_) | Content::GroupText(_) => {
            let text = content.plain().unwrap_or_default();
            format!("{} of {MAX_CONTENT_BYTES} bytes", text.len())
        }
        Content::Markdown(text) if *recipients == Recipients::Group => {
            format!("{} of {ROBOT_MARKDOWN_BYTES} bytes", text.len())
        }
        Content::Markdown(text) => format!("{} of {MAX_CONTENT_BYTES} bytes", text.len()),
        Content::MarkdownV2(text) => format!("{} of {ROBOT_MARKDOWN_BYTES} bytes", text.len()),
        Content::TextCard(card) => {
            let fields: serde_json::Value = serde_json::from_str(card.json()).unwrap_or_default();
            let chars =
                |name| fields.get(name).and_then(|text| text.as_str()).map_or(0, |text| text.chars().count());
            let (title, description) = (chars("title"), chars("description"));
            format!(
                "title {title} of {TITLE_CHARS} characters, description {description} of {DESCRIPTION_CHARS}, \
                 {} bytes",
                card.json().len()
            )
        }
        Content::TemplateCard(card) | Content::CardUpdate(card) => format!("{} bytes", card.json().len()),
    }
}
