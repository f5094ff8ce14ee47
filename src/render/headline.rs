//! The first line of a message: status, severity, name, count, place. It is all that a locked phone shows.

use std::collections::{HashMap, HashSet};

use crate::{
    alertmanager::{Alert, Pairs, Payload, severity_rank},
    language::Language,
    text::{one_line, shorten},
};

/// Labels that say where an alert is, the most general first.
const PLACES: [&str; 23] = [
    "cluster",
    "env",
    "environment",
    "region",
    "idc",
    "dc",
    "datacenter",
    "zone",
    "az",
    "project",
    "namespace",
    "service",
    "app",
    "application",
    "instance",
    "host",
    "hostname",
    "ip",
    "node",
    "pod",
    "pod_name",
    "device",
    "mountpoint",
];

const MAX_NAMES: usize = 3;
const MAX_SEVERITIES: usize = 3;
const MAX_PLACES: usize = 3;
/// The maximum number of bytes of one value.
const MAX_VALUE_BYTES: usize = 60;

/// The facts of the first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Headline {
    status: String,
    firing: usize,
    resolved: usize,
    truncated: u64,
    /// Distinct names of alerts, those of firing alerts with the worst severity first.
    names: Vec<String>,
    /// Severities of the firing alerts, or of all alerts if none fires. The worst comes first.
    severities: Vec<Count>,
    places: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Count {
    severity: String,
    alerts: usize,
}

impl Headline {
    /// `shared` are the labels that all alerts have in common.
    pub(super) fn of(payload: &Payload, shared: &Pairs) -> Self {
        let firing = payload.firing().count();
        let mut headline = Self {
            status: payload.status.clone(),
            firing,
            resolved: payload.resolved().count(),
            truncated: payload.truncated_alerts,
            names: Vec::new(),
            severities: Vec::new(),
            places: places(payload, shared),
        };
        let mut alerts: Vec<&Alert> = payload.alerts.iter().collect();
        alerts.sort_by_key(|alert| {
            let severity = alert.labels.get("severity").map_or("", String::as_str);
            (!alert.is_firing(), severity_rank(severity))
        });
        headline.names = distinct_names(&alerts);
        headline.severities = counts(
            alerts
                .iter()
                .filter(|alert| alert.is_firing() || firing == 0)
                .filter_map(|alert| alert.labels.get("severity")),
        );
        if payload.alerts.is_empty() {
            headline.names.extend(shared.get("alertname").map(|name| value(name)));
            headline.severities = counts(shared.get("severity").into_iter());
        }
        headline.severities.sort_by(|a, b| {
            severity_rank(&a.severity)
                .cmp(&severity_rank(&b.severity))
                .then_with(|| a.severity.cmp(&b.severity))
        });
        headline
    }

    /// The line in `language`.
    pub(super) fn text(&self, language: Language) -> String {
        one_line(&match language {
            Language::En => self.english(),
            Language::Zh => self.chinese(),
        })
    }

    fn english(&self) -> String {
        let counts = [
            ("FIRING", self.firing as u64),
            ("RESOLVED", self.resolved as u64),
            ("NOT SHOWN", self.truncated),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{word}:{count}"))
            .collect();
        let status = if counts.is_empty() { self.status.to_uppercase() } else { counts.join(" ") };
        let mut names = self.names.iter().take(MAX_NAMES).cloned().collect::<Vec<_>>().join(" ");
        if self.names.len() > MAX_NAMES {
            names.push_str(&format!(" +{}", self.names.len() - MAX_NAMES));
        }
        let severities = self.severities(Language::En, ", ");
        let severities = if severities.is_empty() { severities } else { format!("({severities})") };
        [format!("[{status}]"), names, severities, self.places.join(" ")].join(" ")
    }

    fn chinese(&self) -> String {
        let counts =
            [("告警", self.firing as u64), ("恢复", self.resolved as u64), ("未列出", self.truncated)];
        let counts: Vec<(&str, u64)> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        let (status, total) = match counts.as_slice() {
            [] => (if self.status == "resolved" { "恢复" } else { "告警" }.to_owned(), String::new()),
            [(word, count)] => ((*word).to_owned(), format!("×{count}")),
            several => {
                let several: Vec<String> =
                    several.iter().map(|(word, count)| format!("{word} {count}")).collect();
                (several.join("｜"), String::new())
            }
        };
        let severities = self.severities(Language::Zh, " ");
        let severities = if severities.is_empty() { severities } else { format!("[{severities}] ") };
        let mut names = self.names.iter().take(MAX_NAMES).cloned().collect::<Vec<_>>().join("、");
        if self.names.len() > MAX_NAMES {
            names.push_str(&format!(" 等 {} 种", self.names.len()));
        }
        let rest = [names, total, self.places.join(" ")].join(" ");
        format!("【{status}】{severities}{}", rest.trim_start())
    }

    /// One severity, or several with their counts.
    fn severities(&self, language: Language, separator: &str) -> String {
        let word = |count: &Count| value(language.severity(&count.severity));
        if let [only] = self.severities.as_slice() {
            return word(only);
        }
        let shown = self.severities.iter().take(MAX_SEVERITIES);
        shown.map(|count| format!("{} {}", word(count), count.alerts)).collect::<Vec<_>>().join(separator)
    }
}

/// The names of alerts without repetition, in their order. A payload may have many thousands.
fn distinct_names(alerts: &[&Alert]) -> Vec<String> {
    let mut seen = HashSet::new();
    let names = alerts.iter().filter_map(|alert| alert.labels.get("alertname"));
    let names = names.filter(|name| !name.trim().is_empty()).map(|name| value(name));
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// How many alerts have each severity.
fn counts<'a>(severities: impl Iterator<Item = &'a String>) -> Vec<Count> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for severity in severities.filter(|severity| !severity.trim().is_empty()) {
        *counts.entry(severity).or_default() += 1;
    }
    let count = |(severity, alerts): (&str, usize)| Count { severity: severity.to_owned(), alerts };
    counts.into_iter().map(count).collect()
}

