//! `wecom-relay outbox retry` and `discard`: what a person wants of a delivery, and what became of that.

use jiff::Timestamp;

use super::unknown;
use crate::{
    cli::{Failure, output::Output},
    outbox::{Changed, DeliveryId, OutboxQuery, State, Which},
};

/// Arguments of `retry`.
#[derive(Debug, clap::Args)]
pub(super) struct Retry {
    /// The delivery, as `outbox list` names it
    #[arg(value_name = "ID", required_unless_present = "all_dead", conflicts_with = "all_dead")]
    id: Option<i64>,
    /// Every dead letter
    #[arg(long)]
    all_dead: bool,
}

/// Arguments of `discard`.
#[derive(Debug, clap::Args)]
pub(super) struct Discard {
    /// The delivery, as `outbox list` names it
    #[arg(value_name = "ID")]
    id: i64,
}

pub(super) async fn retry(
    args: &Retry,
    outbox: &impl OutboxQuery,
    now: Timestamp,
    output: &mut Output,
) -> Result<(), Failure> {
    let Some(id) = args.id.map(DeliveryId) else {
        let told = match outbox.retry(Which::AllDead, now).await? {
            Changed::Deliveries(count @ 1..) => {
                format!("{count} dead letter(s) wait again; the running relay sends them")
            }
            _ => "there are no dead letters".to_owned(),
        };
        output.line(&told)?;
        return Ok(());
    };
    match outbox.retry(Which::One(id), now).await? {
        Changed::Deliveries(_) => {
            output.line(&format!(
                "delivery {id} is tried again; the running relay sends it as soon as its app is not held"
            ))?;
            Ok(())
        }
        Changed::Unknown => Err(unknown(id, output)),
        Changed::NotIn(state) => {
            let why = match state {
                State::Queued => {
                    "it waits behind another one of its group, and goes out after that one".to_owned()
                }
                State::InFlight => {
                    "it is being sent right now; look at it again when that has ended".to_owned()
                }
                State::Folded => format!("{}; retry that one", told_by(outbox, id).await?),
                State::Delivered => "WeCom has taken it, and nothing is sent twice".to_owned(),
                State::Ready | State::Dead | State::Discarded => {
                    "its state has just changed; try again".to_owned()
                }
            };
            Err(refused("not tried again", id, state, &why, output))
        }
    }
}

pub(super) async fn discard(
    args: &Discard,
    outbox: &impl OutboxQuery,
    now: Timestamp,
    output: &mut Output,
) -> Result<(), Failure> {
    let id = DeliveryId(args.id);
    match outbox.discard(id, now).await? {
        Changed::Deliveries(_) => {
            output.line(&format!(
                "delivery {id} is discarded; `wecom-relay outbox retry {id}` takes that back"
            ))?;
            Ok(())
        }
        Changed::Unknown => Err(unknown(id, output)),
        Changed::NotIn(state) => {
            let why = match state {
                State::InFlight => {
                    "it is being sent right now; discard it when it waits or is dead".to_owned()
                }
                State::Folded => format!("{}; discard that one", told_by(outbox, id).await?),
                State::Delivered => "WeCom has taken it".to_owned(),
                State::Discarded => "that was done before".to_owned(),
                State::Queued | State::Ready | State::Dead => {
                    "its state has just changed; try again".to_owned()
                }
            };
            Err(refused("not discarded", id, state, &why, output))
        }
    }
}

fn refused(what: &str, id: DeliveryId, state: State, why: &str, output: &mut Output) -> Failure {
    output.error(&format!("delivery {id} is {what}: it is {}; {why}", state.name()));
    Failure::Told
}

async fn told_by(outbox: &impl OutboxQuery, id: DeliveryId) -> Result<String, Failure> {
    let digest = outbox.show(id).await?.and_then(|detail| detail.listed.digest);
    Ok(digest.map_or_else(|| "a digest tells it".to_owned(), |digest| format!("digest {digest} tells it")))
}
