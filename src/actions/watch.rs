//! Watches cards whose alerts are silenced. Alertmanager does not report that they resolve.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    absence::{Knowledge, absent_again, is_resolved, knowledge},
    card::resolved_card,
    messages::resolved,
    moment::later,
    settings::{PressSettings, Timing},
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
/// If Alertmanager does not answer at the end of a silence, the watch goes on for this time, because nobody else reports
/// alerts that have resolved.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Looks at silenced cards.
pub struct Watch<O, S, C> {
    pub outbox: O,
    pub settings: watch::Receiver<Arc<PressSettings<S, C>>>,
    pub clock: Arc<dyn Clock>,
    pub timing: Timing,
}

/// An answer of Alertmanager about the alerts of a card.
enum Look {
    Listed,
    /// Not listed. They are resolved after this has lasted for the time.
    Absent(Duration),
    /// Alertmanager has started so recently that it cannot know all alerts.
    TooEarly,
}

/// Looks at silenced cards until `stop`.
pub async fn run<O: CardStore, S: Silences, C: Send + Sync + 'static>(
    watch: Watch<O, S, C>,
    stop: CancellationToken,
) {
    // Each card has its own due time, so rounds may be more frequent.
    let pause = watch.timing.watch / 4;
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        if !watch.clock.is_known() {
            continue;
        }
        if let Some(Err(error)) = stop.run_until_cancelled(watch.round()).await {
            tracing::debug!(%error, "silenced cards could not be looked at; trying again");
        }
    }
}

impl<O: CardStore, S: Silences, C: Send + Sync + 'static> Watch<O, S, C> {
    async fn round(&self) -> StoreResult<()> {
        let now = self.clock.now();
        let next = later(now, self.timing.watch);
        let settings = Arc::clone(&self.settings.borrow());
        for watched in self.outbox.watched_cards(MAX_CARDS, next, now).await? {
            let verdict = self.verdict(&settings, &watched, next).await;
            let WatchedCard { card, .. } = &watched;
            if matches!(verdict, WatchVerdict::Resolved(_)) {
                tracing::info!(
                    receiver = %card.receiver, delivery = card.delivery.0, task_id = card.task_id,
                    "a silenced alert is resolved, and its card says so"
                );
            }
            self.outbox.settle_watch(card.delivery, next, verdict, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn verdict(
        &self,
        settings: &PressSettings<S, C>,
        watched: &WatchedCard,
        next: Timestamp,
    ) -> WatchVerdict {
        let WatchedCard { card, watch_until, absence: before } = watched;
        let Some(silences) = &settings.silences else { return WatchVerdict::Ended };
        let now = self.clock.now();
        let needed = match self.look(silences.as_ref(), watched).await {
            Ok(Look::Absent(needed)) => needed,
            // The end of the watch waits for an answer that says something.
            Ok(Look::TooEarly) => return WatchVerdict::Again { at: next, absence: None },
            Ok(Look::Listed) => return if_it_lasts(*watch_until, now, next),
            Err(error) => {
                tracing::debug!(%error, task_id = card.task_id, "Alertmanager does not say whether a silenced alert is resolved");
                return if_it_lasts(later(*watch_until, PATIENCE), now, next);
            }
        };
        let absence = absent_again(*before, now);
        if !is_resolved(absence, needed) {
            return WatchVerdict::Again { at: next, absence: Some(absence) };
        }
        let language =
            settings.receivers.get(&card.receiver).map_or(Language::default(), |found| found.language);
        let reader = Reader { language, now: self.clock.wall_time(now), zone: &settings.zone };
        match resolved_card(card, reader) {
            Some(template_card) => WatchVerdict::Resolved(resolved(card, template_card, reader)),
            None => WatchVerdict::Ended,
        }
    }

    async fn look(&self, silences: &S, watched: &WatchedCard) -> Result<Look, SilencesError> {
        if silences.has_alerts(&watched.card.labels.0).await? {
            return Ok(Look::Listed);
        }
        let Timing { absence, warm_up, .. } = self.timing;
        Ok(match knowledge(silences, warm_up, self.clock.as_ref()).await? {
            Knowledge::Complete => Look::Absent(absence),
            Knowledge::Incomplete => Look::TooEarly,
            Knowledge::Unknown => Look::Absent(absence.max(warm_up)),
        })
    }
}

fn if_it_lasts(watch_until: Timestamp, now: Timestamp, next: Timestamp) -> WatchVerdict {
    if now >= watch_until { WatchVerdict::Ended } else { WatchVerdict::Again { at: next, absence: None } }
}
