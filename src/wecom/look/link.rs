//! The addresses that WeCom opens.

use super::tree::LinkTarget;
use crate::text::is_bidi_control;

const SCHEMES: [&str; 2] = ["https://", "http://"];

/// The target of a link to `url`.
pub(super) fn target(url: &str) -> LinkTarget {
    let url = url.trim().to_owned();
    if is_web(&url) { LinkTarget::Web { url } } else { LinkTarget::Refused { url } }
}

/// The length of the bare URL with which `text` begins.
pub(super) fn bare_url_length(text: &str) -> Option<usize> {
    let scheme = SCHEMES.iter().find(|scheme| text.starts_with(*scheme))?;
    let end = text.find(|c: char| !c.is_ascii_graphic() || "<>\"'`{}|\\^".contains(c)).unwrap_or(text.len());
    let url = text.split_at(end).0.trim_end_matches(|c| ".,;:!?)]".contains(c));
    (url.len() > scheme.len()).then_some(url.len())
}

/// The host of a URL, for a person.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

fn is_web(url: &str) -> bool {
    let has_scheme = |scheme: &&str| {
        let beginning = url.get(..scheme.len()).unwrap_or_default();
        beginning.eq_ignore_ascii_case(scheme) && url.len() > scheme.len()
    };
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || is_bidi_control(c);
    SCHEMES.iter().any(has_scheme) && !url.contains(is_odd)
}
