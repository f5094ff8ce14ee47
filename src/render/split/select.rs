//! What is shown of a text that does not fit, alert by alert.

use std::ops::Range;

use super::{Limits, Markup, cut::Doc, markdown::Spans};
use crate::{
    render::{Rendered, functions::markdown_url},
    text::ELLIPSIS,
};

/// The least that is worth showing of something that is cut.
const MIN_PIECE_BYTES: usize = 64;

/// A stretch of the text, shown or left out as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    range: Range<usize>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What no alert tells: heading, link.
    Frame,
    Firing,
    Resolved,
}

/// The whole text in pieces. What separates two alerts of the same status belongs to the first of them.
fn pieces(rendered: &Rendered) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut from = 0;
    for alert in rendered.alert_texts() {
        let kind = if alert.resolved { Kind::Resolved } else { Kind::Firing };
        if from < alert.range.start {
            match pieces.last_mut() {
                Some(last) if last.kind == kind => last.range.end = alert.range.start,
                _ => pieces.push(Piece { range: from..alert.range.start, kind: Kind::Frame }),
            }
        }
        pieces.push(Piece { range: alert.range.clone(), kind });
        from = alert.range.end;
    }
    if from < rendered.text().len() {
        pieces.push(Piece { range: from..rendered.text().len(), kind: Kind::Frame });
    }
    pieces
}

/// Where the text is best cut: between alerts, and not between a block's heading and its first alert.
pub(super) fn borders(rendered: &Rendered) -> Vec<usize> {
    if rendered.alert_texts().is_empty() {
        return Vec::new();
    }
    let pieces = pieces(rendered);
    let heads =
        |before: usize| before > 0 && pieces.get(before).is_some_and(|before| before.kind == Kind::Frame);
    let starts = pieces.iter().enumerate().skip(1).filter(|(at, _)| !heads(at - 1));
    starts.map(|(_, piece)| piece.range.start).collect()
}

/// The text in about `total` bytes, with a last line that tells what is missing.
pub(super) fn shortened(
    rendered: &Rendered,
    markup: Markup,
    limits: Limits,
    link: &str,
    total: usize,
) -> Rendered {
    let text = rendered.text();
    let pieces = pieces(rendered);
    let tail = Tail { chinese: is_chinese(text), markup, alerts: rendered.alerts(), link };
    let room = total.saturating_sub(tail.longest(limits));
    let sizes = |kind: Kind| -> Vec<usize> {
        pieces.iter().filter(|piece| piece.kind == kind).map(|piece| piece.range.len()).collect()
    };
    let (firing, resolved, frame) = (sizes(Kind::Firing), sizes(Kind::Resolved), sizes(Kind::Frame));
    // Alerts are what people read for: what stands around them gets half at most.
    let most = if firing.is_empty() && resolved.is_empty() { room } else { room / 2 };
    let frame_cap = cap(&frame, most);
    let room = room.saturating_sub(frame.iter().map(|size| (*size).min(frame_cap)).sum());
    // What is over is worth a quarter beside what fires; what one does not need, the other gets.
    let all = |sizes: &[usize]| sizes.iter().sum::<usize>();
    let for_resolved = all(&resolved).min((room / 4).max(room.saturating_sub(all(&firing))));
    let part = limits.part_bytes / 2;
    let mut firing = Share::new(room - for_resolved, &firing, part);
    let mut resolved = Share::new(for_resolved, &resolved, part);

    let mut shown = String::new();
    let mut hidden = 0;
    for Piece { range, kind } in &pieces {
        let piece = text.get(range.clone()).unwrap_or_default();
        let most = match kind {
            Kind::Frame => Some(frame_cap),
            Kind::Firing => firing.take(piece.len()),
            Kind::Resolved => resolved.take(piece.len()),
        };
        match most {
            Some(most) => shown.push_str(&clipped(piece, most, markup)),
            None => hidden += 1,
        }
    }
    if !shown.ends_with('\n') {
        shown.push('\n');
    }
    shown.push_str(&tail.line(hidden, limits));
    Rendered::from(shown)
}

