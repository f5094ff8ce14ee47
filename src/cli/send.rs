//! `wecom-relay send`: a real message, to see whether app and recipients are right.

use super::{Failure, output::Output, receiver, runtime};
use crate::{
    app::{PrepareOptions, Prepared},
    config::Config,
    delivery::step::describe,
    intake::{self, Address},
    wecom::{Message, Outcome, WeCom, errcode},
};

/// Arguments of `send`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  wecom-relay send --receiver wechat 'A test of wecom-relay'")]
pub(super) struct Args {
    /// The receiver that gets it
    #[arg(long, short, value_name = "NAME")]
    receiver: String,
    /// What it says
    #[arg(value_name = "TEXT")]
    text: String,
}

pub(super) fn run(args: &Args, config: Config, output: &mut Output) -> Result<(), Failure> {
    let prepared = Prepared::new(config, PrepareOptions::default())?;
    let receiver = receiver(&prepared, &args.receiver)?;
    let Some(client) = prepared.client(receiver) else { return Err(Failure::Told) };
    if args.text.trim().is_empty() {
        output.error("there is nothing to send: TEXT is empty");
        return Err(Failure::Told);
    }
    let Address::Literal(recipients) = &receiver.address else {
        output.error(&format!(
            "{} writes to whom a payload names: try it with a payload, or send to a receiver whose recipients are \
             written out",
            receiver.name
        ));
        return Err(Failure::Told);
    };
    let runtime = runtime()?;
    for delivery in intake::text_deliveries(recipients, args.text.clone()) {
        let recipients = delivery.recipients.to_string();
        let message =
            Message { recipients: delivery.recipients, content: delivery.content, duplicate_check: None };
        let outcome = runtime.block_on(client.send(&message));
        let Outcome::Accepted(receipt) = &outcome else {
            output.error(&format!("not sent to {recipients}: {}", describe(&outcome)));
            if let Some(advice) = errcode::advice_of(&outcome) {
                output.error(&advice);
            }
            return Err(Failure::Told);
        };
        output.line(&format!("sent to {recipients}: msgid {}", receipt.msgid))?;
        let missed = &receipt.invalid;
        for (kind, ids) in [
            ("invaliduser", &missed.users),
            ("invalidparty", &missed.parties),
            ("invalidtag", &missed.tags),
            ("unlicenseduser", &missed.unlicensed),
        ] {
            if !ids.is_empty() {
                output.error(&format!("warning: WeCom passed over {kind} {}", ids.join("|")));
            }
        }
    }
    Ok(())
}
