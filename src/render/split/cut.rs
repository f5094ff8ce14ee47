//! Where a text may end, and a text cut there.

use super::markdown::Spans;

/// A text that is cut into pieces.
pub(super) struct Doc<'a> {
    pub(super) text: &'a str,
    pub(super) spans: &'a Spans,
    /// Where it is best cut, in the text's order.
    pub(super) borders: &'a [usize],
}

impl Doc<'_> {
    /// The text in at most `most` pieces of at most `room` bytes; none when that is not enough.
    pub(super) fn bodies(&self, room: usize, most: usize) -> Option<Vec<String>> {
        let mut bodies = Vec::new();
        let mut start = 0;
        while let Some(rest) = self.text.get(start..).filter(|rest| !rest.is_empty()) {
            if bodies.len() == most {
                return None;
            }
            let mut body = self.spans.opened(self.text, start);
            let left = room.saturating_sub(body.len());
            if rest.len() <= left {
                body.push_str(rest);
                bodies.push(body);
                break;
            }
            let end = self.end(start, left);
            let (piece, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            body.push_str(piece);
            body.push_str(&self.spans.closed(start + end));
            bodies.push(body);
            start += end + usize::from(after.starts_with('\n'));
        }
        Some(bodies)
    }

    /// The beginning of a text that is longer than `room`, in at most so many bytes.
    pub(super) fn first(&self, room: usize) -> String {
        let end = self.end(0, room);
        let mut first = self.text.get(..end).unwrap_or_default().to_owned();
        first.push_str(&self.spans.closed(end));
        first
    }

    /// The length of the first piece from `start` on, where more than `room` bytes are left.
    fn end(&self, start: usize, room: usize) -> usize {
        let text = self.text.get(start..).unwrap_or_default();
        let fits = |end: usize| end + self.spans.closed(start + end).len() <= room;
        let may_end = |end: usize| !self.spans.keeps(start + end) && fits(end);
        let ends = || (1..=room.min(text.len())).rev().filter(|end| text.is_char_boundary(*end));
        let whole = |end: &usize| !parts_a_cluster(text, *end) && may_end(*end);
        if let Some(end) = self.border(start, room).filter(|end| may_end(*end)) {
            return end;
        }
        let line = ends().find(|end| starts_at(text, *end, |c| c == '\n') && may_end(*end));
        if let Some(end) = line.filter(|end| *end > room / 2 || next_line_fits(text, *end, room)) {
            return end;
        }
        let after_space = |end: &usize| {
            *end > room / 2 && text.get(..*end).is_some_and(|body| body.ends_with(char::is_whitespace))
        };
        let space = ends().filter(after_space).find(whole);
        let end = space.or_else(|| ends().find(whole)).or_else(|| ends().find(|end| fits(*end)));
        end.or_else(|| ends().next()).unwrap_or(text.len())
    }

    /// The last border within `room` that is of use: what follows it fits in a piece, or most of this one is full.
    fn border(&self, start: usize, room: usize) -> Option<usize> {
        let next = self.borders.partition_point(|border| *border <= start + room);
        let last = *self.borders.get(next.checked_sub(1)?)?;
        let after = self.borders.get(next).copied().unwrap_or(self.text.len());
        // The line break before the border is where the piece ends, and is left out.
        let ends_line = self.text.get(..last).is_some_and(|before| before.ends_with('\n'));
        let end = last.checked_sub(start)?.checked_sub(usize::from(ends_line)).filter(|end| *end > 0)?;
        (end > room / 2 || after - last <= room).then_some(end)
    }
}

/// Whether the line that begins after the break at `end` fits in a part, so that ending before it is of use.
fn next_line_fits(text: &str, end: usize, room: usize) -> bool {
    let line = text.get(end + 1..).and_then(|rest| rest.split('\n').next());
    line.is_none_or(|line| line.len() <= room)
}

fn starts_at(text: &str, at: usize, is: impl Fn(char) -> bool) -> bool {
    text.get(at..).and_then(|rest| rest.chars().next()).is_some_and(is)
}

/// Whether `at` lies inside of what is seen as one character. The common cases, without Unicode's tables.
pub(super) fn parts_a_cluster(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let (Some(last), Some(next)) =
        (before.chars().next_back(), text.get(at..).and_then(|rest| rest.chars().next()))
    else {
        return false;
    };
    let flag = |c: char| matches!(c, '\u{1F1E6}'..='\u{1F1FF}');
    // A longer row of flags than this is no text, and may be cut anywhere.
    let odd_flags = || before.chars().rev().take(64).take_while(|c| flag(*c)).count() % 2 == 1;
    extends(next) || last == '\u{200D}' || (last, next) == ('\r', '\n') || (flag(next) && odd_flags())
}

/// Whether `c` is drawn as one with the character before it.
fn extends(c: char) -> bool {
    matches!(
        c,
        '\u{0300}'..='\u{036F}'
            | '\u{0483}'..='\u{0489}'
            | '\u{0591}'..='\u{05BD}'
            | '\u{064B}'..='\u{065F}'
            | '\u{0900}'..='\u{0903}'
            | '\u{093A}'..='\u{094F}'
            | '\u{0E31}'
            | '\u{0E34}'..='\u{0E3A}'
            | '\u{0E47}'..='\u{0E4E}'
            | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
            | '\u{200D}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{302A}'..='\u{302F}'
            | '\u{3099}'..='\u{309A}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FE20}'..='\u{FE2F}'
            | '\u{1F3FB}'..='\u{1F3FF}'
            | '\u{E0020}'..='\u{E007F}'
            | '\u{E0100}'..='\u{E01EF}'
    )
}
