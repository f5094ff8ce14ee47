//! Tells fallback receivers, in one folded notice, what died and what is held for long.
//!
//! A notice is terminal: what becomes of it is logged and shown, and gives no notice in turn, so that
//! there are no notices of notices.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::text::Text;
use crate::{
    clock::Clock,
    delivery::{fold, step::earlier},
    outbox::{Hold, Kind, NoticeOf, Outbox, ReceiverName, SenderName, Status, StoreResult},
    wecom::Recipients,
};

/// Where the notices of a receiver go.
#[derive(Debug, Clone)]
pub struct Route {
    /// Whose messages.
    pub receiver: ReceiverName,
    /// The app that they go through.
    pub sender: SenderName,
    /// The fallback's name.
    pub fallback: ReceiverName,
    /// The fallback's app.
    pub fallback_channel: SenderName,
    /// The fallback's recipients.
    pub fallback_recipients: Recipients,
    /// How long a sender may be held before the fallback is told.
    pub after: Duration,
}

/// How often to look; also the time in which dead letters gather for one notice.
const INTERVAL: Duration = Duration::from_secs(1);
/// Dead letters that died before this are no news, for instance to a fallback that was just configured.
const NEWS: Duration = Duration::from_secs(24 * 3600);
/// How many dead letters one notice tells of.
const DEAD_A_NOTICE: u32 = 1000;
/// How many waiting messages are counted for a notice.
const COUNT_TO: u32 = 100_000;
/// How many lines of what waits are read for a notice.
const LINES: u32 = 20;

/// Tells of what there is to tell until `stop`, by the latest of `routes`.
pub async fn run<O: Outbox>(
    outbox: O,
    routes: watch::Receiver<Vec<Route>>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        let routes = routes.borrow().clone();
        if routes.is_empty() {
            continue;
        }
        if let Err(error) = tell(&outbox, &routes, clock.as_ref()).await {
            tracing::warn!(%error, "the fallback could not be told yet; trying again");
        }
    }
}

/// One round over all routes.
///
/// # Errors
/// Whatever the outbox answers; the next round tells what this one did not.
pub async fn tell<O: Outbox>(outbox: &O, routes: &[Route], clock: &dyn Clock) -> StoreResult<()> {
    let holds = outbox.holds().await?;
    for route in routes {
        dead(outbox, route, clock).await?;
        for hold in holds.iter().filter(|hold| hold.sender == route.sender) {
            held(outbox, route, hold, clock).await?;
        }
    }
    Ok(())
}

async fn dead<O: Outbox>(outbox: &O, route: &Route, clock: &dyn Clock) -> StoreResult<()> {
    let now = clock.now();
    let dead = outbox.unnoticed(&route.receiver, earlier(now, NEWS), DEAD_A_NOTICE).await?;
    let Some(first) = dead.first() else { return Ok(()) };
    let mut lines: Vec<(_, &str)> =
        dead.iter().map(|dead| (dead.notification, dead.summary.as_str())).collect();
    lines.dedup();
    let alike = dead.iter().all(|dead| dead.reason == first.reason);
    let reason = if alike { first.reason.clone() } else { format!("{} (and other reasons)", first.reason) };
    let count = lines.len();
    let heading = format!(
        "[UNDELIVERED] {count} {} for receiver {} could not be delivered: {reason}",
        if count == 1 { "message" } else { "messages" },
        route.receiver
    );
    let text = fold::notice(&heading, lines.iter().map(|(_, summary)| (*summary).to_owned()), count);
    let told = NoticeOf::Dead(dead.iter().map(|dead| dead.delivery).collect());
    send(outbox, route, heading, text, told, clock).await
}

async fn held<O: Outbox>(outbox: &O, route: &Route, hold: &Hold, clock: &dyn Clock) -> StoreResult<()> {
    let age = Duration::try_from(clock.now().duration_since(hold.since)).unwrap_or_default();
    if age < route.after {
        return Ok(());
    }
    let backlog = outbox.held_backlog(&route.sender, &route.receiver, LINES, COUNT_TO).await?;
    let Some(backlog) = backlog.filter(|backlog| backlog.messages > 0) else { return Ok(()) };
    let heading = format!(
        "[HELD] {} {} for receiver {} wait since {}: {}",
        backlog.messages,
        if backlog.messages == 1 { "message" } else { "messages" },
        route.receiver,
        hold.since,
        hold.reason
    );
    let text = fold::notice(&heading, backlog.summaries, backlog.messages as usize);
    let told = NoticeOf::Hold(route.sender.clone(), route.receiver.clone());
    send(outbox, route, heading, text, told, clock).await
}

async fn send<O: Outbox>(
    outbox: &O,
    route: &Route,
    summary: String,
    text: String,
    told: NoticeOf,
    clock: &dyn Clock,
) -> StoreResult<()> {
    let message =
        Text { kind: Kind::Notice, receiver: route.fallback.clone(), status: Status::Firing, summary, text };
    let notice = message.to(route.fallback_channel.clone(), route.fallback_recipients.clone());
    let id = outbox.notice(notice, told, clock.now()).await?;
    let (app, receiver, fallback) = (&route.sender, &route.receiver, &route.fallback);
    tracing::warn!(%app, %receiver, notification = %id, %fallback, "told the fallback");
    Ok(())
}
