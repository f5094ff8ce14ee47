//! `regex_replace`: linear in the text, whatever the pattern, and bounded in memory.

use std::{collections::HashMap, sync::RwLock};

use regex::{Regex, RegexBuilder};
use tera::{Error, Kwargs, State, TeraResult};

use crate::render::MAX_OUTPUT_BYTES;

/// The most memory that a compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 1 << 20;

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
            .map_err(|error| Error::message(format!("`pattern` is no regular expression: {error}")))?;
        if let Ok(mut known) = self.0.write()
            && known.len() < MAX_PATTERNS
        {
            known.insert(pattern.to_owned(), regex.clone());
        }
        Ok(regex)
    }
}

/// `Regex::replace_all`, but it stops before it fills the memory.
fn replace(regex: &Regex, text: &str, replacement: &str) -> TeraResult<String> {
    let mut replaced = String::with_capacity(text.len());
    let mut from = 0;
    for captures in regex.captures_iter(text) {
        let Some(found) = captures.get(0) else { continue };
        replaced.push_str(text.get(from..found.start()).unwrap_or_default());
        captures.expand(replacement, &mut replaced);
        from = found.end();
        if replaced.len() > MAX_OUTPUT_BYTES {
            return Err(Error::message(format!("the text is longer than {MAX_OUTPUT_BYTES} bytes")));
        }
    }
    Ok(replaced + text.get(from..).unwrap_or_default())
}
