//! The webhooks of the demo, as Alertmanager sends them.

use jiff::Timestamp;
use serde_json::{Value, json};

/// One alert group.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) severity: &'a str,
    /// `firing` or `resolved`
    pub(super) status: &'a str,
    pub(super) alerts: Vec<GroupAlert>,
}

/// The parts of an alert that its group does not share.
pub(super) struct GroupAlert {
    pub(super) instance: String,
    pub(super) summary: String,
}

impl Group<'_> {
    pub(super) fn webhook(&self, now: Timestamp) -> String {
        let Self { name, severity, status, .. } = self;
        let common = json!({ "alertname": name, "cluster": "prod-hz", "severity": severity });
        let now = now.to_string();
        let ends_at = if *status == "resolved" { now.as_str() } else { "0001-01-01T00:00:00Z" };
        let json_of = |alert: &GroupAlert| {
            let GroupAlert { instance, summary } = alert;
            let labels = json!({ "alertname": name, "cluster": "prod-hz", "instance": instance, "severity": severity });
            json!({ "status": status, "labels": labels, "annotations": { "summary": summary },
                    "startsAt": now, "endsAt": ends_at, "generatorURL": "http://prometheus.example.com/graph" })
        };
        let alerts: Value = self.alerts.iter().map(json_of).collect();
        json!({
            "version": "4", "receiver": "wechat", "status": status, "alerts": alerts, "truncatedAlerts": 0,
            "groupKey": format!("{{}}:{{alertname={name:?}}}"), "groupLabels": { "alertname": name },
            "commonLabels": common, "commonAnnotations": {}, "externalURL": "http://alertmanager.example.com"
        })
        .to_string()
    }
}
