//! Writes texts as YAML.

/// `text` as the value of a key whose line is indented by `indent` spaces. A text of several lines becomes a block.
pub(crate) fn value(text: &str, indent: usize) -> String {
    if is_word(text) {
        return text.to_owned();
    }
    let is_block = text.contains('\n') && text.chars().all(|c| c == '\n' || is_printable(c));
    if is_block {
        return block(text, indent);
    }
    if text.chars().all(is_printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    escaped(text)
}

/// A literal block. Its indentation is named if the first line begins with a space, because a reader would count it in.
/// `-` is for a text without a line break at its end, and `+` for one with several.
fn block(text: &str, indent: usize) -> String {
    const STEP: usize = 2;
    let (lines, ending) = match text.strip_suffix('\n') {
        Some(lines) if lines.is_empty() || lines.ends_with('\n') => (lines, "+"),
        Some(lines) => (lines, ""),
        None => (text, "-"),
    };
    let begins_with_space = text.trim_start_matches('\n').starts_with(' ');
    let step = if begins_with_space { STEP.to_string() } else { String::new() };
    let margin = " ".repeat(indent + STEP);
    let mut block = format!("|{step}{ending}");
    for line in lines.split('\n') {
        block.push('\n');
        if !line.is_empty() {
            block.push_str(&margin);
            block.push_str(line);
        }
    }
    block
}

/// A text in double quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if is_printable(c) => escaped.push(c),
            c => escaped.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    escaped.push('"');
    escaped
}

/// A text that no YAML parser takes for something else than a text.
fn is_word(text: &str) -> bool {
    const OTHER_VALUES: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        && !OTHER_VALUES.contains(&text.to_ascii_lowercase().as_str())
}

/// Characters that YAML keeps as they are within a line.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::value;
    use crate::yaml;

    fn read_back(text: &str) -> Option<String> {
        let document = format!("list:\n  - first: 1\n    key: {}\n    next: 2\n", value(text, 4));
        let root = yaml::parse(&document).unwrap_or_else(|error| panic!("{}:\n{document}", error.message));
        let item = root.get("list").unwrap().items().first().unwrap();
        assert_eq!(item.get("next").unwrap().scalar(), Some("2"), "{document}");
        item.get("key").unwrap().scalar().map(str::to_owned)
    }

    #[test]
    fn simple_words_have_no_quotes() {
        for (text, written) in [("ops", "ops"), ("/a/b.tmpl", "/a/b.tmpl"), ("no", "'no'"), ("1", "'1'")] {
            assert_eq!(value(text, 0), written);
        }
    }

    #[test]
    fn lines_are_a_block() {
        insta::assert_snapshot!(value("{{ a }}\n\n  b: 'c'\n", 4), @"
        |
              {{ a }}

                b: 'c'
        ");
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(text in "(?s)[ -~\n\t\r\u{85}\u{2028}\u{feff}中文é'\"\\\\:#\\-|>{}]{0,20}") {
            prop_assert_eq!(read_back(&text), Some(text));
        }
    }
}
