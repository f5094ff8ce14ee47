//! The used part of WeCom's limits, as a text for a person.

use serde::Serialize;

use super::text_card::{DESCRIPTION_CHARS, TITLE_CHARS};
use crate::{
    language::Language,
    wecom::{Recipients, content::Content},
};

/// The bytes of a text or markdown message that WeCom shows. WeCom cuts off the rest without an error.
pub const MAX_CONTENT_BYTES: usize = 2048;

/// The bytes of a markdown message of a robot. WeCom refuses a longer one (40058).
pub const ROBOT_MARKDOWN_BYTES: usize = 4096;

/// The bytes of a message that have one limit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BytesUsed {
    pub bytes: usize,
    pub max: usize,
}

/// `None` for a card, because each of its fields has a limit.
pub fn bytes_used(content: &Content, recipients: &Recipients) -> Option<BytesUsed> {
    let used = |bytes, max| Some(BytesUsed { bytes, max });
    match content {
        Content::Text(_) | Content::GroupText(_) => {
            used(content.plain().unwrap_or_default().len(), MAX_CONTENT_BYTES)
        }
        Content::Markdown(text) if *recipients == Recipients::Group => used(text.len(), ROBOT_MARKDOWN_BYTES),
        Content::Markdown(text) => used(text.len(), MAX_CONTENT_BYTES),
        Content::MarkdownV2(text) => used(text.len(), ROBOT_MARKDOWN_BYTES),
        Content::TextCard(_) | Content::TemplateCard(_) | Content::CardUpdate(_) => None,
    }
}

/// The bytes of a message and its limit, in `language`.
pub fn usage(content: &Content, recipients: &Recipients, language: Language) -> String {
    if let Some(BytesUsed { bytes, max }) = bytes_used(content, recipients) {
        return language.choose(format!("{bytes} of {max} bytes"), format!("{bytes} / {max} 字节"));
    }
    match content {
        Content::TextCard(card) => {
            let fields: serde_json::Value = serde_json::from_str(card.json()).unwrap_or_default();
            let chars =
                |name| fields.get(name).and_then(|text| text.as_str()).map_or(0, |text| text.chars().count());
            let (title, description, bytes) = (chars("title"), chars("description"), card.json().len());
            language.choose(
                format!(
                    "title {title} of {TITLE_CHARS} characters, description {description} of {DESCRIPTION_CHARS}, \
                     {bytes} bytes"
                ),
                format!(
                    "标题 {title} / {TITLE_CHARS} 字，描述 {description} / {DESCRIPTION_CHARS} 字，共 {bytes} 字节"
                ),
            )
        }
        other => {
            let bytes = other.text().len();
            language.choose(format!("{bytes} bytes"), format!("{bytes} 字节"))
        }
    }
}
