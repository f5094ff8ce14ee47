//! A `textcard`: a title, a description with coloured lines, and words at the bottom. The whole card is one link.

use serde_json::Value;

use super::{
    card::field,
    link,
    plain_text::attribute,
    tree::{CardFace, Run, RunStyle, TextBlock, TextColour},
};
use crate::text::{slice, slice_from};

/// WeCom's own words for the button.
const DEFAULT_BUTTON: &str = "详情";

pub(super) fn face(card: &Value) -> CardFace {
    let button = match field(card, "btntxt") {
        "" => DEFAULT_BUTTON,
        button => button,
    };
    CardFace {
        title: field(card, "title").to_owned(),
        description: description(field(card, "description")),
        button: button.to_owned(),
        link: Some(link::target(field(card, "url"))),
        ..CardFace::default()
    }
}

enum Tag {
    /// `<div class="…">`
    Open(Option<TextColour>),
    /// `</div>`
    Close,
    /// `<br>`
    Break,
}

/// The lines of a description. Every other tag is text.
fn description(text: &str) -> Vec<TextBlock> {
    let mut lines = Lines::default();
    let (mut start, mut at) = (0, 0);
    while let Some(found) = slice_from(text, at).find(['<', '\n']) {
        let here = at + found;
        let rest = slice_from(text, here);
        let special = if rest.starts_with('\n') { Some((Tag::Break, 1)) } else { tag(rest) };
        let Some((tag, length)) = special else {
            at = here + 1;
            continue;
        };
        lines.text(slice(text, start..here));
        match tag {
            Tag::Break => lines.end(),
            Tag::Open(colour) => {
                lines.end_if_begun();
                lines.colour = colour;
            }
            Tag::Close => {
                lines.end_if_begun();
                lines.colour = None;
            }
        }
        at = here + length;
        start = at;
    }
    lines.text(slice_from(text, start));
    lines.end_if_begun();
    lines.blocks
}

#[derive(Default)]
struct Lines {
    blocks: Vec<TextBlock>,
    runs: Vec<Run>,
    colour: Option<TextColour>,
}

impl Lines {
    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            let style = RunStyle { colour: self.colour, ..RunStyle::default() };
            self.runs.push(Run { style, ..Run::plain(text) });
        }
    }

    fn end(&mut self) {
        let runs = std::mem::take(&mut self.runs);
        self.blocks.push(TextBlock::Line { runs });
    }

    fn end_if_begun(&mut self) {
        if !self.runs.is_empty() {
            self.end();
        }
    }
}

/// The tag with which `text` begins, and its length.
fn tag(text: &str) -> Option<(Tag, usize)> {
    const MAX_TAG_BYTES: usize = 64;
    let end = text.bytes().take(MAX_TAG_BYTES).position(|byte| byte == b'>')?;
    let source = slice(text, 0..end + 1);
    let tag = match source {
        "</div>" => Tag::Close,
        "<br>" | "<br/>" | "<br />" => Tag::Break,
        _ if source.starts_with("<div ") || source == "<div>" => {
            Tag::Open(match attribute(source, "class") {
                Some("gray") => Some(TextColour::Gray),
                Some("highlight") => Some(TextColour::Highlight),
                _ => None,
            })
        }
        _ => return None,
    };
    Some((tag, source.len()))
}