/// The room of the alerts of one status: the first ones get it.
struct Share {
    left: usize,
    /// The most of one alert.
    cap: usize,
    full: bool,
}

impl Share {
    fn new(room: usize, sizes: &[usize], part: usize) -> Self {
        // One that is long must not stand in place of many.
        let cap = if sizes.len() > 1 { part.min(room) } else { room };
        Self { left: room, cap, full: false }
    }

    /// How much is shown of the next alert; none when it is left out, as then are all that follow.
    fn take(&mut self, size: usize) -> Option<usize> {
        let shown = size.min(self.cap);
        self.full |= shown > self.left || (shown < size && shown < MIN_PIECE_BYTES);
        if self.full {
            return None;
        }
        self.left -= shown;
        Some(shown)
    }
}

/// The most that each of `sizes` may keep so that all together keep `room`.
fn cap(sizes: &[usize], room: usize) -> usize {
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    let mut left = room;
    for (size, others) in sizes.iter().zip((1..=sizes.len()).rev()) {
        if *size > left / others {
            return left / others;
        }
        left -= size;
    }
    usize::MAX
}

/// `text` in at most `most` bytes, visibly, with its last line break.
fn clipped(text: &str, most: usize, markup: Markup) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    if most < MIN_PIECE_BYTES {
        return String::new();
    }
    // A little more than is kept, so that what begins there is known for what it is.
    let seen =
        text.char_indices().map(|(at, _)| at).take_while(|at| *at <= 2 * most).last().unwrap_or_default();
    let seen = text.get(..seen).unwrap_or_default();
    let spans = match markup {
        Markup::Plain => Spans::of_plain(seen),
        Markup::Markdown => Spans::of_markdown(seen, true),
    };
    let room = most - ELLIPSIS.len() - 1;
    let mut kept = Doc { text: seen, spans: &spans, borders: &[] }.first(room);
    kept.push_str(ELLIPSIS);
    if text.ends_with('\n') {
        kept.push('\n');
    }
    kept
}

/// The last line of a text that was made shorter.
struct Tail<'a> {
    chinese: bool,
    markup: Markup,
    alerts: usize,
    link: &'a str,
}

impl Tail<'_> {
    fn longest(&self, limits: Limits) -> usize {
        1 + self.line(self.alerts, limits).len().max(self.line(0, limits).len())
    }

    /// What is not shown, and where it is; without the link only if that alone would fill half of a part.
    fn line(&self, hidden: usize, limits: Limits) -> String {
        let all = self.alerts;
        let told = match (hidden, self.chinese) {
            (0, true) => "部分内容未显示".to_owned(),
            (0, false) => "some of the text is not shown".to_owned(),
            (_, true) => format!("共 {all} 条告警，{hidden} 条未显示"),
            (1, false) => format!("1 of {all} alerts is not shown"),
            (_, false) => format!("{hidden} of {all} alerts are not shown"),
        };
        let linked = match self.markup {
            Markup::Plain if !self.link.is_empty() => {
                format!("{ELLIPSIS} {told}{} {}", if self.chinese { "：" } else { ":" }, self.link)
            }
            Markup::Markdown if !markdown_url(self.link).is_empty() => {
                format!("{ELLIPSIS} [{told}]({})", markdown_url(self.link))
            }
            _ => return format!("{ELLIPSIS} {told}"),
        };
        if linked.len() <= limits.part_bytes / 2 && !linked.contains('\n') {
            linked
        } else {
            format!("{ELLIPSIS} {told}")
        }
    }
}

/// Whether readers of `text` read Chinese: the line is in the language of the message.
fn is_chinese(text: &str) -> bool {
    text.chars().take(4096).any(|c| matches!(c, '\u{4E00}'..='\u{9FFF}'))
}
