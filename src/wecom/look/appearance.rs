//! From a message to its appearance.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    card, markdown,
    plain_text::{self, mention_run},
    textcard,
    tokens::MarkdownDialect,
    tree::{Appearance, Bubble, Run, TextBlock, Viewer},
    wechat,
};
use crate::{
    text::prefix,
    wecom::{
        Content, GroupText, Recipients, limits::MAX_CONTENT_BYTES, message::without_mention_of_everybody,
    },
};

/// The readers of a message. A message of a group may mention members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Members,
    Group,
}

impl From<&Recipients> for Audience {
    fn from(recipients: &Recipients) -> Self {
        match recipients {
            Recipients::Group | Recipients::Chat(_) => Self::Group,
            _ => Self::Members,
        }
    }
}

impl Appearance {
    /// A message of the relay.
    pub fn of(content: &Content, recipients: &Recipients, viewer: Viewer) -> Self {
        let audience = Audience::from(recipients);
        let parsed = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_default();
        match content {
            Content::Text(text) => {
                Self::of_text(&sent(text, audience), &GroupText::default(), audience, viewer)
            }
            Content::GroupText(card) => {
                let text: GroupText = serde_json::from_str(card.json()).unwrap_or_default();
                Self::of_text(&text.content, &text, audience, viewer)
            }
            Content::Markdown(text) => Self::of_markdown(&sent(text, audience), audience, viewer),
            Content::MarkdownV2(text) => Self::of_markdown_v2(&sent(text, audience), viewer),
            Content::TextCard(card) => Self::of_textcard(&parsed(card.json()), viewer),
            Content::TemplateCard(card) => Self::of_card(&parsed(card.json()), viewer),
            Content::CardUpdate(update) => {
                let update = parsed(update.json());
                Self::of_card(update.get("template_card").unwrap_or(&Value::Null), viewer)
            }
        }
    }

    /// A message as WeCom received it: the object under the key that `msgtype` names. `None` if the look of this type is
    /// not known.
    pub fn of_object(msgtype: &str, object: &Value, audience: Audience, viewer: Viewer) -> Option<Self> {
        let content = card::field(object, "content");
        Some(match msgtype {
            "text" => {
                let text: GroupText = serde_json::from_value(object.clone()).ok()?;
                Self::of_text(content, &text, audience, viewer)
            }
            "markdown" => Self::of_markdown(content, audience, viewer),
            "markdown_v2" => Self::of_markdown_v2(content, viewer),
            "textcard" => Self::of_textcard(object, viewer),
            "template_card" => Self::of_card(object, viewer),
            _ => return None,
        })
    }

    /// A text without any markup.
    pub fn of_plain(text: &str, viewer: Viewer) -> Self {
        let lines = text.split('\n').map(|line| TextBlock::Line { runs: vec![Run::plain(line)] });
        Self { viewer, bubble: Bubble::Text { blocks: lines.collect() }, hidden_bytes: 0 }
    }

    /// `mentions` has the members that are mentioned outside of the text.
    fn of_text(text: &str, mentions: &GroupText, audience: Audience, viewer: Viewer) -> Self {
        let shown = prefix(text, MAX_CONTENT_BYTES);
        let mut blocks = plain_text::blocks(shown, audience == Audience::Group);
        let mentioned = mentions.mentioned_list.iter().chain(&mentions.mentioned_mobile_list);
        let mentioned: Vec<Run> = mentioned.map(|id| mention_run(id.trim_start_matches('@'))).collect();
        if !mentioned.is_empty() {
            blocks.push(TextBlock::Line { runs: separated(mentioned) });
        }
        Self { viewer, bubble: Bubble::Text { blocks }, hidden_bytes: text.len() - shown.len() }
    }

    fn of_markdown(text: &str, audience: Audience, viewer: Viewer) -> Self {
        let (shown, dialect) = match audience {
            Audience::Members => (prefix(text, MAX_CONTENT_BYTES), MarkdownDialect::App),
            // WeCom refuses a longer one.
            Audience::Group => (text, MarkdownDialect::Robot),
        };
        let bubble = Bubble::Text { blocks: markdown::blocks(shown, dialect) };
        Self { viewer, bubble: only_in_wecom(bubble, viewer), hidden_bytes: text.len() - shown.len() }
    }

    fn of_markdown_v2(text: &str, viewer: Viewer) -> Self {
        let bubble = Bubble::Text { blocks: markdown::blocks(text, MarkdownDialect::V2) };
        Self { viewer, bubble: only_in_wecom(bubble, viewer), hidden_bytes: 0 }
    }

    fn of_textcard(card: &Value, viewer: Viewer) -> Self {
        let face = textcard::face(card);
        let bubble = match viewer {
            Viewer::Wecom => Bubble::Card(Box::new(face)),
            Viewer::Wechat => wechat::textcard(face),
        };
        Self { viewer, bubble, hidden_bytes: 0 }
    }

    fn of_card(card: &Value, viewer: Viewer) -> Self {
        let bubble = only_in_wecom(Bubble::Card(Box::new(card::face(card))), viewer);
        Self { viewer, bubble, hidden_bytes: 0 }
    }
}

/// The text as the relay sends it.
fn sent(text: &str, audience: Audience) -> Cow<'_, str> {
    match audience {
        Audience::Members => Cow::Borrowed(text),
        Audience::Group => without_mention_of_everybody(text),
    }
}

fn only_in_wecom(bubble: Bubble, viewer: Viewer) -> Bubble {
    match viewer {
        Viewer::Wecom => bubble,
        Viewer::Wechat => Bubble::Unsupported,
    }
}

fn separated(runs: Vec<Run>) -> Vec<Run> {
    let mut separated = Vec::with_capacity(runs.len() * 2);
    for run in runs {
        if !separated.is_empty() {
            separated.push(Run::plain(" "));
        }
        separated.push(run);
    }
    separated
}
