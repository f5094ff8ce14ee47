//! The checks of one app, from the path to WeCom to the recipients of its receivers.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    credentials::{self, AGENT_ID, GETTOKEN, TRUSTED_IP},
    path,
    recipients::{self, LookupCall, RECIPIENTS},
};
use crate::{
    config::{App, Sender},
    doctor::{Finding, Findings},
    intake::{Address, Receiver},
    language::{Bilingual, Language},
    wecom::{
        Addressee, Api, Recipients, WecomError,
        client::{Client, SenderClient},
        token::Token,
    },
};

/// The time limit for all recipients of an app, as a multiple of the limit of one step.
const RECIPIENTS_STEPS: u32 = 6;

/// The secrets that WeCom has refused. A secret that two apps share is tried once, because WeCom bans an IP address
/// after several wrong secrets.
#[derive(Debug, Default)]
pub(super) struct RefusedSecrets(HashMap<[String; 3], WecomError>);

/// Checks an app. Returns `None` if its recipients cannot be checked.
pub(super) async fn check(
    app: &Arc<App>,
    client: &Client,
    refused_secrets: &mut RefusedSecrets,
    limit: Duration,
    findings: &Findings,
) -> Option<Token> {
    let further = [GETTOKEN, TRUSTED_IP, AGENT_ID];
    let sender = Sender::App(Arc::clone(app));
    let subject = format!("app {}", app.name);
    let client_of_sender = SenderClient::App(client.clone());
    let mut checks = path::check(subject, &sender, &client_of_sender, &further, limit, findings).await?;

    let token = refused_secrets.token(app, client).await;
    checks.add(credentials::token(token.as_ref().err()));
    let Ok(token) = token else {
        checks.skip_rest(Bilingual::new("there is no access token", "没有 access token"));
        return None;
    };
    let answer = client.read(&token, Api::AgentGet, ("agentid", &app.agent_id.to_string())).await;
    let mut passed = true;
    for finding in credentials::agent(app.agent_id, &answer) {
        passed &= checks.add(finding);
    }
    passed.then_some(token)
}

impl RefusedSecrets {
    async fn token(&mut self, app: &App, client: &Client) -> Result<Token, WecomError> {
        let key = [app.connection.api_url.to_string(), app.corp_id.clone(), app.api_secret.fingerprint()];
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

/// Checks the recipients of an app's receivers.
pub(super) async fn check_receivers(
    receivers: &[&Receiver],
    app: &App,
    client: &Client,
    token: Option<&Token>,
    limit: Duration,
    findings: &Findings,
) {
    let Some(token) = token else {
        let because = Bilingual::new(format!("see app {}", app.name), format!("见应用 {}", app.name));
        for receiver in receivers {
            findings.add(&format!("receiver {}", receiver.name), Finding::skipped(RECIPIENTS, &because));
        }
        return;
    };
    let deadline = Instant::now() + limit * RECIPIENTS_STEPS;
    let mut lookup = RecipientLookup { client, token, deadline, good: HashSet::new() };
    for receiver in receivers {
        let found = match &receiver.address {
            Address::Template { .. } => {
                let message =
                    Bilingual::new("templates choose them for each payload", "由模板按每个 payload 决定");
                vec![Finding::ok(RECIPIENTS, message)]
            }
            Address::Literal(Recipients::All) => {
                let message =
                    Bilingual::new("everybody in the app's visible range", "应用可见范围内的所有人");
                vec![Finding::ok(RECIPIENTS, message)]
            }
            Address::Literal(recipients) => lookup.check(recipients).await,
        };
        for finding in found {
            findings.add(&format!("receiver {}", receiver.name), finding);
        }
    }
}

struct RecipientLookup<'a> {
    client: &'a Client,
    token: &'a Token,
    deadline: Instant,
    /// Recipients without findings. They are not asked for again.
    good: HashSet<Addressee>,
}

impl RecipientLookup<'_> {
    async fn check(&mut self, recipients: &Recipients) -> Vec<Finding> {
        let addressees = recipients.addressees();
        let mut findings = Vec::new();
        for (index, addressee) in addressees.iter().enumerate() {
            let Some(LookupCall { api, parameter, id }) = LookupCall::new(addressee) else { continue };
            if self.good.contains(addressee) {
                continue;
            }
            if Instant::now() >= self.deadline {
                let (left, all) = (addressees.len() - index, addressees.len());
                let message = Bilingual::new(
                    format!("{left} of {all} not checked: out of time"),
                    format!("{all} 个中有 {left} 个未检查：时间不够"),
                );
                let help = Bilingual::new(
                    "raise --timeout, or look at them in WeCom's admin console",
                    "把 --timeout 设长，或在企业微信管理后台查看",
                );
                findings.push(Finding::warning(RECIPIENTS, message, help));
                break;
            }
            let answer = self.client.read(self.token, api, (parameter, id)).await;
            match recipients::finding(addressee, &answer) {
                Some(finding) => findings.push(finding),
                None => _ = self.good.insert(addressee.clone()),
            }
        }
        if findings.is_empty() {
            let message = Bilingual::new(
                format!("the app sees {recipients}"),
                format!("应用能看到{}", recipients.text(Language::Zh)),
            );
            findings.push(Finding::ok(RECIPIENTS, message));
        }
        findings
    }
}
