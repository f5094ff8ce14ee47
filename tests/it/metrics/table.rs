//! The README's table of metrics against the export of a relay.

use std::collections::{BTreeMap, BTreeSet};

use super::scrape;
use crate::{
    readme,
    support::{Relay, Wecom},
};

/// The labels of each metric, and its unit if the OpenMetrics export names one.
pub(crate) type Table = BTreeMap<String, (BTreeSet<String>, Option<String>)>;

fn exported(text: &str) -> Table {
    let mut table = Table::new();
    let (mut metric, mut histogram, mut unit) = (String::new(), false, None);
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["#", "TYPE", name, kind] => {
                (metric, histogram, unit) = ((*name).to_owned(), *kind == "histogram", None);
            }
            ["#", "UNIT", _, of_unit] => unit = Some((*of_unit).to_owned()),
            ["#", ..] => {}
            _ => {
                let series = line.rsplit_once(' ').unwrap().0;
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                assert!(name.starts_with(&metric), "{line} is below {metric}");
                let name = if histogram { metric.clone() } else { name.to_owned() };
                let labels =
                    labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('='));
                let labels = labels.map(|(label, _)| label.to_owned()).filter(|label| label != "le");
                table.entry(name).or_insert_with(|| (BTreeSet::new(), unit.clone())).0.extend(labels);
            }
        }
    }
    table
}

/// Reads the table of the README.
pub(crate) fn described() -> Table {
    let rows = readme::section("Metrics").lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let labels = cells[1].split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
        let unit = Some(cells[2].to_owned()).filter(|unit| ["seconds", "bytes"].contains(&unit.as_str()));
        (cells[0].trim_matches('`').to_owned(), (labels, unit))
    };
    rows.map(row).collect()
}

#[tokio::test]
async fn the_readme_describes_exactly_the_exported_metrics() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    assert_eq!(described(), exported(&scrape(&relay).await));
    relay.stop().await;
}
