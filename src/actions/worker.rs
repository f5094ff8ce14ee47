//! The worker that handles presses, one after the other.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    act::{Actor, Handling, Report},
    failure::Failure,
    membership::Memberships,
    moment::later,
    settings::{Settings, Timing},
};
use crate::{
    alertmanager::Silences,
    clock::Clock,
    heartbeat::Heartbeat,
    metrics::{Metrics, PressResult},
    outbox::{CardStore, Press, PressWaker, StoreResult},
    wecom::Contacts,
};

/// The pause after the outbox did not answer.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// After the stop, the press in hand has this time to finish. It is less than that of a whole shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// The dependencies of the worker.
pub struct Context<O, S, C> {
    pub outbox: O,
    pub settings: watch::Receiver<Arc<Settings<S, C>>>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub waker: PressWaker,
    pub heartbeat: Heartbeat,
    pub timing: Timing,
}

/// Handles presses until `stop`. Several processes may do so with one outbox: each press has one claim.
pub async fn run<O: CardStore, S: Silences, C: Contacts>(context: Context<O, S, C>, stop: CancellationToken) {
    let mut memberships = Memberships::default();
    let mut is_first_failure = true;
    loop {
        context.heartbeat.tick();
        let pause = match context.work(&mut memberships, &stop).await {
            Ok(pause) => {
                is_first_failure = true;
                pause
            }
            Err(error) => {
                if is_first_failure {
                    tracing::warn!(%error, "presses of buttons wait, because the outbox does not answer; trying again");
                }
                is_first_failure = false;
                STORE_PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = context.waker.woken() => {}
            () = context.heartbeat.requested() => {}
            () = sleep(pause) => {}
        }
    }
}

impl<O: CardStore, S: Silences, C: Contacts> Context<O, S, C> {
    /// Handles all presses that are due. Returns the pause until the next one may be.
    async fn work(&self, memberships: &mut Memberships, stop: &CancellationToken) -> StoreResult<Duration> {
        if !self.clock.is_known() {
            return Ok(STORE_PAUSE);
        }
        while !stop.is_cancelled() {
            let now = self.clock.now();
            let Some(press) = self.outbox.claim_press(later(now, self.timing.claim), now).await? else {
                break;
            };
            let Some(handling) = self.handled(&press, memberships, stop).await else { break };
            let (id, claim) = (press.id, press.claim);
            self.outbox.settle_press(id, claim, handling.verdict, self.clock.now()).await?;
            if let Some(report) = handling.report {
                self.report(&press, report);
            }
        }
        let due = self.outbox.next_press_due().await?;
        let wait =
            due.map(|due| Duration::try_from(due.duration_since(self.clock.now())).unwrap_or_default());
        Ok(wait.unwrap_or(self.timing.poll).min(self.timing.poll))
    }

    /// Handles a press and answers the watchdog meanwhile. `None` if the relay stops before the end: the press is handled
    /// again after the next start.
    async fn handled(
        &self,
        press: &Press,
        memberships: &mut Memberships,
        stop: &CancellationToken,
    ) -> Option<Handling> {
        let settings = Arc::clone(&self.settings.borrow());
        let actor = Actor { settings: &settings, timing: &self.timing, clock: self.clock.as_ref() };
        // An attempt must end before its claim.
        let limited = timeout(self.timing.claim / 2, actor.handle(press, memberships));
        let mut handling = pin!(limited);
        let mut stopped = pin!(async {
            stop.cancelled().await;
            sleep(GRACE).await;
        });
        loop {
            tokio::select! {
                ended = &mut handling => {
                    return Some(ended.unwrap_or_else(|_| actor.failed(press, Failure::timed_out())));
                }
                () = &mut stopped => return None,
                () = self.heartbeat.requested() => self.heartbeat.tick(),
            }
        }
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
                "press failed: a member was told that nothing was done"
            ),
            _ => tracing::info!(
                user, %app, receiver, delivery, task_id, button, action, result = result_name, silence,
                reason = text, "press handled"
            ),
        }
    }
}
