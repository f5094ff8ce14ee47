//! Splits a rendered text into numbered parts.

use super::{
    cut::Cutter,
    select::{alert_borders, select},
    spans::{Markup, Spans},
};
use crate::{render::rendered::Rendered, text::shorten, wecom::limits::MAX_CONTENT_BYTES};

/// The smallest part with room for any number, for tags that are closed and opened again, and for some text.
pub(super) const MIN_PART_BYTES: usize = 256;

/// Bounds the memory that a long text takes.
pub(super) const MAX_PARTS: usize = 1000;

/// The number of tries to shorten a text further until its parts are few enough.
const SHORTENING_STEPS: usize = 16;

/// The size and the number of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest part with its number; at least 256.
    pub part_bytes: usize,
    /// The most parts; at least 1.
    pub max_parts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { part_bytes: MAX_CONTENT_BYTES, max_parts: 5 }
    }
}

/// Splits `rendered` into parts that keep to `limits`. One part has no number.
///
/// `link` is a URL that shows all alerts, or empty.
pub fn parts(rendered: &Rendered, markup: Markup, limits: Limits, link: &str) -> Vec<String> {
    let limits = Limits {
        part_bytes: limits.part_bytes.max(MIN_PART_BYTES),
        max_parts: limits.max_parts.clamp(1, MAX_PARTS),
    };
    if let Some(parts) = split_whole(rendered, markup, limits) {
        return parts;
    }
    // Parts end before they are full, so it is not known how much text fits. Try less and less.
    let all_room = body_room(limits.part_bytes, limits.max_parts) * limits.max_parts;
    for step in 0..SHORTENING_STEPS {
        let total_bytes = all_room - all_room / SHORTENING_STEPS * step;
        let selected = select(rendered, markup, limits.part_bytes, link, total_bytes);
        if let Some(parts) = split_whole(&selected, markup, limits) {
            return parts;
        }
    }
    vec![shorten(rendered.text(), limits.part_bytes).into_owned()]
}

/// The parts of the whole text, or `None` if they are too many.
fn split_whole(rendered: &Rendered, markup: Markup, limits: Limits) -> Option<Vec<String>> {
    let text = rendered.text();
    if text.len() <= limits.part_bytes {
        return Some(vec![text.to_owned()]);
    }
    if limits.max_parts == 1 || text.len() > limits.part_bytes * limits.max_parts {
        return None;
    }
    let spans = Spans::read(text, markup);
    let borders = alert_borders(rendered);
    let numbered = number(&Cutter { text, spans: &spans, borders: &borders }, limits);
    if numbered.is_some() || borders.is_empty() {
        return numbered;
    }
    // Parts that are filled up may be few enough where parts that keep alerts whole are not.
    number(&Cutter { text, spans: &spans, borders: &[] }, limits)
}

/// The text in numbered parts, or `None` if they are too many.
fn number(cutter: &Cutter<'_>, limits: Limits) -> Option<Vec<String>> {
    // The room that a number takes depends on how many parts there are.
    let mut max_parts = 9;
    loop {
        let most = limits.max_parts.min(max_parts);
        if let Some(bodies) = cutter.pieces(body_room(limits.part_bytes, most), most) {
            let count = bodies.len();
            let numbered = bodies.iter().zip(1..).map(|(body, number)| format!("({number}/{count})\n{body}"));
            return Some(numbered.collect());
        }
        if most == limits.max_parts {
            return None;
        }
        max_parts = max_parts * 10 + 9;
    }
}

/// The bytes of a part without its number, when there are up to `parts` of them.
fn body_room(part_bytes: usize, parts: usize) -> usize {
    if parts == 1 {
        return part_bytes;
    }
    let digits = parts.to_string().len();
    part_bytes - "(/)\n".len() - 2 * digits
}
