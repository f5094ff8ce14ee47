//! One app, from the name of its host to whom its receivers write to.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    credentials::{self, AGENT_ID, GETTOKEN, TRUSTED_IP},
    finding::Finding,
    network::{self, First},
    recipients::{self, RECIPIENTS},
    report::{Course, Report},
    way::{self, Way},
};
use crate::{
    clock::{Clock, SystemClock},
    config::App,
    intake::{Address, Receiver},
    wecom::{Addressee, Api, Recipients, WecomError, client::Client, token::Token},
};

/// So many times the limit of one step may all recipients of an app take.
const RECIPIENTS_STEPS: u32 = 6;

/// Secrets that WeCom has refused: one that two apps share is not tried twice, as WeCom bans an IP for that.
#[derive(Debug, Default)]
pub(super) struct Refused(HashMap<[String; 3], WecomError>);

/// Looks at an app; `None` when its receivers cannot be looked at.
pub(super) async fn examine(
    app: &App,
    client: &Client,
    refused: &mut Refused,
    limit: Duration,
    report: &mut Report<'_>,
) -> io::Result<Option<Token>> {
    let subject = format!("app {}", app.name);
    let Some(first) = First::of(app) else {
        report.tell(
            &subject,
            &Finding::failed("dns", "api_url or proxy_url has no host and port", "write both out"),
        )?;
        return Ok(None);
    };
    let checks = ["dns", first.check(), "tls", "wecom", "clock", GETTOKEN, TRUSTED_IP, AGENT_ID];
    let mut course = Course::new(report, subject, &checks);

    let (finding, addresses) = network::dns(&first, limit).await;
    if !course.tell(&finding)? {
        course.abandon("the host is not found")?;
        return Ok(None);
    }
    if !course.tell(&network::connect(&first, &addresses, limit).await)? {
        course.abandon("there is no connection")?;
        return Ok(None);
    }

    let url = app.api_url.call("");
    let host = url.host_str().unwrap_or_default();
    let reached = client.reach().await;
    let port = url.port_or_known_default().unwrap_or_default();
    let way = Way { host, port, https: url.scheme() == "https" };
    for finding in way::findings(way, &reached, SystemClock.now()) {
        course.tell(&finding)?;
    }
    if reached.is_err() {
        course.abandon("WeCom is not reached")?;
        return Ok(None);
    }

    let token = refused.token(app, client).await;
    course.tell(&credentials::token(token.as_ref().err()))?;
    let Ok(token) = token else {
        course.abandon("there is no access token")?;
        return Ok(None);
    };
    let answer = client.read(&token, Api::AgentGet, ("agentid", &app.agent_id.to_string())).await;
    let mut passed = true;
    for finding in credentials::agent(app.agent_id, &answer) {
        passed &= course.tell(&finding)?;
    }
    Ok(passed.then_some(token))
}

impl Refused {
    async fn token(&mut self, app: &App, client: &Client) -> Result<Token, WecomError> {
        let key = [app.api_url.to_string(), app.corp_id.clone(), app.api_secret.fingerprint()];
        if let Some(failure) = self.0.get(&key) {
            return Err(failure.clone());
        }
        let token = client.token().await;
        if let Err(failure @ WecomError::Rejected(_)) = &token {
            self.0.insert(key, failure.clone());
        }
        token
    }
}

/// Looks at whom the receivers of an app write to.
pub(super) async fn receivers(
    receivers: &[&Receiver],
    app: &App,
    client: &Arc<Client>,
    token: Option<&Token>,
    limit: Duration,
    report: &mut Report<'_>,
) -> io::Result<()> {
    let until = Instant::now() + limit * RECIPIENTS_STEPS;
    let mut seen = HashSet::new();
    for receiver in receivers {
        let subject = format!("receiver {}", receiver.name);
        let (recipients, token) = match (&receiver.address, token) {
            (_, None) => {
                let because = format!("see app {}", app.name);
                report.tell(&subject, &Finding::skipped(RECIPIENTS, &because))?;
                continue;
            }
            (Address::Template { .. }, _) => {
                report.tell(&subject, &Finding::ok(RECIPIENTS, "the payload names them"))?;
                continue;
            }
            (Address::Literal(Recipients::All), _) => {
                report.tell(&subject, &Finding::ok(RECIPIENTS, "everybody in the app's visible range"))?;
                continue;
            }
            (Address::Literal(recipients), Some(token)) => (recipients, token),
        };
        let mut asked = Asked { client, token, until, seen: &mut seen };
        let findings = asked.all(&recipients.addressees()).await;
        if findings.is_empty() {
            report.tell(&subject, &Finding::ok(RECIPIENTS, format!("the app sees {recipients}")))?;
        }
        for finding in findings {
            report.tell(&subject, &finding)?;
        }
    }
    Ok(())
}

struct Asked<'a> {
    client: &'a Client,
    token: &'a Token,
    until: Instant,
    /// Whom there is nothing to say of: they are asked of once.
    seen: &'a mut HashSet<Addressee>,
}

impl Asked<'_> {
    async fn all(&mut self, addressees: &[Addressee]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (at, addressee) in addressees.iter().enumerate() {
            let Some((api, name, id)) = recipients::question(addressee) else { continue };
            if self.seen.contains(addressee) {
                continue;
            }
            if Instant::now() >= self.until {
                let seen =
                    format!("{} of {} not checked: out of time", addressees.len() - at, addressees.len());
                findings.push(Finding::warning(
                    RECIPIENTS,
                    seen,
                    "raise --timeout, or look at them in WeCom",
                ));
                break;
            }
            let answer = self.client.read(self.token, api, (name, id)).await;
            match recipients::finding(addressee, &answer) {
                Some(finding) => findings.push(finding),
                None => _ = self.seen.insert(addressee.clone()),
            }
        }
        findings
    }
}
