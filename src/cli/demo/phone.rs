//! A member's phone in the terminal.

use std::io::{self, IsTerminal};

use crate::text::{escape_controls, shorten_columns, width, wrap_columns};

/// About the width of a message on a phone: 20 Chinese characters.
const COLUMNS: usize = 40;

/// Draws a phone with the first `max_rows` rows of a message. It has a frame if standard output is a capable terminal.
pub(super) fn phone(owner: &str, message: &str, max_rows: usize) -> String {
    let message = without_links(&escape_controls(message.trim_end())).replace('\t', " ");
    let rows: Vec<&str> = message.lines().flat_map(|line| wrap_columns(line, COLUMNS)).collect();
    let mut shown: Vec<String> = rows.iter().take(max_rows).map(|row| (*row).to_owned()).collect();
    let more = rows.len().saturating_sub(max_rows);
    if more > 0 {
        shown.push(format!("… +{more}"));
    }
    let is_framed = io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    if is_framed { framed(owner, &shown) } else { plain(owner, &shown) }
}

/// Replaces each link by its words, because WeCom shows no addresses in a text.
fn without_links(message: &str) -> String {
    let mut words = String::new();
    let mut rest = message;
    while let Some((before, link)) = rest.split_once("<a href=\"") {
        words.push_str(before);
        rest = link.split_once("\">").map_or(link, |(_, after)| after);
    }
    words.push_str(rest);
    words.replace("</a>", "")
}

fn plain(owner: &str, rows: &[String]) -> String {
    let mut text = format!("  {owner}:");
    for row in rows {
        text.push('\n');
        text.push_str(format!("  | {row}").trim_end());
    }
    text
}

fn framed(owner: &str, rows: &[String]) -> String {
    let owner = shorten_columns(owner, COLUMNS - 2);
    let mut frame = format!("  ┌─ {owner} {}┐", "─".repeat(COLUMNS - 1 - width(&owner)));
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
    fn a_link_is_shown_by_its_words() {
        assert_eq!(without_links("a <a href=\"http://x/\">图表</a> | b"), "a 图表 | b");
    }

    #[test]
    fn a_plain_message_has_no_frame() {
        assert_eq!(plain("zhangsan", &rows()), "  zhangsan:\n  | 磁盘满\n  |\n  | a\u{301} ok");
    }
}
