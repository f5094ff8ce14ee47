//! Shows how a file changed, without its secrets.

use similar::TextDiff;

use crate::yaml::{self, Node};

const HIDDEN: &str = "<hidden>";
const CONTEXT_LINES: usize = 2;

/// The changes from `old` to `new` in the unified format. `shown_url` is the beginning of URLs that have no secret.
pub(super) fn without_secrets(old: &str, new: &str, shown_url: &str) -> String {
    let (old, new) = (masked(old, shown_url), masked(new, shown_url));
    let old = old.replace("\r\n", "\n");
    let new = new.replace("\r\n", "\n");
    TextDiff::from_lines(&old, &new)
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .missing_newline_hint(false)
        .to_string()
}

/// `text` with all values replaced that may be secrets. A text that cannot be parsed is hidden as a whole.
fn masked(text: &str, shown_url: &str) -> String {
    let Ok(root) = yaml::parse(text) else { return HIDDEN.to_owned() };
    let mut secrets = Vec::new();
    collect(&root, false, shown_url, &mut secrets);
    // An alias shows its anchor's place once more.
    secrets.sort_by_key(|range| range.start);
    secrets.dedup();
    let mut masked = text.to_owned();
    for range in secrets.into_iter().rev() {
        // The bytes of a block end behind its line breaks.
        let Some(value) = masked.get(range.clone()).map(str::trim_end) else { continue };
        masked.replace_range(range.start..range.start + value.len(), HIDDEN);
    }
    masked
}

fn collect(node: &Node, is_hidden: bool, shown_url: &str, secrets: &mut Vec<std::ops::Range<usize>>) {
    for item in node.items() {
        collect(item, is_hidden, shown_url, secrets);
    }
    for entry in node.entries() {
        collect(&entry.value, is_hidden || is_secret(&entry.key), shown_url, secrets);
    }
    let Some(range) = node.scalar_bytes().filter(|range| !range.is_empty()) else { return };
    let is_shown = node.scalar().is_none_or(|text| text.starts_with(shown_url));
    if is_hidden && !is_shown {
        secrets.push(range);
    }
}

/// Keys of Alertmanager whose values are secrets. URLs of webhooks often contain a token.
fn is_secret(key: &str) -> bool {
    const ENDINGS: [&str; 8] =
        ["secret", "secrets", "password", "token", "credentials", "_key", "url", "username"];
    ENDINGS.iter().any(|ending| key.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_on_both_sides() {
        let old = "a:\n  api_secret: 's3cr3t'\n  http_config:\n    http_headers: { X: { secrets: [s3cr3t, s3cr3t] } }\n  \
                   password: |\n    s3cr3t\n    s3cr3t\n  url: http://x/?token=s3cr3t\nb: 1\n";
        let new = "a:\n  url: http://relay/webhook/ops\nb: 1\n";
        let diff = without_secrets(old, new, "http://relay/");
        assert!(!diff.contains("s3cr3t"), "{diff}");
        insta::assert_snapshot!(diff, @"
        @@ -1,8 +1,3 @@
         a:
        -  api_secret: <hidden>
        -  http_config:
        -    http_headers: { X: { secrets: [<hidden>, <hidden>] } }
        -  password: |
        -    <hidden>
        -  url: <hidden>
        +  url: http://relay/webhook/ops
         b: 1
        ");
    }
}
