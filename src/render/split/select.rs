//! Chooses the pieces of a text to show when the text is too long for all its parts.
//!
//! The text is a row of pieces: alerts, and the frame around them (heading, link).
//!
//! 1. The frame gets at most half of the room, because people read a message for its alerts.
//! 2. Resolved alerts get a quarter of the rest, or more if firing ones do not need theirs.
//! 3. Of each status the first alerts are shown, and one long alert is shortened rather than shown alone.
//! 4. A last line counts the alerts that are missing and links to them.

use std::ops::Range;

use super::{
    cut::Cutter,
    spans::{Markup, Spans},
};
use crate::{
    render::{markdown, rendered::Rendered},
    text::{ELLIPSIS, prefix, slice},
};

/// The least bytes of a shortened piece. A shorter one would help nobody.
const MIN_PIECE_BYTES: usize = 64;

/// A stretch of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    range: Range<usize>,
    kind: PieceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PieceKind {
    Frame,
    Firing,
    Resolved,
}

/// The whole text as pieces. A separator between two alerts of one status belongs to the first of them.
fn pieces(rendered: &Rendered) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut end = 0;
    for alert in rendered.alert_ranges() {
        let kind = if alert.is_resolved { PieceKind::Resolved } else { PieceKind::Firing };
        let between = end..alert.range.start;
        if !between.is_empty() {
            match pieces.last_mut() {
                Some(last) if last.kind == kind => last.range.end = between.end,
                _ => pieces.push(Piece { range: between, kind: PieceKind::Frame }),
            }
        }
        pieces.push(Piece { range: alert.range.clone(), kind });
        end = alert.range.end;
    }
    if end < rendered.text().len() {
        pieces.push(Piece { range: end..rendered.text().len(), kind: PieceKind::Frame });
    }
    pieces
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
        let is_heading = index > 0 && before.kind == PieceKind::Frame;
        if !is_heading {
            borders.push(after.range.start);
        }
    }
    borders
}

/// The text in about `total_bytes` bytes, with a last line that counts the missing alerts.
pub(super) fn select(
    rendered: &Rendered,
    markup: Markup,
    part_bytes: usize,
    link: &str,
    total_bytes: usize,
) -> Rendered {
    let text = rendered.text();
    let pieces = pieces(rendered);
    let last_line = LastLine {
        is_chinese: is_chinese(text),
        markup,
        alerts: rendered.alerts(),
        link,
        max_link_bytes: part_bytes / 2,
    };
    let mut room = Room::new(&pieces, total_bytes.saturating_sub(last_line.max_bytes()), part_bytes / 2);

    let mut shown = String::new();
    let mut hidden_alerts = 0;
    for piece in &pieces {
        let piece_text = slice(text, piece.range.clone());
        match room.take(piece.kind, piece_text.len()) {
            Some(bytes) => shown.push_str(&shorten_piece(piece_text, bytes, markup)),
            None => hidden_alerts += 1,
        }
    }
    if !shown.ends_with('\n') {
        shown.push('\n');
    }
    shown.push_str(&last_line.text(hidden_alerts));
    Rendered::from(shown)
}

/// The room that is left for each kind of piece.
struct Room {
    /// The most bytes of one piece of the frame.
    frame_cap: usize,
    firing: AlertRoom,
    resolved: AlertRoom,
}

impl Room {
    /// Shares `total` bytes. An alert among others gets at most `max_alert_bytes`.
    fn new(pieces: &[Piece], total: usize, max_alert_bytes: usize) -> Self {
        let sizes = |kind: PieceKind| -> Vec<usize> {
            pieces.iter().filter(|piece| piece.kind == kind).map(|piece| piece.range.len()).collect()
        };
        let (firing, resolved, frame) =
            (sizes(PieceKind::Firing), sizes(PieceKind::Resolved), sizes(PieceKind::Frame));
        let has_alerts = !firing.is_empty() || !resolved.is_empty();
        let frame_cap = fair_cap(&frame, if has_alerts { total / 2 } else { total });
        let frame_bytes: usize = frame.iter().map(|size| (*size).min(frame_cap)).sum();
        let for_alerts = total.saturating_sub(frame_bytes);
        let firing_bytes: usize = firing.iter().sum();
        let resolved_bytes: usize = resolved.iter().sum();
        let not_needed_by_firing = for_alerts.saturating_sub(firing_bytes);
        let for_resolved = resolved_bytes.min(not_needed_by_firing.max(for_alerts / 4));
        Self {
            frame_cap,
            firing: AlertRoom::new(for_alerts - for_resolved, firing.len(), max_alert_bytes),
            resolved: AlertRoom::new(for_resolved, resolved.len(), max_alert_bytes),
        }
    }

