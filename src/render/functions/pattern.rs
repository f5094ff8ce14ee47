//! The filter `regex_replace`, bounded in time and memory for any pattern.
//!
//! One search is linear in the text. All searches together are quadratic for a pattern that looks at the whole rest
//! of the text before each match of one character. So only the first [`MAX_TEXT_BYTES`] are searched, and the rest is
//! unchanged. With an error instead, one long annotation would cost the operator the whole message.

use std::{collections::HashMap, sync::RwLock};

use regex::{Regex, RegexBuilder};
use tera::{Error, Kwargs, State, TeraResult};

use crate::{
    render::error::MAX_OUTPUT_BYTES,
    text::{prefix, slice, slice_from},
};

/// The memory that a compiled pattern may use.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// The searched beginning of a text: three times as much as five parts show.
const MAX_TEXT_BYTES: usize = 32 << 10;

/// The compiled patterns that are kept. Templates have fewer, unless they build patterns from labels.
const MAX_PATTERNS: usize = 64;

/// The filter `regex_replace(pattern, replacement)` with a cache of compiled patterns.
pub(super) fn replacer() -> impl Fn(&str, Kwargs, &State<'_>) -> TeraResult<String> + Send + Sync + 'static {
    let cache = PatternCache::default();
    move |text, kwargs, _| {
        let pattern = kwargs.must_get::<&str>("pattern")?;
        let replacement = kwargs.must_get::<&str>("replacement")?;
        replace(&cache.compiled(pattern)?, text, replacement)
    }
}

#[derive(Default)]
struct PatternCache(RwLock<HashMap<String, Regex>>);

impl PatternCache {
    fn compiled(&self, pattern: &str) -> TeraResult<Regex> {
        if let Ok(cache) = self.0.read()
            && let Some(regex) = cache.get(pattern)
        {
            return Ok(regex.clone());
        }
        let regex = RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES)
            .build()
            .map_err(|error| not_a_pattern(&error))?;
        if let Ok(mut cache) = self.0.write()
            && cache.len() < MAX_PATTERNS
        {
            cache.insert(pattern.to_owned(), regex.clone());
        }
        Ok(regex)
    }
}

/// The reason without the pattern, which may come from a payload. `regex` writes the pattern in the first lines and
/// the reason in the last one; a test pins this.
fn not_a_pattern(error: &regex::Error) -> Error {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    let reason = last.strip_prefix("error: ").unwrap_or(last);
    Error::message(format!("`pattern` is not a regular expression: {reason}"))
}

/// `Regex::replace_all` in the first [`MAX_TEXT_BYTES`], with a limit for the result.
fn replace(regex: &Regex, text: &str, replacement: &str) -> TeraResult<String> {
    let searched = prefix(text, MAX_TEXT_BYTES);
    let mut replaced = String::with_capacity(text.len());
    let mut from = 0;
    for captures in regex.captures_iter(searched) {
        let Some(found) = captures.get(0) else { continue };
        // In the whole text, this match could be longer or not match at all.
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
