//! The notifications that the bench posts: two alerts of one group, as Alertmanager writes them.
//!
//! Every notification has a number of its own and is for one of `members`, in turn. The number is the value of the
//! label `job`, and `job` is one of the labels that the alerts are grouped by, so every notification has its own
//! ordering key. The label `member` names the recipient: `to_user` is a template on it.

use std::{fmt::Write as _, net::SocketAddr};

/// The prefix of a notification's number, in the payload and in the message.
pub(crate) const MARK: &str = "unit-";
const NUMBER_DIGITS: usize = 10;
const NUMBER: &str = "unit-##########";
/// The prefix of a member's number in its user id.
const MEMBER_MARK: &str = "member-";
const MEMBER_DIGITS: usize = 5;
const MEMBER: &str = "member-#####";
/// Alerts in a notification. With two of them, a payload has 1.8 kB.
pub(crate) const ALERTS: usize = 2;
/// The receiver that every notification is for.
pub(crate) const RECEIVER: &str = "members";
/// `to_user` of the receiver, as the relay and as Alertmanager write it.
pub(crate) const MEMBER_TEMPLATE: &str = "{{ commonLabels.member }}";
pub(crate) const MEMBER_TEMPLATE_GO: &str = "{{ .CommonLabels.member }}";

/// The user id of the recipient of notification `id`, out of `members`.
pub(crate) fn member(id: u64, members: u64) -> String {
    format!("{MEMBER_MARK}{:05}", id % members)
}

/// The payload of notification `id`, with this number of alerts.
pub(crate) fn payload(id: u64, alerts: usize) -> String {
    webhook_template(alerts).replace(NUMBER, &format!("{MARK}{id:010}")).replace(MEMBER, &member(id, 1))
}

fn common_labels() -> String {
    format!(
        "\"alertname\":\"HighRequestLatency\",\"cluster\":\"shop-production-1\",\"job\":\"{NUMBER}\",\"member\":\
         \"{MEMBER}\",\"severity\":\"critical\""
    )
}

const RUNBOOK: &str = "\"runbook_url\":\"https://runbooks.example.com/latency\"";

/// Labels, annotations and URL of one alert: the fields that Alertmanager is posted and writes on.
fn alert_fields(alert: usize) -> String {
    let common = common_labels();
    format!(
        "\"labels\":{{{common},\"instance\":\"10.21.4.{alert}:9090\",\"pod\":\"checkout-7d9f8b6c5-{alert:05}\"}},\
         \"annotations\":{{\"description\":\"The 99th percentile of request latency has been above 2 s for more \
         than 10 minutes.\",{RUNBOOK},\"summary\":\"Requests to checkout on 10.21.4.{alert} are slow\"}},\
         \"generatorURL\":\"http://prometheus.example.com/graph?g0.expr=latency%3Ap99+%3E+2\\u0026g0.tab=1\""
    )
}

fn webhook_template(alerts: usize) -> String {
    let mut all = String::new();
    for alert in 0..alerts {
        let comma = if alert == 0 { "" } else { "," };
        _ = write!(
            all,
            "{comma}{{\"status\":\"firing\",{},\"startsAt\":\"2026-11-21T08:00:00.14Z\",\"endsAt\":\
             \"0001-01-01T00:00:00Z\",\"fingerprint\":\"9f3c{alert:012x}\"}}",
            alert_fields(alert)
        );
    }
    let common = common_labels();
    format!(
        "{{\"receiver\":\"{RECEIVER}\",\"status\":\"firing\",\"alerts\":[{all}],\"groupLabels\":{{\"alertname\":\
         \"HighRequestLatency\",\"job\":\"{NUMBER}\"}},\"commonLabels\":{{{common}}},\"commonAnnotations\":\
         {{{RUNBOOK}}},\"externalURL\":\"http://alertmanager.example.com\",\"version\":\"4\",\"groupKey\":\
         \"{{}}:{{alertname=\\\"HighRequestLatency\\\", job=\\\"{NUMBER}\\\"}}\",\"truncatedAlerts\":0}}\n"
    )
}

fn alerts_template(alerts: usize) -> String {
    let all: Vec<String> = (0..alerts).map(|alert| format!("{{{}}}", alert_fields(alert))).collect();
    format!("[{}]", all.join(","))
}

/// The HTTP interface that a server under test has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Api {
    /// The relay's, and the reference handlers': Alertmanager's webhook.
    Webhook,
    /// Alertmanager's own: the alerts, which it groups into the same notifications.
    Alerts,
}

/// A prebuilt request, in which only the numbers change from one notification to the next.
pub(crate) struct Request {
    bytes: Vec<u8>,
    numbers: Vec<usize>,
    member_numbers: Vec<usize>,
    members: u64,
}

impl Request {
    pub(crate) fn new(api: Api, address: SocketAddr, members: u64) -> Self {
        let (path, body) = match api {
            Api::Webhook => (format!("/webhook/{RECEIVER}"), webhook_template(ALERTS)),
            Api::Alerts => ("/api/v2/alerts".to_owned(), alerts_template(ALERTS)),
        };
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: Alertmanager/0.28.1\r\nContent-Length: {}\r\n\
             Content-Type: application/json\r\n\r\n{body}",
            body.len()
        );
        Self {
            numbers: digits_after(&text, NUMBER, MARK),
            member_numbers: digits_after(&text, MEMBER, MEMBER_MARK),
            bytes: text.into_bytes(),
            members,
        }
    }

    /// The request of notification `id`.
    pub(crate) fn of(&mut self, id: u64) -> &[u8] {
        let number = format!("{id:010}");
        for at in &self.numbers {
            self.bytes[*at..at + NUMBER_DIGITS].copy_from_slice(number.as_bytes());
        }
        let member = format!("{:05}", id % self.members);
        for at in &self.member_numbers {
            self.bytes[*at..at + MEMBER_DIGITS].copy_from_slice(member.as_bytes());
        }
        &self.bytes
    }
}

fn digits_after(text: &str, placeholder: &str, mark: &str) -> Vec<usize> {
    text.match_indices(placeholder).map(|(at, _)| at + mark.len()).collect()
}

/// The number of the notification that a message is about.
pub(crate) fn id_in(text: &[u8]) -> Option<u64> {
    number_after(text, MARK.as_bytes(), NUMBER_DIGITS)
}

/// The number of the member that a request of `message/send` names in `touser`.
pub(crate) fn member_in(request: &[u8]) -> Option<u64> {
    number_after(request, b"\"touser\":\"member-", MEMBER_DIGITS)
}

fn number_after(text: &[u8], mark: &[u8], digits: usize) -> Option<u64> {
    let at = memchr::memmem::find(text, mark)? + mark.len();
    std::str::from_utf8(text.get(at..at + digits)?).ok()?.parse().ok()
}
