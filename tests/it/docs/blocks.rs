//! Every fenced block is checked by a test, or says why not.

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

#[test]
fn ci_runs_the_blocks_that_say_so() {
    for (place, block) in blocks().iter().filter(|(_, block)| block.info == "sh ci") {
        for line in block.code() {
            assert!(CI.contains(line), "{place}: {line} is not in .ci/run");
        }
    }
}
