//! `regex_replace`: bounded in time, whatever the pattern, and in memory.
//!
//! One search is linear in the text, but a pattern that reads to the end of it before it settles for one character
//! makes all of them quadratic. So only the first [`MAX_TEXT_BYTES`] are searched, and what follows them stays as it
//! is: an error instead was rejected, because it would cost the operator's message for one long annotation.

use std::{collections::HashMap, sync::RwLock};

use regex::{Regex, RegexBuilder};
use tera::{Error, Kwargs, State, TeraResult};

use crate::{
    render::MAX_OUTPUT_BYTES,
    text::{prefix, slice, slice_from},
};

/// The most memory that a compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// How much of a text is searched: three times what is shown of a message in its five parts.
const MAX_TEXT_BYTES: usize = 32 << 10;

/// How many compiled patterns are kept; more than templates have, unless they make patterns of labels.
const MAX_PATTERNS: usize = 64;

/// The filter `regex_replace(pattern, replacement)`, with the patterns that it has compiled.
pub(super) fn replacer() -> impl Fn(&str, Kwargs, &State<'_>) -> TeraResult<String> + Send + Sync + 'static {
    let known = Patterns::default();
    move |text, kwargs, _| {
        let pattern = kwargs.must_get::<&str>("pattern")?;
        let replacement = kwargs.must_get::<&str>("replacement")?;
        replace(&known.compiled(pattern)?, text, replacement)
    }
}

#[derive(Default)]
struct Patterns(RwLock<HashMap<String, Regex>>);

impl Patterns {
    fn compiled(&self, pattern: &str) -> TeraResult<Regex> {
        if let Ok(known) = self.0.read()
            && let Some(regex) = known.get(pattern)
        {
            return Ok(regex.clone());
        }
        let regex = RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES)
            .build()
            .map_err(|error| not_a_pattern(&error))?;
        if let Ok(mut known) = self.0.write()
            && known.len() < MAX_PATTERNS
        {
            known.insert(pattern.to_owned(), regex.clone());
        }
        Ok(regex)
    }
}

/// Without the pattern, which may come from a payload: `regex` repeats it in many lines, and the reason in the last.
fn not_a_pattern(error: &regex::Error) -> Error {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    let reason = last.strip_prefix("error: ").unwrap_or(last);
    Error::message(format!("`pattern` is no regular expression: {reason}"))
}

/// `Regex::replace_all` in the first [`MAX_TEXT_BYTES`], but it stops before it fills the memory.
fn replace(regex: &Regex, text: &str, replacement: &str) -> TeraResult<String> {
    let searched = prefix(text, MAX_TEXT_BYTES);
    let mut replaced = String::with_capacity(text.len());
    let mut from = 0;
    for captures in regex.captures_iter(searched) {
        let Some(found) = captures.get(0) else { continue };
        // In the whole text, this match could be longer or none.
        if found.end() == searched.len() && searched.len() < text.len() {
            break;
        }
        replaced.push_str(slice(text, from..found.start()));
        captures.expand(replacement, &mut replaced);
        from = found.end();
        if replaced.len() > MAX_OUTPUT_BYTES {
            return Err(Error::message(format!("the text is longer than {MAX_OUTPUT_BYTES} bytes")));
        }
    }
    Ok(replaced + slice_from(text, from))
}
