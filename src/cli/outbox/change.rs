//! `wecom-relay outbox requeue` and `discard`.

use jiff::Timestamp;

use super::text::unknown_delivery;
use crate::{
    cli::{failure::Failure, output::Output},
    outbox::{Changed, DeliveryId, OutboxQuery, Requeue, State},
    text::counted,
};

#[derive(Debug, clap::Args)]
pub(super) struct RequeueArgs {
    /// Requeue this delivery; `outbox list` shows the ids
    #[arg(value_name = "ID", required_unless_present = "all_dead", conflicts_with = "all_dead")]
    id: Option<i64>,
    /// Requeue every dead letter
    #[arg(long)]
    all_dead: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DiscardArgs {
    /// Discard this delivery; `outbox list` shows the ids
    #[arg(value_name = "ID")]
    id: i64,
}

pub(super) async fn requeue(
    args: &RequeueArgs,
    outbox: &impl OutboxQuery,
    now: Timestamp,
    output: &mut Output,
) -> Result<(), Failure> {
    match args.id {
        Some(id) => requeue_one(DeliveryId(id), outbox, now, output).await,
        None => requeue_all_dead(outbox, now, output).await,
    }
}

async fn requeue_all_dead(
    outbox: &impl OutboxQuery,
    now: Timestamp,
    output: &mut Output,
) -> Result<(), Failure> {
    let result = match outbox.requeue(Requeue::AllDead, now).await? {
        Changed::Deliveries(count @ 1..) => {
            let (letters, them) =
                (counted(count as usize, "dead letter"), if count == 1 { "it" } else { "them" });
            format!(
                "{letters} requeued; the relay sends {them} while it runs, and `wecom-relay outbox list` shows the results"
            )
        }
        _ => "there are no dead letters with a recipient".to_owned(),
    };
    output.line(&result)?;
    Ok(())
}

async fn requeue_one(
    id: DeliveryId,
    outbox: &impl OutboxQuery,
    now: Timestamp,
    output: &mut Output,
) -> Result<(), Failure> {
    let state = match outbox.requeue(Requeue::One(id), now).await? {
        Changed::Deliveries(_) => {
            output.line(&format!(
                "delivery {id} requeued; the relay sends it while it runs and its app is not held, and `wecom-relay \
                 outbox show {id}` shows the result"
            ))?;
            return Ok(());
        }
        Changed::Unknown => return Err(unknown_delivery(id, output)),
        Changed::NoRecipient => {
            output.error(&format!(
                "delivery {id} is not requeued: its template named no recipient, so it can be sent to nobody; read it \
                 with `wecom-relay outbox show {id}`, and correct the receiver's recipients or add a fallback for later \
                 alerts"
            ));
            return Err(Failure::Reported);
        }
        Changed::NotIn(state) => state,
    };
    let reason = match state {
        State::Queued => {
            "it waits behind an earlier delivery of its group, and is sent after that one".to_owned()
        }
        State::InFlight => "it is being sent right now; look at it again later".to_owned(),
        State::Folded => format!("it was folded into {}; requeue that one", digest_of(outbox, id).await?),
        State::Delivered => "WeCom has accepted it, and nothing is sent twice".to_owned(),
        State::Ready | State::Dead | State::Discarded => "its state has just changed; try again".to_owned(),
    };
    output.error(&format!("delivery {id} is not requeued: it is {}; {reason}", state.name()));
    Err(Failure::Reported)
}

pub(super) async fn discard(
    args: &DiscardArgs,
    outbox: &impl OutboxQuery,
    now: Timestamp,
    output: &mut Output,
) -> Result<(), Failure> {
    let id = DeliveryId(args.id);
    let state = match outbox.discard(id, now).await? {
        Changed::Deliveries(_) | Changed::NoRecipient => {
            output.line(&format!(
                "delivery {id} discarded; undo this with `wecom-relay outbox requeue {id}`"
            ))?;
            return Ok(());
        }
        Changed::Unknown => return Err(unknown_delivery(id, output)),
        Changed::NotIn(state) => state,
    };
    let reason = match state {
        State::InFlight => "it is being sent right now; discard it when it is waiting or dead".to_owned(),
        State::Folded => format!("it was folded into {}; discard that one", digest_of(outbox, id).await?),
        State::Delivered => "WeCom has accepted it".to_owned(),
        State::Discarded => "nothing is left to do".to_owned(),
        State::Queued | State::Ready | State::Dead => "its state has just changed; try again".to_owned(),
    };
    output.error(&format!("delivery {id} is not changed: it is {}; {reason}", state.name()));
    Err(Failure::Reported)
}

async fn digest_of(outbox: &impl OutboxQuery, id: DeliveryId) -> Result<String, Failure> {
    let digest = outbox.show(id).await?.and_then(|detail| detail.listed.digest);
    Ok(digest.map_or_else(|| "a digest".to_owned(), |digest| format!("digest {digest}")))
}
