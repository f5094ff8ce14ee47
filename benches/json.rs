//! The result as JSON, and the difference between two results.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use crate::{report::Report, table::Table};

/// Smaller differences are noise.
const NOISE: f64 = 0.05;

pub(crate) fn write(path: &Path, machine: &[(String, String)], report: &Report) {
    let machine: BTreeMap<_, _> =
        machine.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let figures: serde_json::Map<String, Value> =
        report.figures.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let targets: Vec<Value> = report
        .targets
        .iter()
        .map(|target| {
            json!({ "figure": target.figure, "target": target.wanted, "measured": target.found, "reached": target.reached })
        })
        .collect();
    let all = json!({ "machine": machine, "figures": figures, "targets": targets });
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("{all:#}\n")).unwrap();
}

/// The figures of two results, with their change.
pub(crate) fn compare(before: &Path, after: &Path) -> Table {
    let (before, after) = (figures(before), figures(after));
    let mut table = Table::new("Difference", ["figure", "before", "after", "change", ""]);
    for (name, old) in &before {
        let Some(new) = after.get(name) else { continue };
        let change = new / old - 1.0;
        let larger_is_better = name.ends_with("per_s") || name.ends_with("ratio");
        let word = match (change.abs() > NOISE, (change > 0.0) == larger_is_better) {
            (true, true) => "better",
            (true, false) => "worse",
            (false, _) => "",
        };
        let shown =
            |value: f64| if value.abs() < 10.0 { format!("{value:.3}") } else { format!("{value:.0}") };
        let percent = format!("{:+.1} %", change * 100.0);
        table.row([name.clone(), shown(*old), shown(*new), percent, word.to_owned()]);
    }
    let one_only = before.keys().filter(|name| !after.contains_key(*name)).count()
        + after.keys().filter(|name| !before.contains_key(*name)).count();
    if one_only > 0 {
        table.note(format!("{one_only} figures are in one of the two files only"));
    }
    table
}

fn figures(path: &Path) -> BTreeMap<String, f64> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let value: Value = serde_json::from_str(&text).unwrap();
    let figures = value["figures"].as_object().unwrap();
    figures.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
}
