//! The rules of accessibility that a program can check.

use std::fs;

use serde_json::{Value, json};

use super::window::Browser;
use crate::support::tools;

/// The rules of WCAG 2.2 up to level AA.
const RULES: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/// The text of axe-core. `None` if it is missing, and the test is skipped.
pub(crate) fn axe() -> Option<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/node_modules/axe-core/axe.min.js");
    let text = fs::read_to_string(path).ok();
    if text.is_none() {
        tools::skip(&format!("{path} is missing: npm ci --prefix tests/browser"));
    }
    text
}

impl Browser {
    /// The rules that the page breaks, each with the elements.
    pub(crate) async fn barriers(&self, axe: &str) -> Vec<String> {
        self.script(&format!("if (!window.axe) {{ {axe} }}"), &[]).await;
        let body = "const [rules, done] = arguments;
            axe.run(document, { runOnly: { type: 'tag', values: rules }, resultTypes: ['violations'] })
                .then(results => done(results.violations), error => done([{ id: String(error), nodes: [] }]));";
        let found = self.script_with_callback(body, &[json!(RULES)]).await;
        let elements = |rule: &Value| -> Vec<String> {
            let nodes = rule["nodes"].as_array().unwrap();
            nodes.iter().map(|node| format!("{} {}", node["html"], node["failureSummary"])).collect()
        };
        let rules = found.as_array().unwrap();
        rules.iter().map(|rule| format!("{}: {}", rule["id"], elements(rule).join("; "))).collect()
    }
}
