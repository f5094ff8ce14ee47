//! Searches with regular expressions, bounded in time and memory for any pattern and text.
//!
//! Most patterns are searched with a lazy DFA, which pays for each byte that it reads. So most patterns can replace
//! everything in a long text, and one that reads the whole rest of the text before each match ends at the limit.
//!
//! The lazy DFA gives up when a pattern needs too many states for a text. A slow search follows. Its time grows with the size
//! of the pattern, so it must be paid for in advance. The crate `regex` would begin it at once, and one search could take
//! minutes.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, RwLock},
};

use regex_automata::{
    Anchored, Input, Match, MatchError,
    hybrid::{self, CacheError, regex::Regex},
    nfa::thompson::{
        self,
        pikevm::{self, PikeVM},
    },
    util::captures::Captures,
};

use super::pattern::translated;
use crate::render::go::budget::{Budget, Limit};

/// The memory that a compiled pattern may use.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// The memory for the states of a lazy DFA.
const MAX_STATES_BYTES: usize = 256 << 10;
/// The compiled patterns that are kept. Templates have fewer, unless they build patterns from labels.
const MAX_PATTERNS: usize = 64;
/// The price of compiling a pattern, in steps for each state.
const STEPS_PER_STATE: u64 = 10;
/// The price of the beginning of a search, in bytes.
const SEARCH_BYTES: usize = 32;
/// The price of a search that gives up, in bytes.
const GIVEN_UP_BYTES: usize = 1 << 20;
/// The price of one byte and one state in a slow search.
const SLOW_WEIGHT: u64 = 2;

/// Compiled patterns.
#[derive(Debug, Default)]
pub(in crate::render::go) struct PatternCache(RwLock<HashMap<String, Arc<Pattern>>>);

impl PatternCache {
    /// # Errors
    /// Go does not accept `pattern`, it is too large, or it costs too much.
    pub(super) fn compiled(&self, pattern: &str, budget: &mut Budget) -> Result<Arc<Pattern>, String> {
        budget.steps(1)?;
        if let Ok(cache) = self.0.read()
            && let Some(known) = cache.get(pattern)
        {
            return Ok(Arc::clone(known));
        }
        let compiled = Arc::new(Pattern::compile(pattern)?);
        budget.steps(STEPS_PER_STATE * compiled.states)?;
        if let Ok(mut cache) = self.0.write()
            && cache.len() < MAX_PATTERNS
        {
            cache.insert(pattern.to_owned(), Arc::clone(&compiled));
        }
        Ok(compiled)
    }
}

#[derive(Debug)]
pub(super) struct Pattern {
    fast: Regex,
    slow: PikeVM,
    states: u64,
    group_names: Vec<Option<String>>,
    /// Memory of finished searches, for later ones.
    scratch: Mutex<Vec<Scratch>>,
}

/// The memory of a search.
#[derive(Debug)]
pub(super) struct Scratch {
    fast: hybrid::regex::Cache,
    slow: pikevm::Cache,
}

