//! `wecom-relay render`: a payload in, the messages out, nothing sent.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
};

use anyhow::Context;

use super::{Failure, output::Output};
use crate::{
    app::Prepared,
    clock::{Clock, SystemClock},
    config::Config,
    dispatch::channel::DUPLICATE_CHECK,
    intake::Taken,
    render::Moment,
    wecom::{
        Message,
        message::{AgentId, request_body},
    },
};

/// Arguments of `render`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wecom-relay render --receiver wechat payload.json
  curl -s localhost:9000/payload | wecom-relay render --receiver wechat --json -")]
pub(super) struct Args {
    /// The receiver whose messages are shown
    #[arg(long, short, value_name = "NAME")]
    receiver: String,
    /// Print the exact bodies of message/send, one a line
    #[arg(long)]
    json: bool,
    /// The webhook payload; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    payload: PathBuf,
}

pub(super) fn run(args: &Args, config: Config, output: &mut Output) -> Result<(), Failure> {
    let moment = Moment { now: SystemClock.now(), zone: None };
    let prepared = Prepared::new(config)?;
    let body = read(&args.payload).map_err(Failure::Other)?;
    let taken = prepared.intake.take(Some(&args.receiver), &body, &moment)?;
    let (notification, failures) = match taken {
        Taken::Notification { notification, failures } => (notification, failures),
        Taken::Unwanted(receiver) => {
            output.error(&format!(
                "nothing to send: all alerts are resolved and {receiver} has send_resolved: false"
            ));
            return Ok(());
        }
    };
    let app = prepared.config.app(&notification.channel.0);
    let agent_id = app.map_or(AgentId(0), |app| app.agent_id);
    let count = notification.deliveries.len();
    for (delivery, number) in notification.deliveries.into_iter().zip(1..) {
        if args.json {
            let message = Message {
                recipients: delivery.recipients,
                content: delivery.content,
                duplicate_check: Some(DUPLICATE_CHECK),
            };
            output.line(&request_body(agent_id, &message))?;
            continue;
        }
        let (text, kind) = (delivery.content.text(), delivery.content.msgtype());
        if count > 1 {
            output.error(&format!(
                "message {number} of {count}: {kind}, {} bytes, to {}",
                text.len(),
                delivery.recipients
            ));
        }
        output.line(text)?;
    }
    if failures.is_empty() {
        return Ok(());
    }
    for failure in failures {
        output.error(&failure.to_string());
    }
    Err(Failure::Told)
}

fn read(path: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    if path.as_os_str() != "-" {
        return fs::read(path).with_context(|| format!("read {}", path.display()));
    }
    let mut body = Vec::new();
    io::stdin().lock().read_to_end(&mut body).context("read standard input")?;
    Ok(body)
}
