//! `wecom-relay health`: asks the daemon of this configuration how it is. For containers without a shell, and for
//! people.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, anyhow};
use reqwest::{Url, redirect};

use super::{Failure, http_client, output::Output, runtime, unverified_client};
use crate::config::Server;

/// Arguments of `health`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The exit code is 0 when the relay answers that it is well, and 1 otherwise.

Examples:
  wecom-relay health
  wecom-relay health --ready --url http://127.0.0.1:8061")]
pub(super) struct Args {
    /// Where the relay listens [default: server.listen of the configuration, on this machine]
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Ask whether alerts are taken, and not only whether the process is alive
    #[arg(long)]
    ready: bool,
}

/// Below the time-out of the checks of containers, so that the reason is told by this command.
const PATIENCE: Duration = Duration::from_secs(4);

/// `server` gives the configuration's, which need not be there when `--url` is.
pub(super) fn run(
    args: Args,
    server: impl FnOnce() -> Result<Server, Failure>,
    output: &mut Output,
) -> Result<(), Failure> {
    let (base, trust) = match args.url {
        Some(url) => (url, Trust::Roots),
        None => (base_url(&server()?).map_err(Failure::Other)?, Trust::Whoever),
    };
    let path = if args.ready { "-/ready" } else { "-/healthy" };
    let url = format!("{}/{path}", base.as_str().trim_end_matches('/'));
    let answer = runtime()?.block_on(ask(&url, trust)).map_err(Failure::Other)?;
    output.line(&answer)?;
    Ok(())
}

/// Whose certificate is good enough.
enum Trust {
    /// One that the usual certification authorities have signed.
    Roots,
    /// Any: this machine is asked by its address, which stands in no certificate, and nothing is told to it.
    Whoever,
}

/// The daemon of this configuration, as it is reached on this machine.
fn base_url(server: &Server) -> anyhow::Result<Url> {
    let listen = server.listen;
    if listen.port() == 0 {
        return Err(anyhow!(
            "server.listen leaves the port to the system (0): say with --url where the relay listens"
        ));
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if server.admission.tls.is_some() { "https" } else { "http" };
    Ok(Url::parse(&format!("{scheme}://{}", SocketAddr::new(ip, listen.port())))?)
}

/// The answer of a relay that is well.
async fn ask(url: &str, trust: Trust) -> anyhow::Result<String> {
    let client = match trust {
        Trust::Roots => http_client()?,
        Trust::Whoever => unverified_client(),
    };
    let client = client.redirect(redirect::Policy::none()).timeout(PATIENCE).build();
    let client = client.context("set up the HTTP client")?;
    let unanswered = || format!("no answer from {url}: is the relay running, and is this where it listens?");
    let response = client.get(url).send().await.map_err(reqwest::Error::without_url);
    let response = response.with_context(unanswered)?;
    let status = response.status();
    let text = response.text().await.map_err(reqwest::Error::without_url).with_context(unanswered)?;
    match status.is_success() {
        true => Ok(format!("{} ({url})", text.trim_end())),
        false => Err(anyhow!("{url} answered {}: {}", status.as_u16(), text.trim_end())),
    }
}
