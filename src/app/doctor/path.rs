//! The checks of the path to WeCom, which apps and robots share: from the DNS name of the host to WeCom's clock.

use std::time::Duration;

use super::{
    endpoint::{self, Endpoint},
    network::{self, FirstHop},
    sequence::CheckSequence,
};
use crate::{
    clock::{Clock, SystemClock},
    config::Sender,
    doctor::{Finding, Findings},
    language::Bilingual,
    wecom::client::SenderClient,
};

/// Checks the path of a sender. Returns the sequence of its `further` checks if WeCom is reached.
pub(super) async fn check<'f>(
    subject: String,
    sender: &Sender,
    client: &SenderClient,
    further: &[&'static str],
    limit: Duration,
    findings: &'f Findings,
) -> Option<CheckSequence<'f>> {
    let connection = sender.connection();
    let Some(hop) = FirstHop::of(connection) else {
        let message = Bilingual::new(
            "api_url or proxy_url has no host or no port",
            "api_url 或 proxy_url 没有主机或端口",
        );
        findings.add(&subject, Finding::failed("dns", message, Bilingual::new("write both", "请写全")));
        return None;
    };
    let names = [&["dns", hop.check(), "tls", "wecom", "clock"], further].concat();
    let mut checks = CheckSequence::new(findings, subject, &names);
    let (finding, addresses) = network::dns(&hop, limit).await;
    if !checks.add(finding) {
        checks.skip_rest(Bilingual::new("the host is not found", "找不到主机"));
        return None;
    }
    if !checks.add(network::connect(&hop, &addresses, limit).await) {
        checks.skip_rest(Bilingual::new("there is no connection", "无法连接"));
        return None;
    }
    let url = connection.api_url.call("");
    let host = url.host_str().unwrap_or_default();
    let reached = client.reach().await;
    let port = url.port_or_known_default().unwrap_or_default();
    let api = Endpoint { host, port, https: url.scheme() == "https" };
    for finding in endpoint::findings(api, &reached, SystemClock.now()) {
        checks.add(finding);
    }
    if reached.is_err() {
        checks.skip_rest(Bilingual::new("WeCom is not reached", "连不上企业微信"));
        return None;
    }
    Some(checks)
}
