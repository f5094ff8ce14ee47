//! `match` and `reReplaceAll`.

use regex_automata::util::captures::Captures;

use super::{function::Call, search::Pattern};
use crate::{
    render::go::{
        budget::Buffer,
        runes::{is_digit, is_letter, lossy},
    },
    text::{slice, slice_from},
};

/// Go's `regexp.MatchString`.
pub(super) fn is_match(call: &mut Call<'_>, pattern: &str, text: &[u8]) -> Result<bool, String> {
    let pattern = call.patterns.compiled(pattern, call.budget)?;
    let mut scratch = pattern.scratch();
    let found = pattern.find(&String::from_utf8_lossy(text), 0, &mut scratch, call.budget)?;
    pattern.keep(scratch);
    Ok(found.is_some())
}

/// Go's `ReplaceAllString`.
pub(super) fn replace_all(
    call: &mut Call<'_>,
    pattern: &str,
    replacement: &str,
    text: &[u8],
) -> Result<Buffer, String> {
    let compiled = call.patterns.compiled(pattern, call.budget);
    let compiled = compiled.map_err(|reason| format!("regexp: Compile(`{pattern}`): {reason}"))?;
    let mut scratch = compiled.scratch();
    let text = lossy(text.to_vec());
    let mut replaced = Buffer::with_capacity(text.len());
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = compiled.find(&text, at, &mut scratch, call.budget)? {
        // An empty match directly after another match is none.
        let is_after_match = at > 0 && found.is_empty() && found.start() == copied && copied == at;
        if !is_after_match {
            replaced.push(slice(&text, copied..found.start()))?;
            if replacement.contains('$') {
                let groups = compiled.groups(&text, found, &mut scratch, call.budget)?;
                expand(replacement, &text, &groups, &compiled, &mut replaced)?;
            } else {
                replaced.push(replacement)?;
            }
            copied = found.end();
        }
        at = found.end();
        if found.is_empty() {
            let Some(c) = slice_from(&text, at).chars().next() else { break };
            at += c.len_utf8();
        }
    }
    compiled.keep(scratch);
    replaced.push(slice_from(&text, copied))?;
    Ok(replaced)
}

/// Go's `Expand`: `$1x` names the group `1x`, and letters of any script belong to a name.
fn expand(
    replacement: &str,
    text: &str,
    groups: &Captures,
    pattern: &Pattern,
    out: &mut Buffer,
) -> Result<(), String> {
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        out.push(before)?;
        rest = after;
        if let Some(after_dollar) = after.strip_prefix('$') {
            out.push("$")?;
            rest = after_dollar;
            continue;
        }
        let Some((name, after_name)) = group_name(after) else {
            out.push("$")?;
            continue;
        };
        rest = after_name;
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
        let group = if is_number && (name == "0" || !name.starts_with('0')) {
            name.parse().ok().and_then(|index| groups.get_group(index))
        } else {
            // Several groups may have the same name.
            pattern.groups_named(name).find_map(|index| groups.get_group(index))
        };
        out.push(group.map_or("", |group| slice(text, group.range())))?;
    }
    out.push(rest)?;
    Ok(())
}

/// The name of a group after `$`, and the rest.
fn group_name(text: &str) -> Option<(&str, &str)> {
    let (body, is_braced) = match text.strip_prefix('{') {
        Some(body) => (body, true),
        None => (text, false),
    };
    let is_part = |c: char| c == '_' || is_letter(c) || is_digit(c);
    let (name, after) = body.split_at(body.find(|c| !is_part(c)).unwrap_or(body.len()));
    if name.is_empty() {
        return None;
    }
    if is_braced { Some((name, after.strip_prefix('}')?)) } else { Some((name, after)) }
}
