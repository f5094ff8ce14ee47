//! Texts for snapshots, without the values that differ between runs.

use std::{env, path::PathBuf};

use jiff::Timestamp;

/// Replaces the temporary folders, ports and times of a text by their names.
pub(crate) fn redacted(text: &str) -> String {
    let mut text = text.to_owned();
    for folder in [env::temp_dir(), PathBuf::from("/dev/shm")] {
        let folder = folder.join(".tmp").display().to_string();
        text = mask(&text, &folder, |c| c.is_ascii_alphanumeric(), 6, "FOLDER").replace(&folder, "");
    }
    for host in ["127.0.0.1:", "[::1]:", "127.0.0.1 port "] {
        text = mask(&text, host, |c| c.is_ascii_digit(), 4, "PORT");
    }
    // WeCom makes the hint of an error from the time and a random number.
    let text = without_times(&mask(&text, "hint: [", |c| c.is_ascii_digit(), 4, "HINT"));
    // A message to members has its time in another format: 2026-11-21 09:30:00 UTC.
    let text = mask(&text, "held since ", |c| c.is_ascii_digit() || "-: UTC".contains(c), 20, "TIME: ");
    mask(&text, "TIME  ", |c| c.is_ascii_digit() || c == '.', 5, "DURATION")
}

fn without_times(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_digit() || "-:TZ.".contains(c);
    let mut replaced = String::new();
    for piece in text.split_inclusive(|c| !is_part(c)) {
        let time = piece.trim_end_matches(|c| !is_part(c) || c == ':' || c == '.');
        replaced += if time.parse::<Timestamp>().is_ok() { "TIME" } else { time };
        replaced += piece.strip_prefix(time).unwrap();
    }
    replaced
}

/// Replaces the characters that are `part` of a value and follow a `prefix` by `name`. Fewer than `length` characters stay.
fn mask(text: &str, prefix: &str, part: fn(char) -> bool, length: usize, name: &str) -> String {
    let mut pieces = text.split(prefix);
    let mut masked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(part);
        masked += prefix;
        if piece.len() - rest.len() >= length {
            masked += name;
            masked += rest;
        } else {
            masked += piece;
        }
    }
    masked
}

#[test]
fn values_that_differ_between_runs_are_redacted() {
    let folder = env::temp_dir().join(".tmpA1b2C3/outbox.db").display().to_string();
    let text = format!("{folder} 127.0.0.1:9 127.0.0.1:40123 since 2026-11-21T08:00:00.5Z: 20 times");
    assert_eq!(redacted(&text), "FOLDER/outbox.db 127.0.0.1:9 127.0.0.1:PORT since TIME: 20 times");
}
