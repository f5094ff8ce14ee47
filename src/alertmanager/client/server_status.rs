//! The state of Alertmanager, as `GET status` answers it.

use jiff::Timestamp;
use serde::Deserialize;

/// Grafana leaves out some of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    pub version: Option<String>,
    /// Not the time since the start, in spite of its name in the answer.
    pub started_at: Option<Timestamp>,
    pub cluster: Option<ClusterStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// Such as `ready`, `settling` or `disabled`.
    pub state: String,
    /// The members, including the one that answers.
    pub members: usize,
}

#[derive(Deserialize)]
struct Answer {
    uptime: Option<String>,
    cluster: Option<Cluster>,
    #[serde(rename = "versionInfo")]
    version_info: Option<VersionInfo>,
}

#[derive(Deserialize)]
struct Cluster {
    status: Option<String>,
    peers: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct VersionInfo {
    version: Option<String>,
}

impl ServerStatus {
    /// `None` if the answer is not a status.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let Answer { uptime, cluster, version_info } = serde_json::from_slice(body).ok()?;
        let cluster = cluster.and_then(|Cluster { status, peers }| {
            let members = peers.map_or(0, |peers| peers.len());
            Some(ClusterStatus { state: status?, members })
        });
        Some(Self {
            version: version_info.and_then(|info| info.version).filter(|version| !version.is_empty()),
            started_at: uptime.and_then(|uptime| uptime.parse().ok()),
            cluster,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_alertmanager_and_grafana_is_read() {
        let body = br#"{"uptime":"2026-11-21T08:00:00.123Z","versionInfo":{"version":"0.27.0"},"config":{},
            "cluster":{"name":"01","status":"ready","peers":[{"name":"01"},{"name":"02"}]}}"#;
        let status = ServerStatus::parse(body).unwrap();
        assert_eq!(status.version.as_deref(), Some("0.27.0"));
        assert_eq!(status.started_at.unwrap().to_string(), "2026-11-21T08:00:00.123Z");
        assert_eq!(status.cluster, Some(ClusterStatus { state: "ready".to_owned(), members: 2 }));
        let nothing = ServerStatus { version: None, started_at: None, cluster: None };
        assert_eq!(ServerStatus::parse(br#"{"config":{},"cluster":null}"#), Some(nothing));
        assert_eq!(ServerStatus::parse(b"<html>"), None);
    }
}
