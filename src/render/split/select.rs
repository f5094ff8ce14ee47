//! Chooses the pieces of a text to show when the text is too long for all its parts.
//!
//! The text is a row of pieces: alerts, and the frame around them (heading, link).
//!
//! 1. The frame gets at most half of the room, because people read a message for its alerts.
//! 2. Firing alerts are shown before resolved ones, and those with the worst severity first. The shown alerts keep the
//!    order of the text.
//! 3. Of several alerts, a long one is shortened to half a part, so that it does not hide others.
//! 4. A last line counts the alerts that are missing and links to all alerts.

use std::ops::Range;

use super::{
    cut::Cutter,
    last_line::{LastLine, Rest},
    spans::{Markup, Spans},
};
use crate::{
    render::rendered::{AlertKind, AlertRange, Rendered},
    text::{ELLIPSIS, prefix, slice},
};

/// The least bytes of a shortened piece. A shorter one would help nobody.
const MIN_PIECE_BYTES: usize = 64;

/// The maximum number of bytes of the number of a part, with its line break.
const NUMBER_BYTES: usize = 24;

/// A stretch of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    range: Range<usize>,
    /// `None` is a piece of the frame.
    alert: Option<AlertKind>,
}

/// The whole text as pieces. A separator between two alerts of one status belongs to the first of them.
fn pieces(rendered: &Rendered) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut end = 0;
    for alert in rendered.alert_ranges() {
        let between = end..alert.range.start;
        if !between.is_empty() {
            match pieces.last_mut() {
                Some(last) if last.alert.is_some_and(|kind| have_one_status(kind, alert.kind)) => {
                    last.range.end = between.end;
                }
                _ => pieces.push(Piece { range: between, alert: None }),
            }
        }
        pieces.push(Piece { range: alert.range.clone(), alert: Some(alert.kind) });
        end = alert.range.end;
    }
    if end < rendered.text().len() {
        pieces.push(Piece { range: end..rendered.text().len(), alert: None });
    }
    pieces
}

fn have_one_status(a: AlertKind, b: AlertKind) -> bool {
    (a == AlertKind::Resolved) == (b == AlertKind::Resolved)
}

/// The offsets at which the text is best cut: between alerts, but not between a heading and its first alert.
pub(super) fn alert_borders(rendered: &Rendered) -> Vec<usize> {
    if rendered.alerts() == 0 {
        return Vec::new();
    }
    let pieces = pieces(rendered);
    let mut borders = Vec::new();
    for (index, pair) in pieces.windows(2).enumerate() {
        let [before, after] = pair else { continue };
        if before.alert.is_some() {
            borders.push(after.range.start);
        } else if index == 0 {
            borders.push(before_heading(rendered.text(), after.range.start));
        }
    }
    borders
}

/// The offset before the line that ends at `end` if it is a heading, else `end`.
fn before_heading(text: &str, end: usize) -> usize {
    let before = prefix(text, end).trim_end();
    if !before.ends_with([':', '：']) {
        return end;
    }
    before.rfind('\n').map_or(end, |line_break| line_break + 1)
}

/// A text of which not everything can be shown.
pub(super) struct Selection<'a> {
    text: &'a str,
    markup: Markup,
    pieces: Vec<Piece>,
    /// The indices in `pieces` of the alerts, the most important first.
    alerts: Vec<usize>,
    last_line: LastLine<'a>,
    part_bytes: usize,
}

/// The maximum number of bytes of one piece.
#[derive(Clone, Copy)]
struct Caps {
    frame: usize,
    alert: usize,
}

impl<'a> Selection<'a> {
    pub(super) fn new(rendered: &'a Rendered, markup: Markup, part_bytes: usize, rest: Rest<'a>) -> Self {
        let pieces = pieces(rendered);
        let mut alerts: Vec<(AlertKind, usize)> = Vec::with_capacity(rendered.alerts());
        for (index, piece) in pieces.iter().enumerate() {
            alerts.extend(piece.alert.map(|kind| (kind, index)));
        }
        alerts.sort_unstable();
        Self {
            text: rendered.text(),
            markup,
            alerts: alerts.into_iter().map(|(_, index)| index).collect(),
            last_line: LastLine { rest, markup, alerts: rendered.alerts(), max_link_bytes: part_bytes / 2 },
            pieces,
            part_bytes,
        }
    }

