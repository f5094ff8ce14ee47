//! Filters for alerts: their order, their annotations as lines, and their links.

use std::collections::HashSet;

use tera::{Kwargs, Map, State, TeraResult, Value, value::Key};

use super::{
    links::{MAX_LINK_BYTES, silence_link},
    wording::language,
};
use crate::{
    alertmanager::{SEVERITY_RANKS, severity_rank},
    language::Language,
    render::markdown,
};

/// Annotations that say what is wrong, in the order in which people read them.
const FIRST: [&str; 3] = ["summary", "description", "message"];

/// The rank of an alert's severity; 0 is the worst.
pub(super) fn rank(alert: &Map) -> usize {
    let severity = map_in(alert, "labels").and_then(|labels| text_in(labels, "severity"));
    severity.map_or(SEVERITY_RANKS, severity_rank)
}

/// The alerts with the worst severity first. Alerts of one severity keep their order.
pub(super) fn by_severity(alerts: &[Value], _: Kwargs, _: &State<'_>) -> Vec<Value> {
    let mut sorted = alerts.to_vec();
    sorted.sort_by_key(|alert| alert.as_map().map_or(SEVERITY_RANKS, rank));
    sorted
}

/// Annotations as an array of `name`, `label` and `value`. Links, empty values and repeated values are left out.
pub(super) fn details(annotations: &Map, kwargs: Kwargs, _: &State<'_>) -> TeraResult<Vec<Value>> {
    let language = language(&kwargs)?;
    let first = FIRST.iter().filter_map(|name| Some((*name, text_in(annotations, name)?)));
    let others = annotations.iter().filter_map(|(name, value)| Some((name.as_str()?, value.as_str()?)));
    let others = others.filter(|(name, _)| !FIRST.contains(name) && !name.starts_with("__"));
    let mut seen: HashSet<&str> = HashSet::new();
    let mut details = Vec::new();
    for (name, value) in first.chain(others) {
        let value = value.trim();
        if value.is_empty() || is_link(value) || !seen.insert(value) {
            continue;
        }
        let detail = [("name", name), ("label", language.name(name)), ("value", value)];
        details.push(Map::from_iter(detail.map(|(key, text)| (key.into(), text.into()))).into());
    }
    Ok(details)
}

/// The links of an alert as an array of `name` and `url`: graph, silence if it fires, dashboard, runbook.
pub(super) fn links(alert: &Map, kwargs: Kwargs, _: &State<'_>) -> TeraResult<Vec<Value>> {
    let language = language(&kwargs)?;
    let field = |name: &'static str| text_in(alert, name).unwrap_or_default().to_owned();
    let mut found: Vec<(String, String)> =
        vec![(language.choose("Source", "图表").to_owned(), field("generatorURL"))];
    if text_in(alert, "status") != Some("resolved") {
        found.push((language.choose("Silence", "静默").to_owned(), silence_link(alert)?));
    }
    let panel =
        Some(field("panelURL")).filter(|url| !url.is_empty()).unwrap_or_else(|| field("dashboardURL"));
    found.push((language.choose("Dashboard", "面板").to_owned(), panel));
    if let Some(annotations) = map_in(alert, "annotations") {
        let urls = annotations.iter().filter_map(|(name, value)| Some((name.as_str()?, value.as_str()?)));
        let urls = urls.filter(|(name, value)| !name.starts_with("__") && is_link(value.trim()));
        found.extend(urls.map(|(name, url)| (link_name(name, language), url.trim().to_owned())));
    }
    let mut links = Vec::new();
    for (name, url) in found {
        let url = markdown::url(&url);
        if !url.is_empty() && url.len() <= MAX_LINK_BYTES {
            let link = [("name", name), ("url", url)];
            links.push(Map::from_iter(link.map(|(key, text)| (key.into(), text.into()))).into());
        }
    }
    Ok(links)
}

/// The name of a link in an annotation, such as `runbook_url`.
fn link_name(annotation: &str, language: Language) -> String {
    let name = annotation.trim_end_matches("_url").trim_end_matches("URL").trim_end_matches("Url");
    match name {
        "runbook" => language.choose("Runbook", "处理手册").to_owned(),
        "dashboard" => language.choose("Dashboard", "面板").to_owned(),
        name => language.name(name).to_owned(),
    }
}

fn is_link(text: &str) -> bool {
    (text.starts_with("http://") || text.starts_with("https://")) && !text.contains(char::is_whitespace)
}

fn text_in<'m>(map: &'m Map, name: &'static str) -> Option<&'m str> {
    map.get(&Key::Str(name)).and_then(Value::as_str)
}

fn map_in<'m>(map: &'m Map, name: &'static str) -> Option<&'m Map> {
    map.get(&Key::Str(name)).and_then(Value::as_map)
}
