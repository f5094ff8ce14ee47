//! The metrics of an export, and those that the documentation describes.

use std::collections::{BTreeMap, BTreeSet};

use crate::docs::Page;

/// A metric, with the names of its labels.
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) labels: Vec<String>,
}

/// The metrics in the order of an export in OpenMetrics' format.
pub(crate) fn exported(text: &str) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    let (mut family, mut kind) = (String::new(), String::new());
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["#", "TYPE", name, of_kind] => (family, kind) = ((*name).to_owned(), (*of_kind).to_owned()),
            ["#", ..] => {}
            _ => {
                let series = line.rsplit_once(' ').unwrap().0;
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                assert!(name.starts_with(&family), "{line} is below {family}");
                let name = if kind == "histogram" { &family } else { name };
                if metrics.last().is_none_or(|last| last.name != name) {
                    metrics.push(Metric { name: name.to_owned(), kind: kind.clone(), labels: Vec::new() });
                }
                let known = &mut metrics.last_mut().unwrap().labels;
                let labels =
                    labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('='));
                for (label, _) in labels.filter(|(label, _)| *label != "le") {
                    if !known.iter().any(|one| one == label) {
                        known.push(label.to_owned());
                    }
                }
            }
        }
    }
    metrics
}

/// The metrics of the page with their labels. A test keeps the page equal to the export.
pub(crate) fn described() -> BTreeMap<String, BTreeSet<String>> {
    let page = Page::read("docs/metrics.md");
    let rows = page.section("Metrics").text.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let labels = cells[2].split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
        (cells[0].trim_matches('`').to_owned(), labels)
    };
    rows.map(row).collect()
}