    /// The selection that shows the most and for which `fits` has a result. `room` bytes are about what fits.
    pub(super) fn best<T>(&self, room: usize, mut fits: impl FnMut(&Rendered) -> Option<T>) -> Option<T> {
        if self.alerts.is_empty() {
            return largest(room, |frame| fits(&self.with(0, Caps { frame, alert: 0 })));
        }
        let frames: Vec<usize> =
            self.pieces.iter().filter(|piece| piece.alert.is_none()).map(|piece| piece.range.len()).collect();
        let mut frame_room = room / 2;
        loop {
            let frame = fair_cap(&frames, frame_room);
            if let Some(best) = self.best_alerts(room, frame, &mut fits) {
                return Some(best);
            }
            if frame_room == 0 {
                return None;
            }
            frame_room /= 2;
        }
    }

    fn best_alerts<T>(
        &self,
        room: usize,
        frame: usize,
        fits: &mut impl FnMut(&Rendered) -> Option<T>,
    ) -> Option<T> {
        let count = self.alerts.len();
        let half_part = self.part_bytes.saturating_sub(NUMBER_BYTES) / 2;
        let shares_parts = count > 1 && fits(&self.with(count, Caps { frame, alert: half_part })).is_none();
        if shares_parts {
            return largest(count, |shown| fits(&self.with(shown, Caps { frame, alert: half_part })));
        }
        largest(room, |alert| fits(&self.with(count, Caps { frame, alert })))
    }

    /// The text with the `shown` most important alerts, and with a last line that counts the others.
    fn with(&self, shown: usize, caps: Caps) -> Rendered {
        let mut is_shown = vec![false; self.pieces.len()];
        let (shown_alerts, hidden_alerts) = self.alerts.split_at(shown.min(self.alerts.len()));
        for index in shown_alerts {
            if let Some(is_shown) = is_shown.get_mut(*index) {
                *is_shown = true;
            }
        }
        let mut text = String::new();
        let mut alerts = Vec::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            let piece_text = slice(self.text, piece.range.clone());
            match piece.alert {
                None if self.is_heading_of_nothing(index, &is_shown) => {}
                None => text.push_str(&shorten_piece(piece_text, caps.frame, self.markup)),
                Some(kind) if is_shown.get(index) == Some(&true) => {
                    let start = text.len();
                    text.push_str(&shorten_piece(piece_text, caps.alert, self.markup));
                    alerts.push(AlertRange { range: start..text.len(), kind });
                }
                Some(_) => {}
            }
        }
        if !text.ends_with('\n') && !text.ends_with("<br>") {
            text.push('\n');
        }
        let hidden = hidden_alerts.iter().filter_map(|index| self.pieces.get(*index)?.alert);
        text.push_str(&self.last_line.text(hidden));
        Rendered::new(text, alerts)
    }

    /// True if the piece is a heading within the text, and none of its alerts is shown.
    fn is_heading_of_nothing(&self, index: usize, is_shown: &[bool]) -> bool {
        let following = self.pieces.iter().zip(is_shown).skip(index + 1);
        let mut alerts = following.take_while(|(piece, _)| piece.alert.is_some()).peekable();
        index > 0 && alerts.peek().is_some() && alerts.all(|(_, is_shown)| !is_shown)
    }
}

/// The result of `fits` for the largest number up to `max` that has one. Smaller numbers fit more easily.
fn largest<T>(max: usize, mut fits: impl FnMut(usize) -> Option<T>) -> Option<T> {
    let mut best = None;
    let (mut low, mut high) = (0, max);
    while low <= high {
        let middle = low.midpoint(high);
        match fits(middle) {
            Some(result) => {
                best = Some(result);
                low = middle + 1;
            }
            None if middle == 0 => break,
            None => high = middle - 1,
        }
    }
    best
}

/// The maximum number of bytes that each of `sizes` may keep so that all together fit in `room`.
fn fair_cap(sizes: &[usize], room: usize) -> usize {
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    let mut left = room;
    // Small sizes come first, because larger ones share the room that they do not need.
    for (index, size) in sizes.iter().enumerate() {
        let share = left / (sizes.len() - index);
        if *size > share {
            return share;
        }
        left -= size;
    }
    usize::MAX
}

/// `piece` in at most `max_bytes` bytes with an ellipsis. The line break at its end is kept.
fn shorten_piece(piece: &str, max_bytes: usize, markup: Markup) -> String {
    if piece.len() <= max_bytes {
        return piece.to_owned();
    }
    if max_bytes < MIN_PIECE_BYTES {
        return String::new();
    }
    // A little more text than is kept is read, because a link across the cut must be recognized.
    let seen = prefix(piece, 2 * max_bytes);
    let spans = Spans::read_beginning(seen, markup);
    let room = max_bytes - ELLIPSIS.len() - "\n".len();
    let mut kept = Cutter { text: seen, spans: &spans, borders: &[] }.first_piece(room);
    kept.push_str(ELLIPSIS);
    if piece.ends_with('\n') {
        kept.push('\n');
    }
    kept
}
