//! `wecom-relay demo`: a sandbox, a relay and a sample alert in one process.

use std::{net::TcpListener as StdListener, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail};
use tokio::{net::TcpListener, task::spawn_blocking, time::timeout};

use super::{
    failure::Failure,
    output::Output,
    runtime::{http_client, runtime},
};
use crate::{
    app::{self, PrepareOptions, Prepared, Running},
    clock::SystemClock,
    config,
    lifecycle::{DRAIN, Lifecycle, Shutdown, Signals},
    outbox::sqlite::Access,
    render::samples::{FIRING, RESOLVED},
    sandbox::{Directory, Sandbox, Settings},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wecom-relay demo           keep running, for further alerts
  wecom-relay demo --once    exit after the sample alert, with 0 if it arrived")]
pub(super) struct Args {
    /// Exit after the sample messages
    #[arg(long)]
    once: bool,
}

/// The member who gets the messages, in the directory of the sandbox.
const MEMBER: &str = "zhangsan";
/// The time limit for the arrival of a message.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("wecom-relay-demo-").tempdir()?;
    runtime()?.block_on(demo(args, folder.path(), output)).map_err(Failure::Other)
}

async fn demo(args: &Args, folder: &Path, output: &mut Output) -> anyhow::Result<()> {
    let clock = Arc::new(SystemClock);
    let lifecycle = Lifecycle::default();
    let sandbox = Sandbox::new(Directory::builtin(), Settings::default(), clock.clone());
    let wecom = TcpListener::bind("127.0.0.1:0").await.context("listen for the sandbox")?;
    let api_url = format!("http://{}/cgi-bin/", wecom.local_addr()?);
    let (served, stop) = (sandbox.clone(), lifecycle.tasks().stop());
    lifecycle.tasks().spawn("sandbox", async move { served.serve(wecom, stop.cancelled_owned()).await });

    let listener = StdListener::bind("127.0.0.1:0").context("listen for the relay")?;
    let webhook = format!("http://{}/webhook", listener.local_addr()?);
    let config = config::parse(&config_text(&api_url, folder), &folder.join("config.yml"), &|_| None)?.config;
    let prepared = Prepared::new(config, PrepareOptions::default())?;
    let config = prepared.config.clone();
    let outbox = spawn_blocking(move || app::open_outbox(&config, Access::Owner)).await??;
    Running::start(prepared, listener, outbox.clone(), clock, lifecycle.tasks()).await?;

    output.line(&format!("The sandbox runs at {api_url}"))?;
    output.line(&format!("The relay accepts webhooks at {webhook}"))?;
    for (payload, number) in [(FIRING, 1), (RESOLVED, 2)] {
        post(&webhook, payload).await?;
        let seen = timeout(ARRIVAL_TIMEOUT, sandbox.wait_for_delivered(MEMBER, number)).await;
        let seen = seen.map_err(|_| anyhow!("no message arrived within {} s", ARRIVAL_TIMEOUT.as_secs()))?;
        let Some(message) = seen.last() else { bail!("no message arrived") };
        output.line(&format!("\n── {MEMBER} sees message {number} ──────────────────────────────"))?;
        output.line(&message.text)?;
    }
    output.line("\n── for alertmanager.yml ────────────────────────────────────")?;
    output.line(&receiver_block(&webhook))?;
    if args.once {
        let end = lifecycle.finish(DRAIN).await;
        outbox.close().await;
        return finished(end);
    }
    output.line("\nThe demo keeps running. Stop it with Ctrl-C.")?;
    output.line(&format!(
        "Messages of {MEMBER}: {}/sandbox/members/{MEMBER}/messages",
        api_url.trim_end_matches("/cgi-bin/")
    ))?;
    let end = lifecycle.run(Signals::listen()?, DRAIN).await;
    outbox.close().await;
    finished(end)
}

fn finished(end: Shutdown) -> anyhow::Result<()> {
    match end {
        Shutdown::TaskFailed(task) => Err(anyhow!("task exited unexpectedly: {task}")),
        Shutdown::Clean | Shutdown::TimedOut(_) | Shutdown::Forced => Ok(()),
    }
}

fn config_text(api_url: &str, folder: &Path) -> String {
    format!(
        "outbox:\n  path: {}\napps:\n  - name: demo\n    corp_id: ww1234567890abcdef\n    agent_id: 1000002\n    \
         api_secret: sandbox-secret-1000002\n    api_url: {api_url}\nreceivers:\n  - name: wechat\n    \
         to_user: {MEMBER}\n",
        serde_json::Value::from(folder.join("outbox.db").display().to_string()),
    )
}

fn receiver_block(webhook: &str) -> String {
    format!(
        "route:\n  receiver: wechat\n\nreceivers:\n  - name: wechat\n    webhook_configs:\n      - url: {webhook}\n        \
         send_resolved: true"
    )
}

async fn post(webhook: &str, payload: &'static str) -> anyhow::Result<()> {
    let client = http_client()?.build()?;
    let request = client.post(webhook).header("Content-Type", "application/json").body(payload);
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("the relay answered {status}: {text}");
    }
    Ok(())
}
