//! `wecom-relay sandbox`: simulates WeCom on this machine.

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc, thread, time::Duration};

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;

use super::arrivals;
use crate::{
    app::random_seed,
    cli::{
        failure::Failure,
        listen_advice::listen_advice,
        no_config::NoConfig,
        output::Output,
        runtime::{http_client, runtime},
    },
    clock::SystemClock,
    lifecycle::{Lifecycle, Shutdown, Signals},
    sandbox::{BUILTIN_YAML, Callback, Directory, FAULTS_HELP, Sandbox, Settings},
};

#[derive(Debug, clap::Args)]
#[command(after_help = help())]
pub(in crate::cli) struct Args {
    /// Listen on this address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8062", value_parser = address)]
    listen: SocketAddr,
    /// Read corps, apps and members from this YAML file [default: a built-in directory]
    #[arg(long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// Print the built-in directory and exit
    #[arg(long)]
    print_directory: bool,
    /// Call this URL back when a member presses a button of app 1000002, or of the app before `=`
    #[arg(long, value_name = "[AGENT_ID=]URL")]
    callback: Vec<String>,
    /// Sign callbacks with this token
    #[arg(long, value_name = "TOKEN", default_value = Callback::SAMPLE_TOKEN)]
    callback_token: String,
    /// Encrypt callbacks with this EncodingAESKey
    #[arg(long, value_name = "KEY", default_value = Callback::SAMPLE_AES_KEY)]
    callback_aes_key: String,
    /// Let access tokens expire after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 7200)]
    expires_in: u64,
    /// Do not print the messages that arrive
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    no_config: NoConfig,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:8062")
}

fn help() -> String {
    let examples = "\
Examples:
  wecom-relay sandbox
  curl -s http://127.0.0.1:8062/help             explain how to read messages and inject faults
  curl -s http://127.0.0.1:8062/sandbox/members/zhangsan/messages
  curl -s http://127.0.0.1:8062/sandbox/faults -d '{\"fault\":{\"errcode\":45009},\"count\":3}'

";
    format!("{examples}{}", FAULTS_HELP.trim_end())
}

pub(in crate::cli) fn run(args: Args, output: &mut Output) -> Result<(), Failure> {
    if args.print_directory {
        output.line(BUILTIN_YAML.trim_end())?;
        return Ok(());
    }
    let directory = match &args.directory {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
            let text = text.map_err(Failure::Other)?;
            Directory::from_yaml(&text)
                .map_err(|error| Failure::Other(anyhow!("{}:{error}", path.display())))?
        }
        None => Directory::builtin(),
    };
    let settings = Settings {
        seed: random_seed(),
        expires_in: Duration::from_secs(args.expires_in),
        ..Settings::default()
    };
    let sandbox = Sandbox::new(directory, settings, Arc::new(SystemClock));
    set_callbacks(&sandbox, &args).map_err(Failure::Other)?;
    runtime()?.block_on(serve(sandbox, &args, output)).map_err(Failure::Other)
}

/// The AgentId of the app in the built-in directory that sees everybody.
const USUAL_AGENT: u64 = 1_000_002;

fn set_callbacks(sandbox: &Sandbox, args: &Args) -> anyhow::Result<()> {
    sandbox.use_client(http_client()?.build()?);
    for text in &args.callback {
        let named = text.split_once('=').and_then(|(app, url)| Some((app.parse().ok()?, url)));
        let (agent_id, url) = named.unwrap_or((USUAL_AGENT, text.as_str()));
        let callback = Callback::new(url, &args.callback_token, &args.callback_aes_key)
            .map_err(|error| anyhow!("--callback: {error}"))?;
        sandbox.set_callback(agent_id, callback).map_err(|error| anyhow!("--callback: {error}"))?;
    }
    Ok(())
}

async fn serve(sandbox: Sandbox, args: &Args, output: &mut Output) -> anyhow::Result<()> {
    let listen = args.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        anyhow!("cannot listen on {listen} (--listen): {error}; {}", listen_advice(error.kind()))
    })?;
    let address = listener.local_addr()?;
    output.line(&format!("Phones of the members, with faults as buttons: http://{address}/"))?;
    output.line(&format!("WeCom's API is at http://{address}/cgi-bin/ (write it into api_url)"))?;
    output.line(&format!("Messages of a member: http://{address}/sandbox/members/zhangsan/messages"))?;
    output.line(&format!("Faults and everything else: http://{address}/help"))?;
    if !args.quiet {
        let (arrivals, output) = (sandbox.arrivals(), output.clone());
        // A thread of its own, because a terminal that does not read must not stop the sandbox.
        thread::spawn(move || arrivals::print(arrivals, output));
    }
    let lifecycle = Lifecycle::default();
    let stop = lifecycle.tasks().stop();
    lifecycle.tasks().spawn("sandbox", async move { sandbox.serve(listener, stop.cancelled_owned()).await });
    match lifecycle.run(Signals::listen()?, Duration::from_secs(1)).await {
        Shutdown::TaskFailed(reason) => Err(anyhow!(reason)),
        Shutdown::Clean | Shutdown::TimedOut(_) | Shutdown::Forced => Ok(()),
    }
}
