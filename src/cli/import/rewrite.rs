//! Replaces `wechat_configs` by `webhook_configs` in the text of an `alertmanager.yml`.
//!
//! The text is edited line by line, so that comments, order and line ends stay as they are. The result is then parsed
//! and compared with the intended structure, because an edit of text alone proves nothing.

use serde_json::{Map, Value as Json, json};

use crate::yaml::{self, Node, Position, Value};

/// The webhooks of one receiver.
pub(super) struct Webhooks {
    /// The place of the receiver in the list.
    pub(super) receiver: usize,
    pub(super) webhooks: Vec<Webhook>,
}

#[derive(Clone)]
pub(super) struct Webhook {
    pub(super) url: String,
    pub(super) send_resolved: bool,
}

/// A receiver that must be edited by hand.
pub(super) struct ByHand {
    pub(super) at: Position,
    /// The text to put in place of `wechat_configs`.
    pub(super) text: String,
}

pub(super) struct Rewritten {
    pub(super) text: String,
    pub(super) by_hand: Vec<ByHand>,
}

/// The keys of `global` that only `wechat_configs` reads.
const GLOBAL_KEYS: [&str; 4] =
    ["wechat_api_url", "wechat_api_secret", "wechat_api_secret_file", "wechat_api_corp_id"];

/// Edits `text`, whose tree is `root`.
///
/// # Errors
/// The result would not have the intended structure.
pub(super) fn rewrite(text: &str, root: &Node, moved: &[Webhooks]) -> Result<Rewritten, String> {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut edits = Vec::new();
    let mut by_hand = Vec::new();
    let mut edited = Vec::new();
    let receivers = root.get("receivers").map(Node::items).unwrap_or_default();
    for webhooks in moved {
        let Some(receiver) = receivers.get(webhooks.receiver) else { continue };
        match edits_of_receiver(receiver, &webhooks.webhooks, &lines) {
            Some(added) => {
                edits.extend(added);
                edited.push(webhooks);
            }
            None => by_hand.push(ByHand { at: receiver.at, text: text_of(webhooks) }),
        }
    }
    // A receiver that stays needs the defaults.
    let unused = if by_hand.is_empty() { unused_defaults(root, &lines) } else { Vec::new() };
    edits.extend(unused.iter().map(|(_, block)| Edit { from: block.from, to: block.to, new: Vec::new() }));
    let new = apply(&lines, edits);
    let intended = intended(root, &edited, unused.iter().map(|(key, _)| *key));
    match yaml::parse(&new) {
        Ok(tree) if structure(&tree) == intended => Ok(Rewritten { text: new, by_hand }),
        Ok(_) => Err("the edited file would not say what is meant".to_owned()),
        Err(error) => Err(format!("the edited file could not be read: {}", error.message)),
    }
}

/// Replaces some lines by others.
struct Edit {
    from: usize,
    /// The first line that stays.
    to: usize,
    new: Vec<String>,
}

/// `None` if the receiver is written in one line or in another form that is not edited.
fn edits_of_receiver(receiver: &Node, webhooks: &[Webhook], lines: &[&str]) -> Option<Vec<Edit>> {
    let old = Block::of(receiver, "wechat_configs", lines)?;
    let Some(present) = receiver.get("webhook_configs") else {
        let mut new = vec![format!("{}webhook_configs:", old.head)];
        new.extend(block(&" ".repeat(old.column), webhooks));
        return Some(vec![Edit { from: old.from, to: old.to, new }]);
    };
    // The items are added to the list that is there.
    let list = Block::of(receiver, "webhook_configs", lines)?;
    let first = present.items().first()?;
    let first_line = *lines.get(usize::try_from(first.at.line).ok()?.checked_sub(1)?)?;
    let indent = first_line.len() - first_line.trim_start_matches(' ').len();
    let is_item = first_line.trim_start_matches(' ').starts_with("- ");
    if !is_item {
        return None;
    }
    let added = Edit { from: list.to, to: list.to, new: block(&" ".repeat(indent), webhooks) };
    let mut removed = Edit { from: old.from, to: old.to, new: Vec::new() };
    if old.head.contains('-') {
        // The dash of the receiver moves to its next key.
        let next =
            (old.to..lines.len()).find(|index| !is_blank(lines.get(*index).copied().unwrap_or_default()))?;
        let line = lines.get(next)?;
        let rest = line.strip_prefix(&" ".repeat(old.column))?;
        removed.new.extend(lines.get(old.to..next)?.iter().map(|line| (*line).to_owned()));
        removed.new.push(format!("{}{}", old.head, rest.trim_end_matches('\r')));
        removed.to = next + 1;
    }
    Some(vec![added, removed])
}

