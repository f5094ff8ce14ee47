//! A phone in the terminal.

use std::io::{self, IsTerminal};

use crate::{
    language::Language,
    text::{shorten_columns, width},
    wecom::look::{Appearance, rows},
};

/// About the width of a message on a phone: 20 Chinese characters.
const COLUMNS: usize = 40;

/// Draws a phone with the first `max_rows` rows of a message. It has a frame if standard output is a capable terminal.
pub(super) fn phone(title: &str, message: &Appearance, language: Language, max_rows: usize) -> String {
    let mut rows = rows(message, COLUMNS, language);
    while rows.last().is_some_and(|row| row.trim().is_empty()) {
        rows.pop();
    }
    let more = rows.len().saturating_sub(max_rows);
    if more > 0 {
        rows.truncate(max_rows);
        rows.push(format!("… +{more}"));
    }
    let is_framed = io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    if is_framed { framed(title, &rows) } else { plain(title, &rows) }
}

fn plain(title: &str, rows: &[String]) -> String {
    let mut text = format!("  {title}:");
    for row in rows {
        text.push('\n');
        text.push_str(format!("  | {row}").trim_end());
    }
    text
}

fn framed(title: &str, rows: &[String]) -> String {
    let title = shorten_columns(title, COLUMNS - 2);
    let mut frame = format!("  ┌─ {title} {}┐", "─".repeat(COLUMNS - 1 - width(&title)));
    for row in rows {
        // A cluster may be wider than the frame.
        let rest = COLUMNS.saturating_sub(width(row));
        frame.push_str(&format!("\n  │ {row}{} │", " ".repeat(rest)));
    }
    frame + &format!("\n  └{}┘", "─".repeat(COLUMNS + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<String> {
        ["磁盘满", "", "a\u{301} ok"].map(str::to_owned).into()
    }

    #[test]
    fn the_frame_counts_columns() {
        let frame = framed("张三 zhangsan", &rows());
        assert!(frame.lines().all(|line| width(line) == COLUMNS + 6), "{frame}");
    }

    #[test]
    fn a_plain_message_has_no_frame() {
        assert_eq!(plain("zhangsan", &rows()), "  zhangsan:\n  | 磁盘满\n  |\n  | a\u{301} ok");
    }
}
