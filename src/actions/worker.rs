//! The worker that handles presses: those of one card one after the other, those of different cards at the same time.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, watch},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    act::{Actor, Handling, Report},
    failure::PressFailure,
    membership::Memberships,
    moment::later,
    settings::{PressSettings, Timing},
};
use crate::{
    alertmanager::Silences,
    clock::Clock,
    heartbeat::Heartbeat,
    intake::ButtonAction,
    metrics::{Metrics, PressResult},
    outbox::{CardStore, Press, PressWaker, StoreError, StoreResult},
    wecom::Contacts,
};

/// The pause after the outbox did not answer.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// After the stop, the presses in hand have this time to finish. It is less than that of a whole shutdown.
const GRACE: Duration = Duration::from_secs(10);
/// The number of presses in hand. It is large, so that acknowledgements do not wait behind silences.
const MAX_IN_HAND: usize = 1024;
/// The number of presses that ask Alertmanager at the same time.
const MAX_SILENCES: usize = 64;

/// Handles presses.
pub struct Worker<O, S, C> {
    pub outbox: O,
    pub settings: watch::Receiver<Arc<PressSettings<S, C>>>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub waker: PressWaker,
    pub heartbeat: Heartbeat,
    pub timing: Timing,
}

/// Handles presses until `stop`. Several processes may do so with one outbox: each press has one claim.
pub async fn run<O: CardStore, S: Silences, C: Contacts>(worker: Worker<O, S, C>, stop: CancellationToken) {
    let worker = Arc::new(worker);
    let shared =
        Arc::new(Shared { memberships: Memberships::default(), silences: Semaphore::new(MAX_SILENCES) });
    let mut in_hand = JoinSet::new();
    let mut outage = Outage::default();
    while !stop.is_cancelled() {
        worker.heartbeat.tick();
        let pause = match worker.claim(&mut in_hand, &shared, &stop).await {
            Ok(pause) => {
                outage = Outage::default();
                pause
            }
            Err(error) => {
                outage.warn(&error);
                STORE_PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            Some(ended) = in_hand.join_next() => if let Err(error) = result(ended) {
                outage.warn(&error);
            },
            () = worker.waker.woken() => {}
            () = worker.heartbeat.requested() => {}
            () = sleep(pause) => {}
        }
    }
    while in_hand.join_next().await.is_some() {}
}

/// The parts that all presses in hand share.
struct Shared {
    memberships: Memberships,
    /// Places of presses that ask Alertmanager.
    silences: Semaphore,
}

fn asks_alertmanager(press: &Press) -> bool {
    !matches!(press.button.parse(), Ok(ButtonAction::Acknowledge) | Err(_))
}

/// The outbox does not answer. The log has this once.
#[derive(Default)]
struct Outage {
    is_known: bool,
}

impl Outage {
    fn warn(&mut self, error: &StoreError) {
        if !self.is_known {
            tracing::warn!(%error, "presses of buttons wait, because the outbox does not answer; trying again");
        }
        self.is_known = true;
    }
}

/// The result of a task. Its panic is that of the worker.
fn result(ended: Result<StoreResult<()>, JoinError>) -> StoreResult<()> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(result) => result,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // Nobody aborts a press.
        Err(Err(_)) => Ok(()),
    }
}

impl<O: CardStore, S: Silences, C: Contacts> Worker<O, S, C> {
    /// Claims the presses that are due, and begins to handle them. Returns the pause until the next one may be due.
    async fn claim(
        self: &Arc<Self>,
        in_hand: &mut JoinSet<StoreResult<()>>,
        shared: &Arc<Shared>,
        stop: &CancellationToken,
    ) -> StoreResult<Duration> {
        if !self.clock.is_known() {
            return Ok(STORE_PAUSE);
        }
        while in_hand.len() < MAX_IN_HAND && !stop.is_cancelled() {
            let now = self.clock.now();
            let Some(press) = self.outbox.claim_press(later(now, self.timing.claim), now).await? else {
                let due = self.outbox.next_press_due().await?;
                let wait = due.map(|due| due.duration_since(self.clock.now()));
                let wait = wait.map(|wait| Duration::try_from(wait).unwrap_or_default());
                return Ok(wait.unwrap_or(self.timing.poll).min(self.timing.poll));
            };
            in_hand.spawn(Arc::clone(self).handle(press, Arc::clone(shared), stop.clone()));
        }
        // The end of a press wakes the loop.
        Ok(self.timing.poll)
    }

    /// Handles a press, and stores the result. If the relay stops before the end, the press is handled again after the next
    /// start.
    async fn handle(
        self: Arc<Self>,
        press: Press,
        shared: Arc<Shared>,
        stop: CancellationToken,
    ) -> StoreResult<()> {
        let settings = Arc::clone(&self.settings.borrow());
        let actor = Actor { settings: &settings, timing: &self.timing, clock: self.clock.as_ref() };
        let attempt = async {
            let _place = match asks_alertmanager(&press) {
                true => shared.silences.acquire().await.ok(),
                false => None,
            };
            actor.handle(&press, &shared.memberships).await
        };
        // An attempt must end before its claim.
        let limited = timeout(self.timing.claim / 2, attempt);
        let grace_ended = async {
            stop.cancelled().await;
            sleep(GRACE).await;
        };
        let Handling { verdict, report } = tokio::select! {
            ended = limited => ended.unwrap_or_else(|_| actor.failed(&press, PressFailure::timed_out())),
            () = grace_ended => return Ok(()),
        };
        self.outbox.settle_press(press.id, press.claim, verdict, self.clock.now()).await?;
        if let Some(report) = report {
            self.report(&press, report);
        }
        Ok(())
    }

    fn report(&self, press: &Press, report: Report) {
        let Report { action, result, silence, text } = report;
        self.metrics.pressed(action, result);
        let card = press.card.as_ref();
        let receiver = card.map(|card| card.receiver.to_string()).unwrap_or_default();
        let delivery = card.map_or(0, |card| card.delivery.0);
        let (user, task_id, app) = (&press.user, &press.task_id, &press.sender);
        let (button, silence) = (&press.button, silence.unwrap_or_default());
        let result_name = result.name();
        match result {
            PressResult::Failed => tracing::warn!(
                user, %app, receiver, delivery, task_id, button, action, result = result_name, reason = text,
                "press failed: a member was notified that nothing was done"
            ),
            _ => tracing::info!(
                user, %app, receiver, delivery, task_id, button, action, result = result_name, silence,
                reason = text, "press handled"
            ),
        }
    }
}
