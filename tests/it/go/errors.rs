//! Compares the errors of the engine with those of `amtool`.

use wecom_relay::text::one_line;

use super::name;

/// The place and the words of an error. The engine has its own way to write the place.
#[derive(Debug, PartialEq)]
struct Words {
    line: usize,
    /// In characters, counted from 1. `amtool` has none for a template that does not parse.
    column: Option<usize>,
    words: String,
}

/// True if both errors have the same place, and the engine's begins with the words of `amtool`'s.
pub(super) fn is_same(template: &str, relay: &str, amtool: &str) -> bool {
    let (Some(relay), Some(amtool)) = (of_relay(relay), of_amtool(template, amtool)) else { return false };
    if is_newer(&relay.words, &amtool.words) {
        return true;
    }
    let (kept, is_cut) = match relay.words.split_once('…') {
        Some((kept, _)) => (kept, true),
        None => (relay.words.as_str(), false),
    };
    let has_same_words =
        if is_cut { amtool.words.starts_with(kept) } else { kept.starts_with(&amtool.words) };
    let has_same_place = match amtool.column {
        Some(_) => (relay.line, relay.column) == (amtool.line, amtool.column),
        None => {
            relay.line == amtool.line
                || is_line_ahead(template, relay.line, amtool.line)
                || is_within_block(&relay, &amtool)
        }
    };
    has_same_words && has_same_place
}

/// True if `amtool` has already looked at the end of the action, in the line after the mistake.
fn is_line_ahead(template: &str, line: usize, amtool: usize) -> bool {
    let next = template.split('\n').nth(line).unwrap_or_default().trim_start();
    amtool == line + 1 && (next.starts_with("}}") || next.starts_with("-}}"))
}

/// True if later releases than 0.25 have other words.
fn is_newer(relay: &str, amtool: &str) -> bool {
    relay.starts_with("unexpected right paren") && amtool.starts_with("unexpected \")\" in ")
}

/// True if `amtool` names the line of a block, and the engine that of the mistake within it.
fn is_within_block(relay: &Words, amtool: &Words) -> bool {
    amtool.words == "unexpected {{else}} in block clause" && relay.line > amtool.line
}

/// `receiver/r/message:1:4: words`, or `receiver/r/message, line 1, column 4: words`.
fn of_relay(error: &str) -> Option<Words> {
    let rest = error.strip_prefix(&name())?;
    let (line, rest) = match rest.strip_prefix(", line ") {
        Some(rest) => rest.split_once(", column ")?,
        None => rest.strip_prefix(':')?.split_once(':')?,
    };
    let (column, words) = rest.split_once(": ")?;
    let words = one_line(words).replace(&format!("executing \"{}\"", name()), "executing \"\"");
    // A type of later releases.
    let words = words.replace("template.Strings", "[]string");
    Some(Words { line: line.parse().ok()?, column: Some(column.parse().ok()?), words: without_values(words) })
}

/// `amtool: error: template: :1:3: words`, where the column counts bytes from 0, or without the column.
fn of_amtool(template: &str, error: &str) -> Option<Words> {
    let rest = error.strip_prefix("amtool: error: template: :")?;
    let (line, rest) = rest.split_once(':')?;
    let line: usize = line.parse().ok()?;
    let with_column =
        rest.split_once(": ").and_then(|(column, words)| Some((column.parse::<usize>().ok()?, words)));
    let (column, words) = match with_column {
        Some((column, words)) => {
            let text = template.split('\n').nth(line - 1)?;
            (Some(text.get(..column)?.chars().count() + 1), words)
        }
        None => (None, rest),
    };
    let words = one_line(words).replace(" started at :", " started at line ");
    Some(Words { line, column, words: without_values(words) })
}

/// `words` up to a value that later releases print in another way, that the engine leaves out, or that is its own limit.
fn without_values(words: String) -> String {
    for before_value in
        ["range can't iterate over {", "non-comparable type ", "exceeded maximum template depth ("]
    {
        if let Some((words, _)) = words.split_once(before_value) {
            return format!("{words}{before_value}");
        }
    }
    words
}
