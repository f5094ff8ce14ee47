//! `wecom-relay send`: sends a real message, to test an app and its recipients.

use std::io;

use anyhow::Context;

use super::{failure::Failure, output::Output, runtime::runtime};
use crate::{
    app::{PrepareOptions, Prepared},
    config::Config,
    delivery::decide::describe,
    intake::{self, Address},
    language::Language,
    wecom::{Message, Outcome, WeCom, errcode},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wecom-relay send --receiver wechat 'Test message of wecom-relay'
  uptime | wecom-relay send --receiver wechat -")]
pub(super) struct Args {
    /// Send to the recipients of this receiver
    #[arg(long, short, value_name = "NAME")]
    receiver: String,
    /// Send this text; - reads it from standard input
    #[arg(value_name = "TEXT")]
    text: String,
}

pub(super) fn run(args: &Args, config: Config, output: &mut Output) -> Result<(), Failure> {
    let prepared = Prepared::new(config, PrepareOptions::default())?;
    let receiver = prepared.intake.receiver(&args.receiver)?;
    let Some(client) = prepared.client(receiver) else { return Err(Failure::Reported) };
    let text = match args.text.as_str() {
        "-" => io::read_to_string(io::stdin())
            .context("cannot read the text from standard input")
            .map_err(Failure::Other)?,
        text => text.to_owned(),
    };
    if text.trim().is_empty() {
        output.error("there is nothing to send: TEXT is empty");
        return Err(Failure::Reported);
    }
    let Address::Literal(recipients) = &receiver.address else {
        output.error(&format!(
            "the recipients of {} are templates, which need a payload: post a webhook to the relay, or send to a \
             receiver with fixed recipients",
            receiver.name
        ));
        return Err(Failure::Reported);
    };
    let runtime = runtime()?;
    for delivery in intake::text_deliveries(recipients, text) {
        let recipients = delivery.recipients.to_string();
        let message =
            Message { recipients: delivery.recipients, content: delivery.content, duplicate_check: None };
        let outcome = runtime.block_on(client.send(&message));
        let Outcome::Accepted(receipt) = &outcome else {
            output.error(&format!("not sent to {recipients}: {}", describe(&outcome)));
            if let Some(advice) = errcode::advice_of(&outcome, Language::En) {
                output.error(&advice);
            }
            return Err(Failure::Reported);
        };
        // A robot's reply has no msgid.
        let msgid =
            if receipt.msgid.is_empty() { String::new() } else { format!(": msgid {}", receipt.msgid) };
        output.line(&format!("sent to {recipients}{msgid}"))?;
        let invalid = &receipt.invalid;
        for (kind, ids) in [
            ("invaliduser", &invalid.users),
            ("invalidparty", &invalid.parties),
            ("invalidtag", &invalid.tags),
            ("unlicenseduser", &invalid.unlicensed),
        ] {
            if !ids.is_empty() {
                output.error(&format!(
                    "warning: not delivered to invalid recipients: {kind} {}",
                    ids.join("|")
                ));
            }
        }
    }
    Ok(())
}
