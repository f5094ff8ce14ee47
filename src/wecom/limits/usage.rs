//! The used part of WeCom's limits, as a text for a person.

use super::text_card::{DESCRIPTION_CHARS, TITLE_CHARS};
use crate::{
    language::Language,
    wecom::{Recipients, content::Content},
};

/// The bytes of a text or markdown message that WeCom shows. WeCom cuts off the rest without an error.
pub const MAX_CONTENT_BYTES: usize = 2048;

/// The bytes of a markdown message of a robot. WeCom refuses a longer one (40058).
pub const ROBOT_MARKDOWN_BYTES: usize = 4096;

/// The bytes of a message and its limit, in `language`.
pub fn usage(content: &Content, recipients: &Recipients, language: Language) -> String {
    let of_limit = |bytes: usize, limit: usize| {
        language.choose(format!("{bytes} of {limit} bytes"), format!("{bytes} / {limit} 字节"))
    };
    match content {
        Content::Text(_) | Content::GroupText(_) => {
            of_limit(content.plain().unwrap_or_default().len(), MAX_CONTENT_BYTES)
        }
        Content::Markdown(text) if *recipients == Recipients::Group => {
            of_limit(text.len(), ROBOT_MARKDOWN_BYTES)
        }
        Content::Markdown(text) => of_limit(text.len(), MAX_CONTENT_BYTES),
        Content::MarkdownV2(text) => of_limit(text.len(), ROBOT_MARKDOWN_BYTES),
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
        Content::TemplateCard(card) | Content::CardUpdate(card) => {
            let bytes = card.json().len();
            language.choose(format!("{bytes} bytes"), format!("{bytes} 字节"))
        }
    }
}
