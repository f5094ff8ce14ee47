//! Text for a terminal: columns, clipping, and nothing in it that could steer the terminal.

use std::fmt::Write;

use jiff::Timestamp;

use crate::render::is_bidi_control;

/// `text` without characters that steer a terminal or turn the direction of a line: alerts bring what they like, and
/// an escape sequence must not be obeyed.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_bidi_control(c) { '\u{FFFD}' } else { c }).collect()
}

/// How many columns of a terminal `text` takes; characters of East Asian scripts and emoji take two.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FE30}'..='\u{FE6F}' | '\u{FF00}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}' | '\u{1F300}'..='\u{1FAFF}'
        | '\u{20000}'..='\u{3FFFD}')
}

/// As much of `text` as fits into `columns`; an ellipsis stands for the rest.
pub(super) fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut clipped = String::new();
    let mut room = columns.saturating_sub(1);
    for c in text.chars() {
        let takes = if is_wide(c) { 2 } else { 1 };
        if takes > room {
            break;
        }
        room -= takes;
        clipped.push(c);
    }
    clipped + "…"
}

/// How long ago `then` was, in its largest unit.
pub(super) fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Columns that only grow, so that a table can be written while it is read.
#[derive(Debug)]
pub(super) struct Columns<const N: usize>([usize; N]);

impl<const N: usize> Default for Columns<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Columns<N> {
    /// Makes room for `row`.
    pub(super) fn widen(&mut self, row: &[String; N]) {
        for (column, cell) in self.0.iter_mut().zip(row) {
            *column = width(cell).max(*column);
        }
    }

    /// `row` in its columns; `rest` follows without one.
    pub(super) fn line(&self, row: &[String; N], rest: &str) -> String {
        let mut line = String::new();
        for (column, cell) in self.0.iter().zip(row) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell}{:1$}  ", "", column.saturating_sub(width(cell)));
        }
        line.push_str(rest);
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_clipped_ends_visibly_and_fits() {
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("abcd", 3), "ab…");
        assert_eq!(clip("磁盘已满", 6), "磁盘…");
    }

    #[test]
    fn an_escape_sequence_is_shown_and_not_obeyed() {
        assert_eq!(plain("a\u{1b}[2Jb\n"), "a\u{FFFD}[2Jb\u{FFFD}");
    }

    #[test]
    fn a_line_is_not_turned_around() {
        assert_eq!(plain("a\u{202E}b\u{2066}c\u{61C}"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}");
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let mut columns = Columns::default();
        let rows = [["值班".to_owned(), "1".to_owned()], ["oncall".to_owned(), "22".to_owned()]];
        rows.iter().for_each(|row| columns.widen(row));
        let lines = rows.each_ref().map(|row| columns.line(row, "x"));
        assert_eq!(lines, ["值班    1   x", "oncall  22  x"]);
    }

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        let then: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let told = |seconds| age(then + jiff::SignedDuration::from_secs(seconds), then);
        assert_eq!([-5, 59, 60, 7199, 172_800].map(told), ["0s", "59s", "1m", "1h", "2d"]);
    }
}
