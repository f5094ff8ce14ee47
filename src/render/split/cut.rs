//! Cuts a text into pieces at the best offsets.
//!
//! All offsets count bytes from the beginning of the whole text, and each lies between two characters.

use super::spans::Spans;
use crate::text::{cluster_ends, slice, slice_from};

/// A text to cut.
pub(super) struct Cutter<'a> {
    pub(super) text: &'a str,
    pub(super) spans: &'a Spans,
    /// The offsets between alerts, in ascending order.
    pub(super) borders: &'a [usize],
}

impl Cutter<'_> {
    /// The text in at most `max_pieces` pieces of at most `max_bytes` bytes, or `None` if that is not enough.
    ///
    /// A line break after a piece is left out.
    pub(super) fn pieces(&self, max_bytes: usize, max_pieces: usize) -> Option<Vec<String>> {
        let mut pieces = Vec::new();
        let mut start = 0;
        while start < self.text.len() {
            if pieces.len() == max_pieces {
                return None;
            }
            let mut piece = self.spans.tags_to_reopen(self.text, start);
            let room = max_bytes.saturating_sub(piece.len());
            let rest = slice_from(self.text, start);
            if rest.len() <= room {
                piece.push_str(rest);
                pieces.push(piece);
                break;
            }
            let end = self.end_of_piece(start, room);
            piece.push_str(slice(self.text, start..end));
            piece.push_str(&self.spans.tags_to_close(end));
            pieces.push(piece);
            start = end + usize::from(self.is_line_end(end));
        }
        Some(pieces)
    }

    /// The beginning of a text that is longer than `max_bytes`, cut to at most `max_bytes`.
    pub(super) fn first_piece(&self, max_bytes: usize) -> String {
        let end = self.end_of_piece(0, max_bytes);
        slice(self.text, 0..end).to_owned() + &self.spans.tags_to_close(end)
    }

    /// The best end of the piece from `start` on. More than `room` bytes are left from there.
    fn end_of_piece(&self, start: usize, room: usize) -> usize {
        let window = Window { cutter: self, start, room };
        if let Some(end) = window.after_alert().or_else(|| window.after_line()) {
            return end;
        }
        let cluster_ends: Vec<usize> =
            cluster_ends(slice_from(self.text, start), room).map(|end| start + end).collect();
        let end = window.after_space(&cluster_ends).or_else(|| window.after_cluster(&cluster_ends));
        end.or_else(|| window.after_character()).unwrap_or(self.text.len())
    }

    fn is_line_end(&self, at: usize) -> bool {
        slice_from(self.text, at).starts_with('\n')
    }
}

/// The part of a text from which a piece is cut.
struct Window<'a> {
    cutter: &'a Cutter<'a>,
    start: usize,
    room: usize,
}

impl Window<'_> {
    /// True if a piece that ends at `end` fits, with the tags that it must close.
    fn fits(&self, end: usize) -> bool {
        end - self.start + self.cutter.spans.tags_to_close(end).len() <= self.room
    }

    fn may_end(&self, end: usize) -> bool {
        !self.cutter.spans.is_inside_unbreakable(end) && self.fits(end)
    }

    fn is_past_half(&self, end: usize) -> bool {
        end - self.start > self.room / 2
    }

    /// The ends of the characters within the room, the last one first.
    fn character_ends(&self) -> impl Iterator<Item = usize> {
        let last = self.cutter.text.len().min(self.start + self.room);
        (self.start + 1..=last).rev().filter(|end| self.cutter.text.is_char_boundary(*end))
    }

    /// The last border between alerts, if most of the piece is filled or the next alert fits in a piece.
    fn after_alert(&self) -> Option<usize> {
        let Cutter { text, borders, .. } = self.cutter;
        let next = borders.partition_point(|border| *border <= self.start + self.room);
        let last = *borders.get(next.checked_sub(1)?)?;
        let following = borders.get(next).copied().unwrap_or(text.len());
        // The line break before the border separates the pieces and is left out.
        let line_break = usize::from(slice(text, 0..last).ends_with('\n'));
        let end = last - line_break;
        let is_useful = end > self.start && (self.is_past_half(end) || following - last <= self.room);
        (is_useful && self.may_end(end)).then_some(end)
    }

    /// The last line break, if most of the piece is filled or the next line fits in a piece.
    fn after_line(&self) -> Option<usize> {
        let is_line_end = |end: &usize| self.cutter.is_line_end(*end) && self.may_end(*end);
        // A heading belongs to the line below it.
        let is_heading = |end: usize| slice(self.cutter.text, self.start..end).ends_with([':', '：']);
        let mut ends = self.character_ends().filter(is_line_end);
        let last = ends.next()?;
        let before_heading = ends.find(|end| !is_heading(*end)).filter(|end| self.is_past_half(*end));
        let end = if is_heading(last) { before_heading.unwrap_or(last) } else { last };
        let next_line = slice_from(self.cutter.text, end + 1).split('\n').next();
        let next_line_fits = next_line.is_none_or(|line| line.len() <= self.room);
        (self.is_past_half(end) || next_line_fits).then_some(end)
    }

    /// The last space in the second half.
    fn after_space(&self, cluster_ends: &[usize]) -> Option<usize> {
        let second_half = cluster_ends.iter().rev().copied().take_while(|end| self.is_past_half(*end));
        let after_space = |end: &usize| {
            slice(self.cutter.text, self.start..*end).ends_with(char::is_whitespace) && self.may_end(*end)
        };
        second_half.into_iter().find(after_space)
    }

    fn after_cluster(&self, cluster_ends: &[usize]) -> Option<usize> {
        cluster_ends.iter().rev().copied().find(|end| self.may_end(*end))
    }

    /// The last character, even within a cluster or a link that is longer than a piece.
    fn after_character(&self) -> Option<usize> {
        self.character_ends().find(|end| self.fits(*end)).or_else(|| self.character_ends().next())
    }
}