    /// The bytes that are shown of the next piece, or `None` if it is left out.
    fn take(&mut self, kind: PieceKind, size: usize) -> Option<usize> {
        match kind {
            PieceKind::Frame => Some(self.frame_cap),
            PieceKind::Firing => self.firing.take(size),
            PieceKind::Resolved => self.resolved.take(size),
        }
    }
}

/// The room of the alerts of one status. The first alerts get it.
struct AlertRoom {
    left: usize,
    /// The most bytes of one alert.
    cap: usize,
    is_full: bool,
}

impl AlertRoom {
    fn new(room: usize, alerts: usize, max_alert_bytes: usize) -> Self {
        let cap = if alerts > 1 { max_alert_bytes.min(room) } else { room };
        Self { left: room, cap, is_full: false }
    }

    /// The bytes that are shown of the next alert. After one `None`, all later alerts are left out as well.
    fn take(&mut self, size: usize) -> Option<usize> {
        let shown = size.min(self.cap);
        let too_little = shown < size && shown < MIN_PIECE_BYTES;
        self.is_full |= too_little || shown > self.left;
        if self.is_full {
            return None;
        }
        self.left -= shown;
        Some(shown)
    }
}

/// The most bytes that each of `sizes` may keep so that all together fit in `room`.
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

/// The last line of a text that was shortened.
struct LastLine<'a> {
    is_chinese: bool,
    markup: Markup,
    /// All alerts of the notification.
    alerts: usize,
    link: &'a str,
    max_link_bytes: usize,
}

impl LastLine<'_> {
    /// The length of the longest line, with the line break before it.
    fn max_bytes(&self) -> usize {
        "\n".len() + self.text(self.alerts).len().max(self.text(0).len())
    }

    /// Says how many alerts are hidden, with the link unless it is too long.
    fn text(&self, hidden: usize) -> String {
        let words = self.words(hidden);
        match self.linked(&words) {
            Some(linked) if linked.len() <= self.max_link_bytes && !linked.contains('\n') => linked,
            _ => format!("{ELLIPSIS} {words}"),
        }
    }

    fn words(&self, hidden: usize) -> String {
        let all = self.alerts;
        match (hidden, self.is_chinese) {
            (0, true) => "部分内容未显示".to_owned(),
            (0, false) => "some of the text is not shown".to_owned(),
            (_, true) => format!("共 {all} 条告警，{hidden} 条未显示"),
            (1, false) => format!("1 of {all} alerts is not shown"),
            (_, false) => format!("{hidden} of {all} alerts are not shown"),
        }
    }

    fn linked(&self, words: &str) -> Option<String> {
        match self.markup {
            Markup::Plain => {
                let colon = if self.is_chinese { "：" } else { ":" };
                let link = self.link;
                (!link.is_empty()).then(|| format!("{ELLIPSIS} {words}{colon} {link}"))
            }
            Markup::Markdown => {
                let url = markdown::url(self.link);
                (!url.is_empty()).then(|| format!("{ELLIPSIS} [{words}]({url})"))
            }
        }
    }
}

/// The last line is in the language of the message.
fn is_chinese(text: &str) -> bool {
    const LOOKED_AT_CHARS: usize = 4096;
    text.chars().take(LOOKED_AT_CHARS).any(|c| matches!(c, '\u{4E00}'..='\u{9FFF}'))
}
