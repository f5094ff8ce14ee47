//! The paths that a source file names, without a compiler: `use` trees and paths in code.

/// A path that is named.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Used {
    /// The line, from 1.
    pub(super) line: usize,
    /// Without `crate::` in front.
    pub(super) path: String,
    /// Whether it is of this crate.
    pub(super) of_crate: bool,
}

/// The module that the file at `path` below `src` is: `outbox/mod.rs` is `outbox`; the crate's root is empty.
pub(super) fn module(path: &str) -> String {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { String::new() } else { path.replace('/', "::") }
}

/// A path as it is written, and the name that it is known by from there on.
struct Leaf {
    line: usize,
    path: String,
    name: String,
}

/// Every path in `source` that leads somewhere; one that begins with an imported name leads where the import does.
pub(super) fn used(module: &str, source: &str) -> Vec<Used> {
    let tokens = tokens(source);
    let mut leaves = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let (line, token) = &tokens[at];
        let begins = at == 0 || tokens[at - 1].1 != "::";
        let path = begins && tokens.get(at + 1).is_some_and(|(_, next)| next == "::");
        at = if path && is_name(token) { tree(&tokens, at, "", *line, &mut leaves) } else { at + 1 };
    }
    let resolved: Vec<_> =
        leaves.iter().filter_map(|leaf| Some((leaf, resolve(module, &leaf.path)?))).collect();
    let imported = |name: &str| {
        resolved
            .iter()
            .find(|(leaf, (_, of_crate))| *of_crate && leaf.name == name)
            .map(|(_, (path, _))| path)
    };
    let used = |(leaf, (path, of_crate)): &(&Leaf, (String, bool))| {
        let import = path.split_once("::").filter(|_| !of_crate);
        let import = import.and_then(|(first, rest)| Some(format!("{}::{rest}", imported(first)?)));
        let of_crate = *of_crate || import.is_some();
        Used { line: leaf.line, path: import.unwrap_or_else(|| path.clone()), of_crate }
    };
    resolved.iter().map(used).collect()
}

/// `leaf` from the crate's root, or as it is when it is of another crate; nothing when it is a local name.
fn resolve(module: &str, leaf: &str) -> Option<(String, bool)> {
    let (first, rest) = leaf.split_once("::")?;
    match first {
        "crate" => Some((rest.to_owned(), true)),
        "self" => Some((format!("{module}::{rest}"), true)),
        "super" => {
            let (mut base, mut rest) = (parent(module), rest);
            while let Some(further) = rest.strip_prefix("super::") {
                (base, rest) = (parent(base), further);
            }
            let path = if base.is_empty() { rest.to_owned() } else { format!("{base}::{rest}") };
            Some((path, true))
        }
        _ => Some((leaf.to_owned(), false)),
    }
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// Reads the tree that begins at `at`, and returns where it ends.
fn tree(
    tokens: &[(usize, String)],
    mut at: usize,
    before: &str,
    line: usize,
    leaves: &mut Vec<Leaf>,
) -> usize {
    let mut path = before.to_owned();
    let mut line = line;
    while let Some((here, token)) = tokens.get(at) {
        if token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|(_, token)| token != "}") {
                at = match tokens[at].1.as_str() {
                    "," => at + 1,
                    _ => tree(tokens, at, &path, tokens[at].0, leaves).max(at + 1),
                };
            }
            return at + 1;
        }
        if !is_name(token) && token != "*" {
            break;
        }
        line = *here;
        path.push_str(if path.is_empty() { "" } else { "::" });
        // `a::{self}` is `a`.
        if token != "self" || before.is_empty() {
            path.push_str(token);
        }
        at += 1;
        if tokens.get(at).is_none_or(|(_, token)| token != "::") {
            break;
        }
        at += 1;
    }
    let path = path.trim_end_matches("::").to_owned();
    let alias = tokens.get(at).filter(|(_, token)| token == "as").and_then(|_| tokens.get(at + 1));
    at += if alias.is_some() { 2 } else { 0 };
    let name =
        alias.map(|(_, alias)| alias.as_str()).or(path.rsplit("::").next()).unwrap_or_default().to_owned();
    leaves.push(Leaf { line, path, name });
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single characters with their lines; no comments, no texts, nothing behind `mod tests {`.
fn tokens(source: &str) -> Vec<(usize, String)> {
    let mut tokens: Vec<(usize, String)> = Vec::new();
    let mut chars = source.chars().peekable();
    let mut line = 1;
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
            '"' => {
                let start = line;
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    let c = if c == '\\' { chars.next() } else { Some(c) };
                    line += usize::from(c == Some('\n'));
                }
                tokens.push((start, "\"".to_owned()));
            }
            // A character or a lifetime; the quote of a character must not begin a text.
            '\'' => {
                let mut ahead = chars.clone();
                let first = ahead.next();
                if first == Some('\\') {
                    chars.next();
                    chars.next();
                    while chars.next().is_some_and(|c| c != '\'') {}
                } else if ahead.next() == Some('\'') {
                    chars.next();
                    chars.next();
                }
            }
            ':' if chars.next_if_eq(&':').is_some() => tokens.push((line, "::".to_owned())),
            c if c.is_whitespace() => {}
            c if c.is_alphanumeric() || c == '_' => {
                let mut name = String::from(c);
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                // A raw text: r"…" or r#"…"#.
                if matches!(name.as_str(), "r" | "br") && matches!(chars.peek(), Some('"' | '#')) {
                    let hashes = std::iter::from_fn(|| chars.next_if_eq(&'#')).count();
                    let end = format!("\"{}", "#".repeat(hashes));
                    let rest: String = chars.clone().skip(1).collect();
                    let length = rest.find(&end).map_or(rest.len(), |at| at + end.len());
                    let text = rest.split_at(length).0;
                    line += text.matches('\n').count();
                    chars.nth(text.chars().count());
                    continue;
                }
                let begins_tests = name == "tests" && tokens.last().is_some_and(|(_, last)| last == "mod");
                if begins_tests && chars.clone().find(|c| !c.is_whitespace()) == Some('{') {
                    break;
                }
                tokens.push((line, name));
            }
            c => tokens.push((line, c.to_string())),
        }
    }
    tokens
}
