//! Long text in numbered parts, since WeCom shows 2,048 bytes of a message and cuts off the rest.
//!
//! Each part opens with a line of its own, `(1/3)`: at the end it would be read last, and within the first line it
//! would change a line that people search for. While the text fits in [`Limits::max_parts`] nothing is lost: the
//! parts without their numbers are the text, but for the one line break at a border, which the end of a message
//! stands for. A part ends with an alert where that can be, then with a line, then a space, then a character.
//!
//! What does not fit is left out by whole alerts, so that of firing and of resolved ones the first are shown, and
//! a last line counts what is missing and links to it. Cutting the text off at its end was rejected: there stand
//! the link and, in a mixed group, all that is resolved.
//!
//! In markdown, links and tags stay whole, and what is open where a part ends is closed there and opened again.

mod cut;
mod markdown;
mod select;

use self::{cut::Doc, markdown::Spans};
use super::Rendered;
use crate::{text::shorten, wecom::limits::MAX_CONTENT_BYTES};

/// The smallest part that has room for any number, for what markdown closes and opens, and for some text.
const MIN_PART_BYTES: usize = 256;

/// The most parts, whatever is asked for: what is split is held in memory.
const MOST_PARTS: usize = 1000;

/// How text is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest part with its number; less than 256 is taken as 256.
    pub part_bytes: usize,
    /// The most parts; none is taken as one.
    pub max_parts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { part_bytes: MAX_CONTENT_BYTES, max_parts: 5 }
    }
}

/// What the text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// Text; `<a href="">` is kept whole.
    Plain,
    /// WeCom's subset of markdown.
    Markdown,
}

/// `rendered` in parts that keep to `limits`; whole and without a number when it fits in one. `link` is where all
/// alerts can be seen; empty when there is no such place.
pub fn parts(rendered: &Rendered, markup: Markup, limits: Limits, link: &str) -> Vec<String> {
    let text = rendered.text();
    let limits = Limits {
        part_bytes: limits.part_bytes.max(MIN_PART_BYTES),
        max_parts: limits.max_parts.clamp(1, MOST_PARTS),
    };
    if text.len() <= limits.part_bytes {
        return vec![text.to_owned()];
    }
    whole(rendered, markup, limits).unwrap_or_else(|| {
        // The rooms of all parts; what does not fill its part costs room, so that less may fit.
        let total = room(limits.part_bytes, limits.max_parts) * limits.max_parts;
        let tries = (0..STEPS).map(|step| total - total / STEPS * step);
        let shorter = |total| {
            let text = select::shortened(rendered, markup, limits, link, total);
            whole(&text, markup, limits)
        };
        let mut parts = tries.map(shorter).find(Option::is_some).flatten().unwrap_or_default();
        if parts.is_empty() {
            parts.push(shorten(text, limits.part_bytes).into_owned());
        }
        parts
    })
}

/// How often a text is made shorter until its parts are few enough.
const STEPS: usize = 16;

/// The bytes of a part without its number, when there are `parts` of them.
fn room(part_bytes: usize, parts: usize) -> usize {
    if parts == 1 { part_bytes } else { part_bytes - "(/)\n".len() - 2 * parts.to_string().len() }
}

/// All of the text, if the parts are not too many.
fn whole(rendered: &Rendered, markup: Markup, limits: Limits) -> Option<Vec<String>> {
    let text = rendered.text();
    if text.len() <= limits.part_bytes {
        return Some(vec![text.to_owned()]);
    }
    if limits.max_parts == 1 || text.len() > limits.part_bytes * limits.max_parts {
        return None;
    }
    let spans = match markup {
        Markup::Plain => Spans::of_plain(text),
        Markup::Markdown => Spans::of_markdown(text, false),
    };
    // With alerts kept whole, else filled up.
    let borders = select::borders(rendered);
    let mut ways = [borders.as_slice(), &[]].into_iter().take(if borders.is_empty() { 1 } else { 2 });
    ways.find_map(|borders| {
        // The numbers take room, and how much depends on how many parts there are.
        (1..=limits.max_parts.to_string().len()).find_map(|digits| {
            let most = limits.max_parts.min(10_usize.pow(u32::try_from(digits).unwrap_or(u32::MAX)) - 1);
            let bodies = Doc { text, spans: &spans, borders }.bodies(room(limits.part_bytes, most), most)?;
            let parts = bodies.len();
            Some(bodies.iter().zip(1..).map(|(body, number)| format!("({number}/{parts})\n{body}")).collect())
        })
    })
}

#[cfg(test)]
mod tests;
