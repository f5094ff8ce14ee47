//! Every fenced block is checked by a test, or says why not. `CONTRIBUTING.md` has the convention.

use std::process::Command;

use super::page::{Block, Page};

const CI: &str = include_str!("../../../.ci/run");

/// The blocks of the documentation with their places.
fn blocks() -> Vec<(String, Block)> {
    let mut found = Vec::new();
    for page in Page::all() {
        for block in page.sections.into_iter().flat_map(|section| section.blocks) {
            found.push((format!("{}:{}", page.name, block.line), block));
        }
    }
    found
}

/// The mark of a block is one that a test knows, or a reason.
fn is_known(block: &Block) -> bool {
    let has_reason = block.mark().strip_prefix("not-run: ").is_some_and(|reason| !reason.is_empty());
    match block.language() {
        // Run by `commands`, or below.
        "sh" => matches!(block.mark(), "" | "ci") || has_reason,
        // Read by `configs`.
        "yaml" => matches!(block.mark(), "config.yml" | "alertmanager.yml") || has_reason,
        // Rendered by `recipes`.
        "jinja" => block.mark().is_empty(),
        "text" if block.mark().starts_with("shows ") => true,
        // An output or a drawing. A command must be in a block `sh`.
        "" | "text" => block.mark().is_empty() && !block.text.contains("wecom-relay serve"),
        "ini" | "rust" | "sql" => has_reason,
        _ => false,
    }
}

#[test]
fn every_block_is_checked_or_says_why_not() {
    for (place, block) in blocks() {
        assert!(is_known(&block), "{place}: nobody checks a block `{}`; see CONTRIBUTING.md", block.info);
    }
}

#[test]
fn ci_runs_the_blocks_that_say_so() {
    for (place, block) in blocks().iter().filter(|(_, block)| block.info == "sh ci") {
        for line in block.code() {
            assert!(CI.contains(line), "{place}: {line} is not in .ci/run");
        }
    }
}

/// The help of a subcommand, which has its options and those of all commands.
fn help(words: &[&str]) -> Option<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    let help = command.args(words).arg("--help").output().unwrap();
    help.status.success().then(|| String::from_utf8(help.stdout).unwrap())
}

#[test]
fn commands_in_the_text_name_existing_options() {
    for page in Page::all() {
        for name in page.sections.iter().flat_map(|section| section.names()) {
            let Some(line) = name.strip_prefix("wecom-relay ") else { continue };
            let words: Vec<_> =
                line.split([' ', '=']).map(|word| word.trim_matches(['[', ']', ','])).collect();
            let is_word = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase());
            let commands: Vec<_> = words.iter().take_while(is_word).copied().take(2).collect();
            let commands = if commands.first() == Some(&"help") { Vec::new() } else { commands };
            let help = help(&commands).or_else(|| help(commands.get(..1)?));
            let help = help.unwrap_or_else(|| panic!("{}: `{name}` is no command", page.name));
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{}: `{name}` has no {option}", page.name);
            }
        }
    }
}
