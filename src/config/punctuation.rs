//! Characters that break YAML or mean something else in it: tabs, full-width marks, and templates without quotes.

use super::diagnostic::{Diagnostics, Location, Position};
use crate::yaml::{Node, Value};

const FULL_WIDTH_QUOTES: [char; 6] = ['“', '”', '‘', '’', '＂', '＇'];
const QUOTE_HELP: &str =
    "write half-width quotes, as in \"text\"; for a text that begins with such a quote, write '“text”'";

/// A character that a person should replace.
pub(super) struct Slip {
    pub(super) at: Position,
    pub(super) message: String,
    pub(super) help: &'static str,
}

/// A slip in the line `at` of `source`, up to two lines before it, or one line after it, because YAML reports some
/// mistakes in other lines.
pub(super) fn slip_near(source: &str, at: u64) -> Option<Slip> {
    let at = usize::try_from(at).ok()?;
    let near = [Some(at), at.checked_sub(1), at.checked_sub(2), at.checked_add(1)];
    let indexes = near.into_iter().flatten().filter_map(|line| line.checked_sub(1));
    indexes.into_iter().find_map(|index| slip(index, source.lines().nth(index)?))
}

fn slip(index: usize, line: &str) -> Option<Slip> {
    if line.trim_start().starts_with('#') {
        return None;
    }
    let number = index as u64 + 1;
    let found = |byte: usize, message: String, help| {
        let column = line.get(..byte).map_or(0, |before| before.chars().count()) as u64 + 1;
        Some(Slip { at: Position { line: number, column }, message, help })
    };
    let text = line.trim_start_matches(|c: char| c.is_whitespace() || c == '-');
    let start = line.len() - text.len();
    let before = line.get(..start).unwrap_or_default();
    if let Some(tab) = before.find('\t') {
        return found(tab, format!("line {number} is indented with a tab"), "use spaces");
    }
    if let Some((at, odd)) = before.char_indices().find(|(_, c)| !c.is_ascii()) {
        let message = format!("line {number} is indented with the character U+{:04X}", odd as u32);
        return found(at, message, "use spaces");
    }
    let key_end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (key, rest) = text.split_at_checked(key_end)?;
    if !key.is_empty() && rest.starts_with('：') {
        let message = format!("line {number} has a full-width ：");
        return found(start + key_end, message, "write a half-width : and a space");
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !key.is_empty()
        && rest
            .strip_prefix(':')
            .is_some_and(|value| value.starts_with(|c| is_word(c) || c == '\'' || c == '"'))
    {
        return found(
            start + key_end,
            format!("line {number} has a : without a space after it"),
            "write a space after the :",
        );
    }
    if before.ends_with('-') && !key.is_empty() {
        return found(
            start - 1,
            format!("line {number} has a - without a space after it"),
            "write a space after the -",
        );
    }
    let value = rest.strip_prefix(':').unwrap_or(text).trim_start_matches([' ', '\t', '\u{3000}', '\u{a0}']);
    let value_at = line.len() - value.len();
    if value.starts_with(FULL_WIDTH_QUOTES) {
        let quote = value.chars().next().unwrap_or_default();
        let message = format!("line {number} has a full-width quote {quote}");
        return found(value_at, message, QUOTE_HELP);
    }
    if value.starts_with("{{") || value.starts_with("{%") {
        let mark = value.get(..2).unwrap_or_default();
        let message = format!("line {number} has a text that begins with {mark}, without quotes");
        return found(value_at, message, "quote a text that begins with {{ or {%");
    }
    None
}

/// Reports each value that begins with a full-width quote, because YAML takes the quotes for a part of the text.
pub(super) fn check_quotes(node: &Node, source: &str, file: &Location, diagnostics: &mut Diagnostics) {
    match &node.value {
        Value::Text(text) if text.starts_with(FULL_WIDTH_QUOTES) => {
            let Position { line, column } = node.at;
            let written = usize::try_from(line - 1).ok().and_then(|index| source.lines().nth(index));
            let at = usize::try_from(column - 1).ok();
            let first = written.zip(at).and_then(|(line, at)| line.chars().nth(at));
            let before: String = written.unwrap_or_default().chars().take(at.unwrap_or_default()).collect();
            // Half-width quotes around the text, or a line of its own, say that it is meant.
            let is_alone = before.trim().is_empty();
            if let Some(quote) = first.filter(|first| text.starts_with(*first) && !is_alone) {
                let location = Location { position: Some(node.at), ..file.clone() };
                diagnostics.error(
                    &location,
                    format!("line {line} has a full-width quote {quote}"),
                    QUOTE_HELP,
                );
            }
        }
        Value::List(items) => items.iter().for_each(|item| check_quotes(item, source, file, diagnostics)),
        Value::Map(entries) => {
            entries.iter().for_each(|entry| check_quotes(&entry.value, source, file, diagnostics));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slip_is_named_with_its_place() {
        for (line, column, message) in [
            ("  corp_id：ww12", 10, "line 2 has a full-width ："),
            ("\tname: ops", 1, "line 2 is indented with a tab"),
            ("  \t- name: ops", 3, "line 2 is indented with a tab"),
            ("\u{3000}name: ops", 1, "line 2 is indented with the character U+3000"),
            ("  name: “ops”", 9, "line 2 has a full-width quote “"),
            ("  name:ops", 7, "line 2 has a : without a space after it"),
            ("  -name: ops", 3, "line 2 has a - without a space after it"),
            ("  message: {{ a }} b", 12, "line 2 has a text that begins with {{, without quotes"),
        ] {
            let slip = slip_near(&format!("apps:\n{line}\n"), 3).unwrap();
            assert_eq!((slip.at.line, slip.at.column), (2, column), "{line}");
            assert_eq!(slip.message, message);
            assert!(slip_near(&format!("apps:\n{line}\n"), 1).is_some(), "{line}");
        }
        for line in ["  name: ops", "  # corp_id：ww12", "  message: '{{ a }}'", "  url: http://a/：b"] {
            assert!(slip_near(&format!("apps:\n{line}\n"), 3).is_none(), "{line}");
        }
    }
}
