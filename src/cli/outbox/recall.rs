//! `wecom-relay outbox recall`: takes back delivered messages.

use std::sync::Arc;

use super::text::unknown_delivery;
use crate::{
    app::{self, Access, PrepareOptions, Prepared, relay_clock},
    cli::{failure::Failure, output::Output, runtime::runtime},
    clock::{Clock, RelayClock, SystemClock},
    config::Config,
    delivery::{decide::describe, recall::recallable},
    language::Language,
    outbox::{DeliveryId, Detail, Outbox},
    wecom::{
        Outcome,
        client::{Client, SenderClient},
        errcode,
    },
};

#[derive(Debug, clap::Args)]
#[command(after_help = RECALL_HELP)]
pub(in crate::cli) struct RecallArgs {
    /// Recall these deliveries; `outbox list` shows the ids
    #[arg(value_name = "ID", required = true)]
    ids: Vec<i64>,
}

const RECALL_HELP: &str = "\
WeCom takes back messages of apps to members, for 24 hours. Who read the message in personal WeChat keeps it.";

pub(in crate::cli) fn recall(args: &RecallArgs, config: Config, output: &mut Output) -> Result<(), Failure> {
    let outbox = app::open_outbox(&config.outbox, Access::Guest)?;
    let prepared = Prepared::new(config, PrepareOptions::default())?;
    runtime()?.block_on(async {
        let clock = relay_clock(&outbox, Arc::new(SystemClock)).await?;
        let recaller = Recaller { outbox: &outbox, prepared: &prepared, clock: &clock };
        let mut result = Ok(());
        for id in &args.ids {
            match recaller.recall(DeliveryId(*id), output).await {
                // The others are independent of it.
                Err(Failure::Reported) => result = Err(Failure::Reported),
                recalled => recalled?,
            }
        }
        result
    })
}

struct Recaller<'a, O> {
    outbox: &'a O,
    prepared: &'a Prepared,
    clock: &'a RelayClock,
}

impl<O: Outbox> Recaller<'_, O> {
    async fn recall(&self, id: DeliveryId, output: &mut Output) -> Result<(), Failure> {
        let Some(detail) = self.outbox.show(id).await? else { return Err(unknown_delivery(id, output)) };
        let msgid = match recallable(&detail, self.clock.wall_time(self.clock.now())) {
            Ok(msgid) => msgid,
            Err(not) => return Err(refused(id, &not.reason(Language::En), output)),
        };
        let Some(client) = self.client(&detail) else {
            let sender = &detail.listed.sender;
            let reason = format!("the app {sender}, which sent it, is not in the configuration");
            return Err(refused(id, &reason, output));
        };
        if let Err(error) = client.recall(msgid).await {
            let outcome = Outcome::from(error);
            let advice = errcode::advice_of(&outcome, Language::En).unwrap_or_default();
            return Err(refused(id, &format!("{}; {advice}", describe(&outcome)), output));
        }
        self.outbox.recalled(id, self.clock.now()).await?;
        output.line(&format!("delivery {id} recalled; who read it in personal WeChat keeps it"))?;
        Ok(())
    }

    fn client(&self, detail: &Detail) -> Option<&Client> {
        let mut clients = self.prepared.clients.iter();
        let (_, client) = clients.find(|(name, _)| *name == detail.listed.sender)?;
        match client.as_ref() {
            SenderClient::App(client) => Some(client),
            SenderClient::Robot(_) => None,
        }
    }
}

fn refused(id: DeliveryId, reason: &str, output: &mut Output) -> Failure {
    output.error(&format!("delivery {id} is not recalled: {reason}"));
    Failure::Reported
}
