//! Notifies fallback receivers of dead letters, and of senders that are held for a long time.
//!
//! A notice is never the subject of another notice. Its own death is logged and shown only.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::own_message::OwnMessage;
use crate::{
    clock::Clock,
    delivery::{decide::earlier, digest, stored_reason},
    language::Language,
    outbox::{Hold, Kind, NoticeSubject, Outbox, ReceiverName, SenderName, Status, StoreResult},
    text::{counted, local_time},
    wecom::{GroupMentions, Recipients},
};

/// The fallback of a receiver.
#[derive(Debug, Clone)]
pub struct Route {
    pub receiver: ReceiverName,
    pub sender: SenderName,
    pub fallback: ReceiverName,
    pub fallback_sender: SenderName,
    pub fallback_recipients: Recipients,
    /// The time for which a sender may be held before the fallback is notified.
    pub after: Duration,
    /// The language of the fallback.
    pub language: Language,
    /// The zone of times in notices.
    pub zone: TimeZone,
}

/// The time between two rounds. Dead letters of one round share a notice.
const INTERVAL: Duration = Duration::from_secs(1);
/// Older dead letters are not reported, for example to a fallback that was just configured.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The maximum number of dead letters in one notice.
const MAX_DEAD: u32 = 1000;
/// Waiting notifications are counted up to this number.
const COUNT_TO: u32 = 100_000;
/// The maximum number of lines of waiting notifications in a notice.
const MAX_LINES: u32 = 20;

/// Sends notices until `stop` is cancelled. Each round uses the newest `routes`.
pub async fn run<O: Outbox>(
    outbox: O,
    routes: watch::Receiver<Vec<Route>>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        let routes = routes.borrow().clone();
        if routes.is_empty() || !clock.is_known() {
            continue;
        }
        if let Err(error) = notify(&outbox, &routes, clock.as_ref()).await {
            tracing::warn!(%error, "the fallback could not be notified; trying again");
        }
    }
}

/// One round over all routes.
///
/// # Errors
/// Any error of the outbox. The next round continues.
pub async fn notify<O: Outbox>(outbox: &O, routes: &[Route], clock: &dyn Clock) -> StoreResult<()> {
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
    let dead = outbox.unnoticed(&route.receiver, earlier(now, MAX_AGE), MAX_DEAD).await?;
    let Some(first) = dead.first() else { return Ok(()) };
    let mut lines: Vec<(_, &str)> =
        dead.iter().map(|dead| (dead.notification, dead.summary.as_str())).collect();
    lines.dedup();
    let alike = dead.iter().all(|dead| dead.reason == first.reason);
    let others = route.language.choose(" (and other reasons)", "（另有其他原因）");
    let reason = stored_reason(&first.reason, route.language);
    let reason = if alike { reason } else { format!("{reason}{others}") };
    let (count, receiver) = (lines.len(), &route.receiver);
    let counts = match route.language {
        Language::En => {
            format!(
                "[UNDELIVERED] {} for receiver {receiver} could not be delivered",
                counted(count, "message")
            )
        }
        Language::Zh => format!("【未送达】{count} 条发给 {receiver} 的通知未能送达"),
    };
    let summaries = lines.iter().map(|(_, summary)| (*summary).to_owned());
    let notice = Notice::new(&counts, &reason, summaries, count, route.language);
    send(outbox, route, notice, NoticeSubject::Dead(dead.iter().map(|dead| dead.delivery).collect()), clock)
        .await
}

async fn held<O: Outbox>(outbox: &O, route: &Route, hold: &Hold, clock: &dyn Clock) -> StoreResult<()> {
    let age = Duration::try_from(clock.now().duration_since(hold.since)).unwrap_or_default();
    if age < route.after {
        return Ok(());
    }
    let backlog = outbox.held_backlog(&route.sender, &route.receiver, MAX_LINES, COUNT_TO).await?;
    let Some(backlog) = backlog.filter(|backlog| backlog.notifications > 0) else { return Ok(()) };
    let (receiver, since) = (&route.receiver, local_time(clock.wall_time(hold.since), &route.zone));
    let count = backlog.notifications;
    let counts = match route.language {
        Language::En => {
            let messages = if count == 1 { "message waits" } else { "messages wait" };
            format!("[HELD] {count} {messages} for receiver {receiver}, held since {since}")
        }
        Language::Zh => {
            format!("【发送暂停】{count} 条发给 {receiver} 的通知等待发送，自 {since} 起暂停")
        }
    };
    let reason = stored_reason(&hold.reason, route.language);
    let notice = Notice::new(&counts, &reason, backlog.summaries.into_iter(), count as usize, route.language);
    send(outbox, route, notice, NoticeSubject::Hold(route.sender.clone(), route.receiver.clone()), clock)
        .await
}

/// The texts of a notice.
struct Notice {
    text: String,
    /// Replaces a rejected notice. It has no text of an alert or of WeCom, which may be what is rejected.
    text_form: String,
    summary: String,
}

impl Notice {
    fn new(
        counts: &str,
        reason: &str,
        summaries: impl Iterator<Item = String>,
        count: usize,
        language: Language,
    ) -> Self {
        let colon = language.choose(": ", "：");
        let summary = format!("{counts}{colon}{reason}");
        Self {
            text: digest::notice(&summary, summaries, count, language),
            text_form: format!("{counts}{colon}wecom-relay outbox list"),
            summary,
        }
    }
}

async fn send<O: Outbox>(
    outbox: &O,
    route: &Route,
    notice: Notice,
    subject: NoticeSubject,
    clock: &dyn Clock,
) -> StoreResult<()> {
    let message = OwnMessage {
        kind: Kind::Notice,
        receiver: route.fallback.clone(),
        status: Status::Firing,
        summary: notice.summary,
        text: notice.text,
        text_form: Some(notice.text_form),
        mentions: GroupMentions::default(),
    };
    let notice = message.address(route.fallback_sender.clone(), route.fallback_recipients.clone());
    let Some(id) = outbox.notice(notice, subject, clock.now()).await? else {
        tracing::debug!(receiver = %route.receiver, "another replica has notified the fallback");
        return Ok(());
    };
    let (app, receiver, fallback) = (&route.sender, &route.receiver, &route.fallback);
    tracing::warn!(%app, %receiver, notification = id.0, %fallback, "fallback notified");
    Ok(())
}
