//! Watches cards whose alerts are silenced. Alertmanager does not report that they resolve.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    card::resolved_card,
    messages::resolved,
    moment::later,
    settings::{Settings, Timing},
    texts::Reader,
};
use crate::{
    alertmanager::{Silences, SilencesError},
    clock::Clock,
    language::Language,
    outbox::{CardStore, StoreResult, WatchVerdict, WatchedCard},
};

/// The maximum number of cards in one round.
const MAX_CARDS: u32 = 50;

/// The dependencies of the watch.
pub struct Context<O, S, C> {
    pub outbox: O,
    pub settings: watch::Receiver<Arc<Settings<S, C>>>,
    pub clock: Arc<dyn Clock>,
    pub timing: Timing,
}

/// Looks at silenced cards until `stop`.
pub async fn run<O: CardStore, S: Silences, C: Send + Sync + 'static>(
    context: Context<O, S, C>,
    stop: CancellationToken,
) {
    // Each card has its own due time, so rounds may be more frequent.
    let pause = context.timing.watch / 4;
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        if !context.clock.is_known() {
            continue;
        }
        if let Some(Err(error)) = stop.run_until_cancelled(context.round()).await {
            tracing::debug!(%error, "silenced cards could not be looked at; trying again");
        }
    }
}

impl<O: CardStore, S: Silences, C: Send + Sync + 'static> Context<O, S, C> {
    async fn round(&self) -> StoreResult<()> {
        let now = self.clock.now();
        let next = later(now, self.timing.watch);
        let settings = Arc::clone(&self.settings.borrow());
        for watched in self.outbox.watched_cards(MAX_CARDS, next, now).await? {
            let verdict = self.look(&settings, &watched, next).await;
            let WatchedCard { card, .. } = &watched;
            if matches!(verdict, WatchVerdict::Resolved(_)) {
                tracing::info!(
                    receiver = %card.receiver, delivery = card.delivery.0, task_id = card.task_id,
                    "a silenced alert is resolved, and its card says so"
                );
            }
            self.outbox.settle_watch(&card.task_id, &card.sender, verdict, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn look(&self, settings: &Settings<S, C>, watched: &WatchedCard, next: Timestamp) -> WatchVerdict {
        let WatchedCard { card, watch_until } = watched;
        let Some(silences) = &settings.silences else { return WatchVerdict::Ended };
        let is_last = self.clock.now() >= *watch_until;
        let otherwise = if is_last { WatchVerdict::Ended } else { WatchVerdict::Again { at: next } };
        match self.is_resolved(silences.as_ref(), watched).await {
            Ok(true) => {}
            Ok(false) => return otherwise,
            Err(error) => {
                tracing::debug!(%error, task_id = card.task_id, "Alertmanager does not say whether a silenced alert is resolved");
                return otherwise;
            }
        }
        let language =
            settings.receivers.get(&card.receiver).map_or(Language::default(), |found| found.language);
        let now = self.clock.wall_time(self.clock.now());
        let reader = Reader { language, now, zone: &settings.zone };
        match resolved_card(card, reader) {
            Some(template_card) => WatchVerdict::Resolved(resolved(card, template_card, reader)),
            None => WatchVerdict::Ended,
        }
    }

    async fn is_resolved(&self, silences: &S, watched: &WatchedCard) -> Result<bool, SilencesError> {
        if silences.has_alerts(&watched.card.labels.0).await? {
            return Ok(false);
        }
        let now = self.clock.wall_time(self.clock.now());
        let started_at = silences.started_at().await?;
        let age =
            |started_at: Timestamp| Duration::try_from(now.duration_since(started_at)).unwrap_or_default();
        Ok(started_at.is_none_or(|started_at| age(started_at) >= self.timing.warm_up))
    }
}
