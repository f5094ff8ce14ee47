//! Alertmanager's webhook payload (version "4"; Grafana's version "1" has the same skeleton).
//!
//! Strict types were rejected: Alertmanager adds fields from release to release, and a payload that is refused
//! is an alert that is lost. So unknown fields are kept for templates, missing and `null` ones are empty, and
//! times stay the text that was received, so that what is compared and shown is what was sent.

mod parse;

use std::{borrow::Cow, collections::BTreeMap, collections::HashMap};

use serde::Deserialize;

pub use parse::{PayloadError, parse};

/// Labels or annotations by name, in bytewise order.
pub type Pairs = BTreeMap<String, String>;

/// Fields that this program does not know, as they came.
pub type Extra = BTreeMap<String, serde_json::Value>;

/// One notification about a group of alerts.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// The receiver's name as Go's `regexp.QuoteMeta` writes it; see [`unquote`].
    #[serde(default, deserialize_with = "parse::text")]
    pub receiver: String,
    /// `firing` when at least one alert of this payload fires, else `resolved`.
    #[serde(default, deserialize_with = "parse::text")]
    pub status: String,
    /// The alerts in Alertmanager's order.
    #[serde(deserialize_with = "parse::or_empty")]
    pub alerts: Vec<Alert>,
    /// The labels that the alerts are grouped by.
    #[serde(default, deserialize_with = "parse::pairs")]
    pub group_labels: Pairs,
    /// The labels that all alerts have in common.
    #[serde(default, deserialize_with = "parse::pairs")]
    pub common_labels: Pairs,
    /// The annotations that all alerts have in common.
    #[serde(default, deserialize_with = "parse::pairs")]
    pub common_annotations: Pairs,
    /// Where Alertmanager is reached by a browser; differs between the members of a cluster.
    #[serde(default, rename = "externalURL", deserialize_with = "parse::text")]
    pub external_url: String,
    /// `4`, or Grafana's `1`.
    #[serde(default, deserialize_with = "parse::text")]
    pub version: String,
    /// What identifies the group; the same at all members of a cluster.
    #[serde(default, deserialize_with = "parse::text")]
    pub group_key: String,
    /// How many alerts Alertmanager left out. Status and common labels do not speak of those.
    #[serde(default, deserialize_with = "parse::or_empty")]
    pub truncated_alerts: u64,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One alert of a [`Payload`].
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// `firing` or `resolved`.
    #[serde(default, deserialize_with = "parse::text")]
    pub status: String,
    /// What identifies the alert.
    #[serde(default, deserialize_with = "parse::pairs")]
    pub labels: Pairs,
    /// What explains the alert.
    #[serde(default, deserialize_with = "parse::pairs")]
    pub annotations: Pairs,
    /// When the alert began to fire, as received.
    #[serde(default, deserialize_with = "parse::text")]
    pub starts_at: String,
    /// When the alert ended, as received; `0001-01-01T00:00:00Z` while it fires.
    #[serde(default, deserialize_with = "parse::text")]
    pub ends_at: String,
    /// Where the alert comes from.
    #[serde(default, rename = "generatorURL", deserialize_with = "parse::text")]
    pub generator_url: String,
    /// A hash of the labels; the same at all members of a cluster.
    #[serde(default, deserialize_with = "parse::text")]
    pub fingerprint: String,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Alert {
    /// Whether the alert fires.
    pub fn is_firing(&self) -> bool {
        self.status == "firing"
    }

    /// Whether the alert is over.
    pub fn is_resolved(&self) -> bool {
        self.status == "resolved"
    }
}

impl Payload {
    /// The alerts that fire.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.is_firing())
    }

    /// The alerts that are over.
    pub fn resolved(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.is_resolved())
    }

    /// The notification for a receiver with `send_resolved: false`: resolved alerts are left out, and status, common
    /// labels and common annotations are those of the rest. `None` when there is nothing left to say.
    ///
    /// When only resolved alerts are shown but others were truncated, the payload stays as it is: those that
    /// were left out may fire.
    pub fn without_resolved(&self) -> Option<Cow<'_, Self>> {
        let left: Vec<Alert> = self.alerts.iter().filter(|alert| !alert.is_resolved()).cloned().collect();
        if left.is_empty() {
            return (self.truncated_alerts > 0).then_some(Cow::Borrowed(self));
        }
        if left.len() == self.alerts.len() {
            return Some(Cow::Borrowed(self));
        }
        let fires = left.iter().any(Alert::is_firing);
        Some(Cow::Owned(Self {
            receiver: self.receiver.clone(),
            status: if fires { "firing" } else { "resolved" }.to_owned(),
            group_labels: self.group_labels.clone(),
            common_labels: common(left.iter().map(|alert| &alert.labels)),
            common_annotations: common(left.iter().map(|alert| &alert.annotations)),
            external_url: self.external_url.clone(),
            version: self.version.clone(),
            group_key: self.group_key.clone(),
            truncated_alerts: self.truncated_alerts,
            extra: self.extra.clone(),
            alerts: left,
        }))
    }

    /// The `severity` label that stands for the notification: the worst that is known among the alerts that fire
    /// (among all, when none does); when none is known, the most common.
    pub fn severity(&self) -> Option<&str> {
        let fires = self.alerts.iter().any(Alert::is_firing);
        let alerts = self.alerts.iter().filter(|alert| alert.is_firing() || !fires);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for severity in alerts.filter_map(|alert| alert.labels.get("severity")) {
            *counts.entry(severity).or_default() += 1;
        }
        let worse = |(severity, count): &(&str, usize)| {
            (std::cmp::Reverse(rank(severity)), *count, std::cmp::Reverse(severity.to_string()))
        };
        counts.into_iter().max_by_key(worse).map(|(severity, _)| severity)
    }
}

/// Undoes Go's `regexp.QuoteMeta`, which Alertmanager applies to the receiver's name: `db\.oncall` is `db.oncall`.
pub fn unquote(receiver: &str) -> Cow<'_, str> {
    if !receiver.contains('\\') {
        return Cow::Borrowed(receiver);
    }
    let mut name = String::with_capacity(receiver.len());
    let mut chars = receiver.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(&quoted) if c == '\\' && r"\.+*?()|[]{}^$".contains(quoted) => {
                name.push(quoted);
                chars.next();
            }
            _ => name.push(c),
        }
    }
    Cow::Owned(name)
}

/// The words for a severity in common use, the worst first.
const SEVERITIES: [&[&str]; 6] = [
    &["emergency", "disaster", "fatal", "p0", "紧急"],
    &["critical", "crit", "page", "p1", "严重"],
    &["error", "high", "major", "p2", "重要"],
    &["warning", "warn", "average", "medium", "minor", "p3", "警告"],
    &["low", "notice", "p4", "一般"],
    &["info", "information", "debug", "none", "p5", "提示"],
];

/// The place of `severity` among [`SEVERITIES`]; what is unknown stands behind all.
fn rank(severity: &str) -> usize {
    let severity = severity.to_lowercase();
    SEVERITIES.iter().position(|words| words.contains(&severity.as_str())).unwrap_or(SEVERITIES.len())
}

/// What all of `sets` agree on. As in Alertmanager, a missing value is the same as an empty one.
fn common<'a>(mut sets: impl Iterator<Item = &'a Pairs>) -> Pairs {
    let mut common = sets.next().cloned().unwrap_or_default();
    for set in sets {
        common.retain(|name, value| set.get(name).map_or("", String::as_str) == value);
    }
    common
}

#[cfg(test)]
mod tests;
