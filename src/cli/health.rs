//! `wecom-relay health`: asks the daemon of this configuration how it is. For containers without a shell, and for
//! people.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, anyhow};
use reqwest::{Url, redirect};

use super::{Failure, http_client, output::Output, runtime};

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

/// `listen` gives `server.listen` of the configuration, which need not be there when `--url` is.
pub(super) fn run(
    args: Args,
    listen: impl FnOnce() -> Result<SocketAddr, Failure>,
    output: &mut Output,
) -> Result<(), Failure> {
    let base = match args.url {
        Some(url) => url,
        None => base_url(listen()?).map_err(Failure::Other)?,
    };
    let path = if args.ready { "-/ready" } else { "-/healthy" };
    let url = format!("{}/{path}", base.as_str().trim_end_matches('/'));
    let answer = runtime()?.block_on(ask(&url)).map_err(Failure::Other)?;
    output.line(&answer)?;
    Ok(())
}

/// The daemon that listens on `listen`, as it is reached on this machine.
fn base_url(listen: SocketAddr) -> anyhow::Result<Url> {
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
    Ok(Url::parse(&format!("http://{}", SocketAddr::new(ip, listen.port())))?)
}

/// The answer of a relay that is well.
async fn ask(url: &str) -> anyhow::Result<String> {
    let client = http_client()?.redirect(redirect::Policy::none()).timeout(PATIENCE).build();
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