impl Pattern {
    fn compile(pattern: &str) -> Result<Self, String> {
        let translated = translated(pattern)?;
        let nfa = thompson::Config::new().nfa_size_limit(Some(MAX_PATTERN_BYTES));
        let dfa = hybrid::dfa::Config::new()
            .cache_capacity(MAX_STATES_BYTES)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(3))
            .minimum_bytes_per_state(Some(10));
        let slow = PikeVM::builder().thompson(nfa.clone()).build(&translated.pattern);
        let slow = slow.map_err(|error| not_a_pattern(&error))?;
        let fast = Regex::builder().thompson(nfa).dfa(dfa).build(&translated.pattern);
        let fast = fast.map_err(|error| format!("error parsing regexp: {error}"))?;
        Ok(Self {
            states: slow.get_nfa().states().len() as u64,
            fast,
            slow,
            group_names: translated.group_names,
            scratch: Mutex::default(),
        })
    }

    pub(super) fn scratch(&self) -> Scratch {
        let kept = self.scratch.lock().ok().and_then(|mut kept| kept.pop());
        kept.unwrap_or_else(|| Scratch { fast: self.fast.create_cache(), slow: self.slow.create_cache() })
    }

    /// Keeps `scratch` for a later search.
    pub(super) fn keep(&self, scratch: Scratch) {
        const MAX_KEPT: usize = 2;
        if let Ok(mut kept) = self.scratch.lock()
            && kept.len() < MAX_KEPT
        {
            kept.push(scratch);
        }
    }

    /// The first match in `text` that begins at `from` or later.
    pub(super) fn find(
        &self,
        text: &str,
        from: usize,
        scratch: &mut Scratch,
        budget: &mut Budget,
    ) -> Result<Option<Match>, String> {
        budget.search(SEARCH_BYTES, 1)?;
        match self.find_fast(text, from, &mut scratch.fast, budget) {
            Ok(found) => return Ok(found),
            Err(Stopped::Limit(limit)) => return Err(limit.into()),
            Err(Stopped::GaveUp) => {}
        }
        let input = Input::new(text).range(from..);
        budget.search(GIVEN_UP_BYTES, 1)?;
        budget.search(text.len() - from, self.states * SLOW_WEIGHT)?;
        let mut groups = self.slow.create_captures();
        self.slow.search(&mut scratch.slow, &input, &mut groups);
        Ok(groups.get_match())
    }

    fn find_fast(
        &self,
        text: &str,
        from: usize,
        cache: &mut hybrid::regex::Cache,
        budget: &mut Budget,
    ) -> Result<Option<Match>, Stopped> {
        let (forward, reverse) = cache.as_parts_mut();
        let mut start = from;
        let end = loop {
            let Some(end) = self.find_end(text, start, forward, budget)? else { return Ok(None) };
            if text.is_char_boundary(end) {
                break end;
            }
            // An empty match within a character is none.
            start = end + 1;
        };
        budget.search(end - start, 1)?;
        let input = Input::new(text).range(start..end).anchored(Anchored::Yes);
        let found = self.fast.reverse().try_search_rev(reverse, &input).ok().flatten();
        let found = found.ok_or(Stopped::GaveUp)?;
        Ok(Some(Match::new(found.pattern(), found.offset()..end)))
    }

    /// The end of the first match that begins at `from` or later. The DFA enters the state of a match one byte late.
    fn find_end(
        &self,
        text: &str,
        from: usize,
        cache: &mut hybrid::dfa::Cache,
        budget: &mut Budget,
    ) -> Result<Option<usize>, Stopped> {
        let dfa = self.fast.forward();
        let mut state = dfa.start_state_forward(cache, &Input::new(text).range(from..))?;
        cache.search_start(from);
        let mut end = None;
        for (byte, at) in text.bytes().skip(from).zip(from..) {
            if let Err(limit) = budget.search(1, 1) {
                cache.search_finish(at);
                return Err(limit.into());
            }
            cache.search_update(at);
            state = dfa.next_state(cache, state, byte)?;
            if state.is_match() {
                end = Some(at);
            } else if state.is_dead() {
                cache.search_finish(at);
                return Ok(end);
            } else if state.is_quit() {
                return Err(Stopped::GaveUp);
            }
        }
        cache.search_finish(text.len());
        let is_match_at_end = dfa.next_eoi_state(cache, state)?.is_match();
        Ok(if is_match_at_end { Some(text.len()) } else { end })
    }

    /// The groups of a match.
    pub(super) fn groups(
        &self,
        text: &str,
        found: Match,
        scratch: &mut Scratch,
        budget: &mut Budget,
    ) -> Result<Captures, String> {
        // Few states are active at once, except in patterns that are made for it.
        budget.search(found.len(), 1 + self.states / 2)?;
        let mut groups = self.slow.create_captures();
        let input = Input::new(text).range(found.range()).anchored(Anchored::Yes);
        self.slow.search(&mut scratch.slow, &input, &mut groups);
        Ok(groups)
    }

    /// The indices of the groups with this name.
    pub(super) fn groups_named<'n>(&'n self, name: &'n str) -> impl Iterator<Item = usize> + 'n {
        let names = (1..).zip(&self.group_names);
        names.filter(move |(_, known)| known.as_deref() == Some(name)).map(|(index, _)| index)
    }
}

/// The reason why a search with the lazy DFA did not end.
enum Stopped {
    Limit(Limit),
    /// The pattern needs too many states.
    GaveUp,
}

impl From<Limit> for Stopped {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

impl From<CacheError> for Stopped {
    fn from(_: CacheError) -> Self {
        Self::GaveUp
    }
}

impl From<MatchError> for Stopped {
    fn from(_: MatchError) -> Self {
        Self::GaveUp
    }
}

/// The reason without the pattern, which may come from a payload: `regex-syntax` writes the pattern in the first lines
/// and the reason in the last one.
fn not_a_pattern(error: &thompson::BuildError) -> String {
    if error.size_limit().is_some() {
        return "error parsing regexp: expression too large".to_owned();
    }
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let last = text.lines().last().unwrap_or_default();
    format!("error parsing regexp: {}", last.strip_prefix("error: ").unwrap_or(last))
}
