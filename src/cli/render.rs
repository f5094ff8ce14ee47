//! `wecom-relay render`: shows the messages for a payload, and sends nothing.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{
    failure::Failure,
    output::{Output, shown},
    phone::phone,
    runtime::runtime,
};
use crate::{
    alertmanager::PayloadMemory,
    app::{PrepareOptions, Prepared},
    clock::{Clock, SystemClock},
    config::{Config, Sender},
    dispatch::service::DUPLICATE_CHECK,
    http::{RENDER_LIMIT, RenderPool, Reservation},
    intake::{Parsed, RenderedNotification},
    language::Language,
    outbox::NewDelivery,
    render,
    wecom::{
        Message, limits,
        look::{self, Appearance, Viewer},
        message::{AgentId, request_body},
    },
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wecom-relay render --receiver wechat payload.json
  wecom-relay render --receiver wechat --sample storm
  wecom-relay render --receiver wechat --sample storm --look
  curl -s localhost:9000/payload | wecom-relay render --receiver wechat --json -")]
pub(super) struct Args {
    /// Show the messages of this receiver
    #[arg(long, short, value_name = "NAME")]
    receiver: String,
    /// Print the exact request bodies, one per line
    #[arg(long)]
    json: bool,
    /// Draw the messages on a phone, approximately as WeCom or the WeChat plugin shows them [default: wecom]
    #[arg(
        long,
        value_enum,
        value_name = "wecom|wechat",
        hide_possible_values = true,
        num_args = 0..=1,
        default_missing_value = "wecom",
        conflicts_with = "json"
    )]
    look: Option<PhoneProgram>,
    /// Render one of the built-in samples
    #[arg(long, value_name = "SAMPLE", value_parser = samples(), conflicts_with = "payload")]
    sample: Option<&'static str>,
    /// Read the webhook payload from this file; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    payload: PathBuf,
}

/// The program on the phone.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PhoneProgram {
    Wecom,
    Wechat,
}

impl From<PhoneProgram> for Viewer {
    fn from(program: PhoneProgram) -> Self {
        match program {
            PhoneProgram::Wecom => Self::Wecom,
            PhoneProgram::Wechat => Self::Wechat,
        }
    }
}

pub(super) fn run(args: &Args, config: Config, output: &mut Output) -> Result<(), Failure> {
    let prepared = Prepared::new(config, PrepareOptions::default())?;
    let body = match args.sample {
        Some(payload) => payload.as_bytes().to_vec(),
        None => read(&args.payload).map_err(Failure::Other)?,
    };
    let webhook = match prepared.intake.parse(
        Some(&args.receiver),
        &body,
        PayloadMemory::UNLIMITED,
        SystemClock.now(),
    )? {
        Parsed::Webhook(webhook) => webhook,
        Parsed::Nothing { why, .. } => {
            output.error(&why.to_string());
            return Ok(());
        }
    };
    if !webhook.repairs().is_empty() {
        output.error(&format!("warning: odd values of the payload were repaired: {}", webhook.repairs()));
    }
    let runtime = runtime()?;
    let pool = RenderPool::new(prepared.intake.clone(), RENDER_LIMIT);
    let rendered = runtime.block_on(pool.render(webhook, &Reservation::default(), pool.deadline()));
    // A template that does not end must not keep the command from ending.
    runtime.shutdown_background();
    let RenderedNotification { notification, failures, recipient_error } = rendered?;
    if let Some(error) = recipient_error {
        let consequence = match &notification.dead {
            Some(_) => "the message would be a dead letter".to_owned(),
            None => format!(
                "the message would go to {} through {} {}",
                notification.recipients,
                if prepared.config.is_robot(&notification.sender.0) { "robot" } else { "app" },
                notification.sender
            ),
        };
        output.error(&format!("warning: {error}; {consequence}"));
    }
    if args.json {
        let agent_id = match prepared.config.sender(&notification.sender.0) {
            Some(Sender::App(app)) => Some(app.agent_id),
            _ => None,
        };
        print_request_bodies(notification.deliveries, agent_id, output)?;
    } else if let Some(program) = args.look {
        draw_messages(&notification.deliveries, &notification.sender.0, program.into(), output)?;
    } else {
        print_messages(&notification.deliveries, output)?;
    }
    if failures.is_empty() {
        return Ok(());
    }
    for failure in failures {
        output.error(&failure.to_string());
    }
    Err(Failure::Reported)
}

fn print_request_bodies(
    deliveries: Vec<NewDelivery>,
    agent_id: Option<AgentId>,
    output: &mut Output,
) -> io::Result<()> {
    for NewDelivery { recipients, content, .. } in deliveries {
        let message = Message { recipients, content, duplicate_check: Some(DUPLICATE_CHECK) };
        output.line(&request_body(agent_id, &message))?;
    }
    Ok(())
}

fn print_messages(deliveries: &[NewDelivery], output: &mut Output) -> io::Result<()> {
    let count = deliveries.len();
    for (delivery, number) in deliveries.iter().zip(1..) {
        if count > 1 {
            output.error(&heading(delivery, number, count));
        }
        if number > 1 {
            // The headings above do not separate the messages in a pipe, because they go to standard error.
            output.line("")?;
        }
        output.line(&shown(&delivery.content))?;
    }
    Ok(())
}

fn draw_messages(
    deliveries: &[NewDelivery],
    sender: &str,
    viewer: Viewer,
    output: &mut Output,
) -> io::Result<()> {
    let title = format!("{sender} ({})", look::approximate(Language::En));
    for (delivery, number) in deliveries.iter().zip(1..) {
        let NewDelivery { recipients, content, .. } = delivery;
        output.line(&heading(delivery, number, deliveries.len()))?;
        let seen = Appearance::of(content, recipients, viewer);
        output.line(&phone(&title, &seen, Language::En, usize::MAX))?;
    }
    Ok(())
}

fn heading(delivery: &NewDelivery, number: usize, count: usize) -> String {
    let NewDelivery { recipients, content, .. } = delivery;
    let usage = limits::usage(content, recipients, Language::En);
    format!("message {number} of {count}: {}, {usage}, to {recipients}", content.msgtype())
}

/// The payload of each sample, by its name.
fn samples() -> impl TypedValueParser<Value = &'static str> {
    PossibleValuesParser::new(render::samples::ALL.map(|(name, _)| name)).try_map(|name| {
        let sample = render::samples::ALL.iter().find(|(known, _)| *known == name);
        sample.map(|(_, payload)| *payload).ok_or("there is no such sample")
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.as_os_str() != "-" {
        return fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    }
    let mut body = Vec::new();
    io::stdin().lock().read_to_end(&mut body).context("cannot read standard input")?;
    Ok(body)
}
