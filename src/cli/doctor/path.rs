//! The checks of the path to WeCom, which apps and robots share: from the DNS name of the host to WeCom's clock.

use std::{io, time::Duration};

use super::{
    endpoint::{self, Endpoint},
    finding::Finding,
    network::{self, FirstHop},
    report::{CheckSequence, Report},
};
use crate::{
    clock::{Clock, SystemClock},
    config::Sender,
    wecom::client::SenderClient,
};

/// Checks the path of a sender. Returns the sequence of its `further` checks if WeCom is reached.
pub(super) async fn check<'r, 'o>(
    subject: String,
    sender: &Sender,
    client: &SenderClient,
    further: &[&'static str],
    limit: Duration,
    report: &'r mut Report<'o>,
) -> io::Result<Option<CheckSequence<'r, 'o>>> {
    let connection = sender.connection();
    let Some(hop) = FirstHop::of(connection) else {
        let finding = Finding::failed("dns", "api_url or proxy_url has no host or no port", "write both");
        report.add(&subject, &finding)?;
        return Ok(None);
    };
    let names = [&["dns", hop.check(), "tls", "wecom", "clock"], further].concat();
    let mut checks = CheckSequence::new(report, subject, &names);
    let (finding, addresses) = network::dns(&hop, limit).await;
    if !checks.add(&finding)? {
        checks.skip_rest("the host is not found")?;
        return Ok(None);
    }
    if !checks.add(&network::connect(&hop, &addresses, limit).await)? {
        checks.skip_rest("there is no connection")?;
        return Ok(None);
    }
    let url = connection.api_url.call("");
    let host = url.host_str().unwrap_or_default();
    let reached = client.reach().await;
    let port = url.port_or_known_default().unwrap_or_default();
    let api = Endpoint { host, port, https: url.scheme() == "https" };
    for finding in endpoint::findings(api, &reached, SystemClock.now()) {
        checks.add(&finding)?;
    }
    if reached.is_err() {
        checks.skip_rest("WeCom is not reached")?;
        return Ok(None);
    }
    Ok(Some(checks))
}
