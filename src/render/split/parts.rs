//! Splits a rendered text into numbered parts.

use super::{
    cut::Cutter,
    last_line::Rest,
    select::{Selection, alert_borders},
    spans::{Markup, Spans},
};
use crate::{
    render::rendered::Rendered,
    text::{shorten, shorten_chars},
    wecom::limits::MAX_CONTENT_BYTES,
};

/// The smallest part with room for any number, for tags that are closed and opened again, and for some text.
pub(super) const MIN_PART_BYTES: usize = 256;

/// Bounds the memory that a long text takes.
pub(super) const MAX_PARTS: usize = 1000;

/// The size and the number of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest part with its number; at least 256.
    pub part_bytes: usize,
    /// The maximum number of parts; at least 1.
    pub max_parts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { part_bytes: MAX_CONTENT_BYTES, max_parts: 5 }
    }
}

/// Splits `rendered` into parts that keep to `limits`. One part has no number.
pub fn parts(rendered: &Rendered, markup: Markup, limits: Limits, rest: Rest<'_>) -> Vec<String> {
    let limits = Limits {
        part_bytes: limits.part_bytes.max(MIN_PART_BYTES),
        max_parts: limits.max_parts.clamp(1, MAX_PARTS),
    };
    let between_alerts = |rendered: &Rendered| split_text(rendered, markup, limits, true);
    // Parts that are filled up may be few enough where parts that keep alerts whole are not.
    let anywhere = || split_text(rendered, markup, limits, false);
    if let Some(parts) = between_alerts(rendered).or_else(anywhere) {
        return parts;
    }
    let room = limits.part_bytes * limits.max_parts;
    let selection = Selection::new(rendered, markup, limits.part_bytes, rest);
    let parts = selection.best(room, between_alerts);
    parts.unwrap_or_else(|| vec![shorten(rendered.text(), limits.part_bytes).into_owned()])
}

/// `rendered` in at most `max_chars` characters, with a last line that counts the alerts that are not shown.
pub fn shortened(rendered: &Rendered, max_chars: usize, rest: Rest<'_>) -> String {
    let fits = |rendered: &Rendered| {
        let text = rendered.text();
        text.chars().nth(max_chars).is_none().then(|| text.to_owned())
    };
    let best = || Selection::new(rendered, Markup::Plain, max_chars, rest).best(max_chars * 4, fits);
    let shortest = || shorten_chars(rendered.text(), max_chars).into_owned();
    fits(rendered).or_else(best).unwrap_or_else(shortest)
}

/// The text in parts, or `None` if they are too many. Parts end between alerts if they `keep_alerts`.
fn split_text(rendered: &Rendered, markup: Markup, limits: Limits, keep_alerts: bool) -> Option<Vec<String>> {
    let text = rendered.text();
    if text.len() <= limits.part_bytes {
        return Some(vec![text.to_owned()]);
    }
    if limits.max_parts == 1 || text.len() > limits.part_bytes * limits.max_parts {
        return None;
    }
    let spans = Spans::read(text, markup);
    let borders = if keep_alerts { alert_borders(rendered) } else { Vec::new() };
    number(&Cutter { text, spans: &spans, borders: &borders }, limits)
}

/// The text in numbered parts, or `None` if they are too many.
fn number(cutter: &Cutter<'_>, limits: Limits) -> Option<Vec<String>> {
    // The room that a number takes depends on how many parts there are.
    let mut max_parts = 9;
    loop {
        let max = limits.max_parts.min(max_parts);
        if let Some(bodies) = cutter.pieces(body_room(limits.part_bytes, max), max) {
            let count = bodies.len();
            let numbered = bodies.iter().zip(1..).map(|(body, number)| format!("({number}/{count})\n{body}"));
            return Some(numbered.collect());
        }
        if max == limits.max_parts {
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
