//! The rules of Prometheus and the dashboard of Grafana use metrics that exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::LazyLock,
};

use serde_json::{Value, json};

use super::{documents, text};
use crate::{
    metrics,
    support::tools::{PROMTOOL, find},
};

/// Every series of the relay with its labels, from docs/metrics.md. Histograms are without `_bucket`, `_sum` and `_count`.
static SERIES: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let described = metrics::described().into_iter();
    // Prometheus itself adds `up`.
    described.chain([("up".to_owned(), BTreeSet::new())]).collect()
});

/// Labels that Prometheus adds.
const TARGET: [&str; 2] = ["job", "instance"];

/// Series and labels in `expr` that the relay does not export.
fn unknown(expr: &str) -> Vec<String> {
    let names = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let mut wrong: Vec<String> = names(expr)
        .into_iter()
        .filter(|name| name.starts_with("wecom_relay_") || name.starts_with("process_"))
        .filter(|name| series(name).is_none())
        .collect();
    let mut selectors = expr.split('{');
    let mut before = selectors.next().unwrap();
    for selector in selectors {
        let name = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
        let within = selector.split('}').next().unwrap();
        let labels = within.split(',').map(|one| one.split(['=', '!']).next().unwrap().trim());
        let has = |label: &str| series(name).is_some_and(|labels| labels.contains(label));
        for label in labels.filter(|label| !has(label) && !TARGET.contains(label)) {
            wrong.push(format!("{name}{{{label}}}"));
        }
        before = selector;
    }
    wrong
}

/// The labels of the series that `name` belongs to.
fn series(name: &str) -> Option<&'static BTreeSet<String>> {
    let parts = ["", "_bucket", "_sum", "_count"];
    let has_part = |series: &str| {
        let is_histogram = series.ends_with("_seconds") && !series.starts_with("process_");
        parts
            .iter()
            .filter(|part| part.is_empty() || is_histogram)
            .any(|part| name == format!("{series}{part}"))
    };
    SERIES.iter().find(|(series, _)| has_part(series)).map(|(_, labels)| labels)
}

/// The alerts' names and expressions.
fn rules() -> Vec<(String, String)> {
    let groups = documents("prometheus/rules.yml").remove(0)["groups"].as_array().unwrap().clone();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rules.map(|rule| (text(&rule["alert"]), text(&rule["expr"]))).collect()
}

/// The titles and expressions of the dashboard's panels and annotations.
pub(crate) fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&text("grafana/dashboard.json")).unwrap();
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let title = panel["title"].as_str().unwrap();
            found.push((title.to_owned(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        if let Some(expr) = annotation["expr"].as_str() {
            found.push((annotation["name"].as_str().unwrap().to_owned(), expr.to_owned()));
        }
    }
    assert!(found.len() > 30, "{}", found.len());
    found
}

/// The series and labels from which the dashboard's variables get their values.
pub(crate) fn variables() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&text("grafana/dashboard.json")).unwrap();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let queries = variables.iter().filter_map(|variable| variable["query"]["query"].as_str());
    let parts = queries.map(|query| {
        let call = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        let (series, label) = call.rsplit_once(", ").unwrap();
        (series.to_owned(), label.to_owned())
    });
    parts.collect()
}

#[test]
fn rules_and_dashboard_use_only_exported_metrics() {
    for (place, expr) in rules().into_iter().chain(panels()) {
        assert_eq!(unknown(&expr), [""; 0], "{place}: {expr}");
    }
    assert_eq!(unknown("rate(wecom_relay_atempts_total[5m])"), ["wecom_relay_atempts_total"]);
    assert_eq!(unknown("up{app=\"ops\"} + process_open_fds"), ["up{app}"]);
    assert_eq!(unknown("wecom_relay_outbox_depth_bucket"), ["wecom_relay_outbox_depth_bucket"]);
}

#[test]
fn the_dashboard_shows_every_metric() {
    let shown: String = panels().into_iter().map(|(_, expr)| expr + "\n").collect();
    for series in SERIES.keys() {
        assert!(shown.contains(series), "{series}");
    }
}

#[test]
fn every_alert_has_a_severity_and_a_description() {
    let groups = documents("prometheus/rules.yml").remove(0)["groups"].as_array().unwrap().clone();
    for rule in groups.iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "none"].contains(&severity), "{rule}");
        for annotation in ["summary", "description"] {
            assert!(!rule["annotations"][annotation].as_str().unwrap().is_empty(), "{rule}");
        }
    }
}

#[test]
fn every_panel_uses_the_selected_data_source() {
    let dashboard: Value = serde_json::from_str(&text("grafana/dashboard.json")).unwrap();
    let chosen = json!({ "type": "prometheus", "uid": "${datasource}" });
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids: Vec<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"], chosen, "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], chosen, "{target}");
        }
    }
}

#[test]
fn prometheus_understands_the_dashboard() {
    let Some(promtool) = find(&PROMTOOL) else { return };
    let plain = |expr: String| {
        let expr = expr.replace("$__rate_interval", "1m").replace("$__range", "1h");
        // Recording rules let promtool parse the expression; the label makes each rule unique.
        json!({ "record": "dashboard:panel", "labels": { "panel": expr }, "expr": expr })
    };
    let rules: Vec<_> = panels().into_iter().map(|(_, expr)| plain(expr)).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dashboard.yml");
    // JSON is YAML.
    let groups = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    std::fs::write(&path, groups.to_string()).unwrap();
    let checked = Command::new(promtool).args(["check", "rules"]).arg(&path).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
