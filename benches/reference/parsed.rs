//! The payload, read by a plain serde derive.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;

type Pairs = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parsed {
    pub(super) receiver: String,
    pub(super) status: String,
    pub(super) alerts: Vec<Alert>,
    pub(super) group_labels: Pairs,
    pub(super) common_labels: Pairs,
    pub(super) group_key: String,
    #[serde(rename = "externalURL")]
    pub(super) external_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    labels: Pairs,
    annotations: Pairs,
    #[serde(rename = "generatorURL")]
    generator_url: String,
}

impl Parsed {
    pub(super) fn of(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap()
    }

    /// A text of the size of the default message.
    pub(super) fn text(&self) -> String {
        let mut text = format!("[{}] {:?}\n", self.status, self.group_labels);
        for alert in &self.alerts {
            for (name, value) in alert.labels.iter().chain(&alert.annotations) {
                _ = writeln!(text, " - {name} = {value}");
            }
            _ = writeln!(text, "Source: {}", alert.generator_url);
        }
        text.push_str(&self.external_url);
        text
    }
}