/// Values that say where the alerts are: group labels, then the shared labels of [`PLACES`].
fn places(payload: &Payload, shared: &Pairs) -> Vec<String> {
    let is_place = |name: &str| name != "alertname" && name != "severity";
    let grouped = payload.group_labels.iter().map(|(name, text)| (name.as_str(), text));
    let grouped = grouped.filter(|(name, _)| is_place(name));
    let known = PLACES.iter().filter_map(|name| Some((*name, shared.get(*name)?)));
    let others = shared.iter().filter(|(name, _)| is_place(name));
    let mut names: Vec<&str> = Vec::new();
    let mut places = Vec::new();
    for (name, text) in grouped.chain(known) {
        if names.len() < MAX_PLACES && !names.contains(&name) && !text.trim().is_empty() {
            names.push(name);
            places.push(value(text));
        }
    }
    if places.is_empty() {
        places.extend(others.map(|(_, text)| value(text)).take(MAX_PLACES));
    }
    places
}

fn value(text: &str) -> String {
    shorten(&one_line(text), MAX_VALUE_BYTES).into_owned()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{alertmanager::parse, render::shared::shared_labels};

    fn lines(alerts: &str, rest: &str) -> [String; 2] {
        let body = format!(r#"{{"status":"firing","alerts":[{alerts}]{rest}}}"#);
        let payload = parse(body.as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
        let headline = Headline::of(&payload, &shared_labels(&payload));
        [headline.text(Language::En), headline.text(Language::Zh)]
    }

    fn alert(status: &str, name: &str, severity: &str, instance: &str) -> String {
        format!(
            r#"{{"status":"{status}","labels":{{"alertname":"{name}","severity":"{severity}","cluster":"prod-hz","instance":"{instance}"}}}}"#
        )
    }

    #[test]
    fn the_first_line_says_status_severity_name_count_and_place() {
        let down = |status, instance| alert(status, "HostDown", "critical", instance);
        let two = [down("firing", "a"), down("firing", "b")].join(",");
        let mixed = [down("firing", "a"), down("resolved", "b")].join(",");
        let kinds =
            [alert("firing", "Slow", "warning", "a"), down("firing", "b"), down("firing", "c")].join(",");
        let over = [down("resolved", "a")].join(",");
        let cases = [
            lines(&two, ""),
            lines(&mixed, ""),
            lines(&kinds, ""),
            lines(&over, ""),
            lines(&over, r#","truncatedAlerts":3"#),
            lines("", r#","groupLabels":{"alertname":"Heartbeat"},"commonLabels":{"severity":"critical"}"#),
            lines(r#"{"status":"firing","labels":{"order":"7"}}"#, ""),
        ];
        insta::assert_snapshot!(cases.concat().join("\n"), @r"
        [FIRING:2] HostDown (critical) prod-hz
        【告警】[严重] HostDown ×2 prod-hz
        [FIRING:1 RESOLVED:1] HostDown (critical) prod-hz
        【告警 1｜恢复 1】[严重] HostDown prod-hz
        [FIRING:3] HostDown Slow (critical 2, warning 1) prod-hz
        【告警】[严重 2 警告 1] HostDown、Slow ×3 prod-hz
        [RESOLVED:1] HostDown (critical) prod-hz a
        【恢复】[严重] HostDown ×1 prod-hz a
        [RESOLVED:1 NOT SHOWN:3] HostDown (critical) prod-hz a
        【恢复 1｜未列出 3】[严重] HostDown prod-hz a
        [FIRING:1] Heartbeat (critical)
        【告警】[严重] Heartbeat ×1
        [FIRING:1] 7
        【告警】×1 7
        ");
    }
}
