//! The payload's fields.
//!
//! - Unknown fields are kept for templates, unless they are large or deep. Missing fields and `null` become empty values.
//! - Times stay as text, so that the relay compares and shows exactly what Alertmanager sent.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use litemap::LiteMap;

use super::{repairs::Repairs, time};

/// Labels or annotations by name, in bytewise order. Usually there are few, for which a sorted list takes much less
/// memory than a tree.
pub type Pairs = LiteMap<String, String>;

/// Fields that this program does not know.
pub type Extra = BTreeMap<String, serde_json::Value>;

/// One notification about a group of alerts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payload {
    /// The receiver's name as Go's `regexp.QuoteMeta` writes it; see [`unquote`].
    pub receiver: String,
    /// `firing` when at least one alert of this payload fires, else `resolved`.
    pub status: String,
    /// The alerts in Alertmanager's order.
    pub alerts: Vec<Alert>,
    /// The labels that the alerts are grouped by.
    pub group_labels: Pairs,
    /// The labels that all alerts have in common.
    pub common_labels: Pairs,
    /// The annotations that all alerts have in common.
    pub common_annotations: Pairs,
    /// The URL of Alertmanager for browsers. Each member of a cluster has its own.
    pub external_url: String,
    /// `4`, or Grafana's `1`.
    pub version: String,
    /// The key of the group; all members of a cluster use the same key.
    pub group_key: String,
    /// The number of alerts that Alertmanager left out. They count neither in `status` nor in the common labels.
    pub truncated_alerts: u64,
    /// All other fields.
    pub extra: Extra,
    /// The repairs that were made while the payload was read.
    pub repairs: Repairs,
}

/// One alert of a [`Payload`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Alert {
    /// `firing` or `resolved`.
    pub status: String,
    pub labels: Pairs,
    pub annotations: Pairs,
    /// The time at which the alert began to fire, as received.
    pub starts_at: String,
    /// The time at which the alert ended, as received; `0001-01-01T00:00:00Z` while it fires.
    pub ends_at: String,
    /// A link to the alerting rule.
    pub generator_url: String,
    /// A hash of the labels; all members of a cluster compute the same one.
    pub fingerprint: String,
    /// All other fields.
    pub extra: Extra,
}

impl Alert {
    pub fn is_firing(&self) -> bool {
        self.status == "firing"
    }

    pub fn is_resolved(&self) -> bool {
        self.status == "resolved"
    }

    /// True if the payload has the time at which the alert began to fire.
    pub fn has_start(&self) -> bool {
        self.starts_at.starts_with(|c: char| c.is_ascii_digit()) && !time::is_zero(&self.starts_at)
    }
}

impl Payload {
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.is_firing())
    }

    pub fn resolved(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.is_resolved())
    }

    /// Removes resolved alerts, for a receiver with `send_resolved: false`, and computes status, common labels and
    /// common annotations again. Returns `None` when no alert is left.
    ///
    /// If every listed alert is resolved but Alertmanager truncated others, the payload is returned unchanged,
    /// because a truncated alert may be firing.
    pub fn without_resolved(mut self) -> Option<Self> {
        if self.alerts.iter().all(Alert::is_resolved) {
            return (self.truncated_alerts > 0).then_some(self);
        }
        let count = self.alerts.len();
        self.alerts.retain(|alert| !alert.is_resolved());
        if self.alerts.len() < count {
            let fires = self.alerts.iter().any(Alert::is_firing);
            self.status = if fires { "firing" } else { "resolved" }.to_owned();
            self.common_labels = common(self.alerts.iter().map(|alert| &alert.labels));
            self.common_annotations = common(self.alerts.iter().map(|alert| &alert.annotations));
        }
        Some(self)
    }

    /// Computes common labels and annotations that the sender left out. Alertmanager and Grafana always send them.
    pub(super) fn add_common(&mut self) {
        if self.common_labels.is_empty() {
            self.common_labels = common(self.alerts.iter().map(|alert| &alert.labels));
        }
        if self.common_annotations.is_empty() {
            self.common_annotations = common(self.alerts.iter().map(|alert| &alert.annotations));
        }
    }

    /// Returns the worst known `severity` label of the firing alerts, or of all alerts when none fires. Without a known
    /// severity it returns the most common label.
    pub fn severity(&self) -> Option<&str> {
        let fires = self.alerts.iter().any(Alert::is_firing);
        let alerts = self.alerts.iter().filter(|alert| alert.is_firing() || !fires);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for severity in alerts.filter_map(|alert| alert.labels.get("severity")) {
            *counts.entry(severity).or_default() += 1;
        }
        let worst = counts.into_iter().max_by_key(|&(severity, count)| {
            // The name decides last, so that the result does not depend on the order of the map.
            (Reverse(severity_rank(severity)), count, Reverse(severity))
        });
        worst.map(|(severity, _)| severity)
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

/// Common words for severities, the worst first.
const SEVERITIES: [&[&str]; 6] = [
    &["emergency", "disaster", "fatal", "p0", "紧急"],
    &["critical", "crit", "page", "p1", "严重"],
    &["error", "high", "major", "p2", "重要"],
    &["warning", "warn", "average", "medium", "minor", "p3", "警告"],
    &["low", "notice", "p4", "一般"],
    &["info", "information", "debug", "none", "p5", "提示"],
];

/// The number of ranks of known severities.
pub const SEVERITY_RANKS: usize = SEVERITIES.len();

/// The rank of a severity: 0 is the worst. An unknown severity has the rank [`SEVERITY_RANKS`].
pub fn severity_rank(severity: &str) -> usize {
    let severity = severity.to_lowercase();
    SEVERITIES.iter().position(|words| words.contains(&severity.as_str())).unwrap_or(SEVERITIES.len())
}

/// The pairs that all of `sets` contain. As in Alertmanager, a missing value equals an empty one.
fn common<'a>(mut sets: impl Iterator<Item = &'a Pairs>) -> Pairs {
    let mut common = sets.next().cloned().unwrap_or_default();
    for set in sets {
        common.retain(|name, value| set.get(name).map_or("", String::as_str) == value);
    }
    common
}