/// The keys of `global` that can be removed with their lines. Keys that share a line stay, and do no harm.
fn unused_defaults<'t>(root: &Node, lines: &[&'t str]) -> Vec<(&'static str, Block<'t>)> {
    let Some(global) = root.get("global") else { return Vec::new() };
    let found = GLOBAL_KEYS.into_iter().filter_map(|key| Some((key, Block::of(global, key, lines)?)));
    found.collect()
}

/// The lines of a key and its value.
struct Block<'t> {
    /// The beginning of the line up to the key. It has a dash if this is the first key of an item.
    head: &'t str,
    /// The number of characters before the key.
    column: usize,
    from: usize,
    /// The first line behind.
    to: usize,
}

impl<'t> Block<'t> {
    fn of(mapping: &Node, key: &str, lines: &[&'t str]) -> Option<Self> {
        let entry = mapping.entries().iter().find(|entry| entry.key == key)?;
        let from = usize::try_from(entry.at.line).ok()?.checked_sub(1)?;
        let column = usize::try_from(entry.at.column).ok()?.checked_sub(1)?;
        let head = lines.get(from)?.get(..column)?;
        if !head.chars().all(|c| matches!(c, ' ' | '-')) {
            return None;
        }
        let mut to = from + 1;
        for (index, line) in lines.iter().enumerate().skip(to) {
            if is_blank(line) {
                continue;
            }
            let content = line.trim_start_matches(' ');
            let indent = line.len() - content.len();
            // The items of a list may have the indentation of its key.
            let is_item = indent == column && (content.starts_with("- ") || content.trim_end() == "-");
            if indent <= column && !is_item {
                break;
            }
            to = index + 1;
        }
        Some(Self { head, column, from, to })
    }
}

/// A line without content. A comment belongs to what follows.
fn is_blank(line: &str) -> bool {
    let content = line.trim();
    content.is_empty() || content.starts_with('#')
}

fn block(indent: &str, webhooks: &[Webhook]) -> Vec<String> {
    let lines = |webhook: &Webhook| {
        let Webhook { url, send_resolved } = webhook;
        [format!("{indent}- url: '{url}'"), format!("{indent}  send_resolved: {send_resolved}")]
    };
    webhooks.iter().flat_map(lines).collect()
}

/// The items of `webhook_configs` for a receiver, to be pasted.
pub(super) fn text_of(webhooks: &Webhooks) -> String {
    let item = |webhook: &Webhook| {
        let Webhook { url, send_resolved } = webhook;
        format!("{{ url: '{url}', send_resolved: {send_resolved} }}")
    };
    let items: Vec<_> = webhooks.webhooks.iter().map(item).collect();
    format!("[{}]", items.join(", "))
}

fn apply(lines: &[&str], mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.from);
    let line_end = if lines.first().is_some_and(|line| line.ends_with('\r')) { "\r" } else { "" };
    let mut new: Vec<String> = Vec::new();
    let mut next = 0;
    for edit in edits {
        new.extend(lines.iter().take(edit.from).skip(next).map(|line| (*line).to_owned()));
        let ended = |line: String| format!("{}{line_end}", line.trim_end_matches('\r'));
        new.extend(edit.new.into_iter().map(ended));
        next = edit.to;
    }
    new.extend(lines.iter().skip(next).map(|line| (*line).to_owned()));
    if new.last().is_some_and(|line| !line.is_empty()) && lines.last().is_some_and(|line| line.is_empty()) {
        new.push(String::new());
    }
    new.join("\n")
}

/// The structure that the edited file must have.
fn intended(root: &Node, moved: &[&Webhooks], unused_defaults: impl Iterator<Item = &'static str>) -> Json {
    let mut document = structure(root);
    for webhooks in moved {
        let receiver = document.pointer_mut(&format!("/receivers/{}", webhooks.receiver));
        let Some(receiver) = receiver.and_then(Json::as_object_mut) else { continue };
        receiver.remove("wechat_configs");
        let list = receiver.entry("webhook_configs").or_insert_with(|| json!([]));
        let items = webhooks
            .webhooks
            .iter()
            .map(|webhook| json!({ "url": webhook.url.as_str(), "send_resolved": webhook.send_resolved }));
        if let Some(list) = list.as_array_mut() {
            list.extend(items);
        }
    }
    if let Some(global) = document.get_mut("global")
        && let Some(keys) = global.as_object_mut()
    {
        unused_defaults.for_each(|key| _ = keys.remove(key));
        if keys.is_empty() {
            *global = Json::Null;
        }
    }
    document
}

/// The tree without positions.
pub(super) fn structure(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        // The mark makes a number differ from a text with the same digits.
        Value::Number(number) => json!({ "number": number }),
        Value::Text(text) => json!(text),
        Value::List(items) => items.iter().map(structure).collect(),
        Value::Map(entries) => {
            let pairs = entries.iter().map(|entry| (entry.key.clone(), structure(&entry.value)));
            Json::Object(pairs.collect::<Map<_, _>>())
        }
    }
}
