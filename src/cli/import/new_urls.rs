//! Replaces URLs of webhooks in the text of an `alertmanager.yml`. The result is compared with the intended structure.

use std::ops::Range;

use serde_json::json;

use super::rewrite::structure;
use crate::yaml::{self, Node, Position};

/// The new URL of an entry of `webhook_configs`.
pub(super) struct NewUrl {
    /// The place of the receiver in the list.
    pub(super) receiver: usize,
    /// The place of the entry in its list.
    pub(super) entry: usize,
    /// The present URL in the text, with its quotes.
    pub(super) bytes: Option<Range<usize>>,
    pub(super) at: Position,
    pub(super) url: String,
}

/// The text with the new URLs, and its tree. `None` if it would not say what is meant.
pub(super) fn replace(text: &str, root: &Node, urls: &[NewUrl]) -> Option<(String, Node)> {
    let mut intended = structure(root);
    let mut places = Vec::new();
    for NewUrl { receiver, entry, bytes, url, .. } in urls {
        *intended.pointer_mut(&format!("/receivers/{receiver}/webhook_configs/{entry}/url"))? = json!(url);
        places.push((bytes.clone()?, url));
    }
    places.sort_by_key(|(bytes, _)| bytes.start);
    let mut new = text.to_owned();
    for (bytes, url) in places.into_iter().rev() {
        let written = text.get(bytes.clone())?.trim_end();
        let end = bytes.start + written.len();
        new.replace_range(bytes.start..end, &format!("'{url}'"));
    }
    let tree = yaml::parse(&new).ok()?;
    (structure(&tree) == intended).then_some((new, tree))
}
