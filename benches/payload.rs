//! What is posted: one notification of two alerts, as Alertmanager writes it, with another group each time.

use std::{fmt::Write as _, net::SocketAddr};

/// What stands before the ten digits by which a notification is known, from the payload to the sink.
pub(crate) const MARK: &str = "unit-";
/// Every id has as many digits, so that every request is as long as the first.
const DIGITS: usize = 10;
const NO_ID: &str = "unit-##########";
/// How many alerts a notification has that is posted. Two make 1.7 kB.
pub(crate) const ALERTS: usize = 2;
/// Notifications are for as many receivers, in turn.
pub(crate) const RECEIVERS: usize = 16;
const NO_RECEIVER: &str = "team-##";

/// The name of the receiver that notification `id` is for.
pub(crate) fn receiver(id: u64) -> String {
    format!("team-{:02}", id % RECEIVERS as u64)
}

/// A payload of `alerts` alerts whose group is `id`.
pub(crate) fn payload(id: u64, alerts: usize) -> String {
    fill(&template(alerts), id)
}

fn fill(template: &str, id: u64) -> String {
    template.replace(NO_ID, &format!("{MARK}{id:010}")).replace(NO_RECEIVER, &receiver(id))
}

fn template(alerts: usize) -> String {
    let common = format!(
        "\"alertname\":\"HighRequestLatency\",\"cluster\":\"shop-production-1\",\"job\":\"{NO_ID}\",\
         \"severity\":\"critical\""
    );
    let runbook = "\"runbook_url\":\"https://runbooks.example.com/latency\"";
    let mut all = String::new();
    for alert in 0..alerts {
        let comma = if alert == 0 { "" } else { "," };
        _ = write!(
            all,
            "{comma}{{\"status\":\"firing\",\"labels\":{{{common},\"instance\":\"10.21.4.{alert}:9090\",\
             \"pod\":\"checkout-7d9f8b6c5-{alert:05}\"}},\"annotations\":{{\"description\":\"The 99th percentile \
             of request latency has been above 2 s for more than 10 minutes.\",{runbook},\"summary\":\"Requests \
             to checkout on 10.21.4.{alert} are slow\"}},\"startsAt\":\"2026-11-21T08:00:00.14Z\",\"endsAt\":\
             \"0001-01-01T00:00:00Z\",\"generatorURL\":\"http://prometheus.example.com/graph?g0.expr=latency\
             %3Ap99+%3E+2\\u0026g0.tab=1\",\"fingerprint\":\"9f3c{alert:012x}\"}}"
        );
    }
    format!(
        "{{\"receiver\":\"{NO_RECEIVER}\",\"status\":\"firing\",\"alerts\":[{all}],\"groupLabels\":{{\"alertname\":\
         \"HighRequestLatency\",\"job\":\"{NO_ID}\"}},\"commonLabels\":{{{common}}},\"commonAnnotations\":\
         {{{runbook}}},\"externalURL\":\"http://alertmanager.example.com\",\"version\":\"4\",\"groupKey\":\
         \"{{}}/{{severity=\\\"critical\\\"}}:{{alertname=\\\"HighRequestLatency\\\", job=\\\"{NO_ID}\\\"}}\",\
         \"truncatedAlerts\":0}}\n"
    )
}

/// A request that is written once and then only gets other numbers.
pub(crate) struct Request {
    bytes: Vec<u8>,
    ids: Vec<usize>,
    receivers: Vec<usize>,
}

impl Request {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let body = template(ALERTS);
        let text = format!(
            "POST /webhook/{NO_RECEIVER} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: Alertmanager/0.28.1\r\n\
             Content-Length: {}\r\nContent-Type: application/json\r\n\r\n{body}",
            body.len()
        );
        let places =
            |pattern: &str, prefix: usize| text.match_indices(pattern).map(|(at, _)| at + prefix).collect();
        let (ids, receivers) = (places(NO_ID, MARK.len()), places(NO_RECEIVER, NO_RECEIVER.len() - 2));
        Self { ids, receivers, bytes: text.into_bytes() }
    }

    /// The request of notification `id`.
    pub(crate) fn of(&mut self, id: u64) -> &[u8] {
        let digits = format!("{id:010}");
        for at in &self.ids {
            self.bytes[*at..at + DIGITS].copy_from_slice(digits.as_bytes());
        }
        let receiver = receiver(id);
        for at in &self.receivers {
            self.bytes[*at..at + 2].copy_from_slice(&receiver.as_bytes()[receiver.len() - 2..]);
        }
        &self.bytes
    }
}

/// The id that a message or an alert carries.
pub(crate) fn id_in(text: &[u8]) -> Option<u64> {
    let mark = MARK.as_bytes();
    let at = text.windows(mark.len()).position(|window| window == mark)? + mark.len();
    std::str::from_utf8(text.get(at..at + DIGITS)?).ok()?.parse().ok()
}
