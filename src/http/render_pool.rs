//! Runs templates with a time limit.
//!
//! A template cannot be stopped from outside, so it runs on a blocking thread of the runtime. When the time limit is
//! over, the caller uses the built-in text, and the thread is left running: a *stuck* thread.
//!
//! - Each receiver renders a few notifications at once. Others wait, and are rejected with 503 after a while, because
//!   a long queue is not the fault of a template.
//! - A receiver with too many stuck threads runs no more templates, so it cannot use up the threads of others. Its
//!   notifications get the built-in text at once.
//! - Recipients have slots of their own for the case that a message template is stuck, so that the built-in text still
//!   reaches the right people.
//! - Built-in templates always end. They need no limit, and with a small payload no other thread.

use std::{collections::HashMap, future, panic, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    task::{JoinError, spawn_blocking},
    time::Instant,
};

use super::{
    memory::Reservation,
    render_slots::{NoResult, RenderSlots, RenderThreads, SLOT_WAIT},
};
use crate::{
    intake::{
        Intake, ParseError, Parsed, ParsedWebhook, Receiver, RecipientError, RenderedNotification,
        TemplateFailure,
    },
    outbox::ReceiverName,
};

/// The time limit for the templates of one notification.
pub const RENDER_LIMIT: Duration = Duration::from_secs(2);
/// A body of at most this size is parsed, and rendered with built-in templates, on the worker thread. It has some 150
/// alerts, which takes about a millisecond. A larger body would keep other requests waiting.
pub(super) const INLINE_BYTES: usize = 64 << 10;

/// An [`Intake`] with a time limit for templates.
#[derive(Debug)]
pub struct RenderPool {
    intake: Arc<Intake>,
    limit: Duration,
    receivers: HashMap<String, ReceiverSlots>,
    threads: RenderThreads,
}

/// More notifications of one receiver arrive than can be rendered in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many notifications of this receiver are being rendered")]
pub struct Overloaded;

/// The slots of one receiver. Clones share them.
#[derive(Debug, Clone)]
struct ReceiverSlots {
    /// For recipients and message together.
    whole: Arc<RenderSlots>,
    /// For recipients alone.
    recipients: Arc<RenderSlots>,
}

impl ReceiverSlots {
    fn new(threads: &RenderThreads) -> Self {
        let slots = || Arc::new(RenderSlots::new(threads.clone()));
        Self { whole: slots(), recipients: slots() }
    }
}

impl RenderPool {
    /// `limit` is the time for the templates of one notification.
    pub fn new(intake: Arc<Intake>, limit: Duration) -> Self {
        let mut pool = Self { intake, limit, receivers: HashMap::new(), threads: RenderThreads::default() };
        pool.add_missing_slots();
        pool
    }

    /// A pool with other receivers. If the templates are the same, receivers keep their slots, because their threads
    /// may be stuck. Otherwise they get new ones, because the stuck template may be fixed.
    #[must_use]
    pub fn with_intake(&self, intake: Arc<Intake>) -> Self {
        let is_same = self.intake.templates_fingerprint() == intake.templates_fingerprint();
        let receivers = if is_same { self.receivers.clone() } else { HashMap::new() };
        let mut pool = Self { intake, limit: self.limit, receivers, threads: self.threads.clone() };
        pool.add_missing_slots();
        pool
    }

    pub fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    fn add_missing_slots(&mut self) {
        for Receiver { name, .. } in self.intake.receivers() {
            let slots = self.receivers.entry(name.0.clone());
            slots.or_insert_with(|| ReceiverSlots::new(&self.threads));
        }
    }

    /// The further receivers of each notification of a receiver.
    pub fn also(&self, receiver: &ReceiverName) -> Vec<ReceiverName> {
        self.intake.receiver(&receiver.0).map(|receiver| receiver.also.clone()).unwrap_or_default()
    }

    /// [`Intake::parse`]. The memory stays reserved until it is done, even if the caller goes away.
    ///
    /// # Errors
    /// [`ParseError`]
    pub async fn parse(
        &self,
        receiver: Option<&str>,
        body: Arc<Vec<u8>>,
        memory: &Reservation,
        now: Timestamp,
    ) -> Result<Parsed, ParseError> {
        let (intake, receiver) = (Arc::clone(&self.intake), receiver.map(str::to_owned));
        let (size, payload_memory) = (body.len(), memory.payload());
        run_to_end(size, memory, move || intake.parse(receiver.as_deref(), &body, payload_memory, now)).await
    }

    /// The time at which the receivers of a webhook that is rendered from now on must have their messages. They share it, so
    /// several with slow templates take no longer than one may take, and the sender does not give up. What is late gets the
    /// built-in text.
    pub fn deadline(&self) -> Instant {
        Instant::now() + SLOT_WAIT + self.limit
    }

    /// [`Intake::render`] within the time limit. The memory stays reserved until it is done, even if the caller goes
    /// away.
    ///
    /// # Errors
    /// [`Overloaded`] when the caller should try again later.
    pub async fn render(
        &self,
        webhook: Arc<ParsedWebhook>,
        memory: &Reservation,
        deadline: Instant,
    ) -> Result<RenderedNotification, Overloaded> {
        let job = RenderJob { intake: Arc::clone(&self.intake), webhook };
        let receiver = job.webhook.receiver();
        let bytes = job.webhook.body_bytes();
        let slots = match self.receivers.get(&receiver.name.0) {
            Some(slots) if !receiver.builtin_only => slots,
            _ => {
                let job = job.clone();
                return Ok(run_to_end(bytes, memory, move || job.render()).await);
            }
        };

        let whole = job.clone();
        let (failure, unknown_recipients) =
            match slots.whole.run(self.limit, deadline, memory, move || whole.render()).await {
                Ok(rendered) => return Ok(rendered),
                Err(NoResult::Overloaded) => return Err(Overloaded),
                Err(NoResult::TimedOut) => (TemplateFailure::TimedOut(self.limit), RecipientError::TimedOut),
                Err(NoResult::Panicked) => (TemplateFailure::Panicked, RecipientError::TimedOut),
                Err(NoResult::Stuck) => {
                    self.render_recipients(slots, &job, memory, deadline).await?;
                    (TemplateFailure::Stuck, RecipientError::Stuck)
                }
            };
        let builtin = job.clone();
        let render_builtin = move || builtin.render_builtin(failure, unknown_recipients);
        Ok(run_to_end(bytes, memory, render_builtin).await)
    }

    /// Renders the recipients alone, if they are templates and end in time.
    async fn render_recipients(
        &self,
        slots: &ReceiverSlots,
        job: &RenderJob,
        memory: &Reservation,
        deadline: Instant,
    ) -> Result<(), Overloaded> {
        if job.webhook.has_recipients() {
            return Ok(());
        }
        let job = job.clone();
        match slots.recipients.run(self.limit, deadline, memory, move || job.render_recipients()).await {
            Err(NoResult::Overloaded) => Err(Overloaded),
            Ok(()) | Err(NoResult::TimedOut | NoResult::Stuck | NoResult::Panicked) => Ok(()),
        }
    }
}

/// One webhook to render, as a thread needs it.
#[derive(Debug, Clone)]
struct RenderJob {
    intake: Arc<Intake>,
    webhook: Arc<ParsedWebhook>,
}

impl RenderJob {
    fn render(&self) -> RenderedNotification {
        self.intake.render(&self.webhook)
    }

    fn render_recipients(&self) {
        self.intake.render_recipients(&self.webhook);
    }

    fn render_builtin(
        &self,
        failure: TemplateFailure,
        unknown_recipients: RecipientError,
    ) -> RenderedNotification {
        self.intake.render_builtin(&self.webhook, failure, unknown_recipients)
    }
}

/// Runs work that always ends: on this thread if it is small, else on a blocking thread.
async fn run_to_end<T: Send + 'static>(
    bytes: usize,
    memory: &Reservation,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if bytes <= INLINE_BYTES {
        return work();
    }
    let memory = memory.clone();
    run_blocking(move || {
        let done = work();
        drop(memory);
        done
    })
    .await
}

/// Runs work that always ends on a blocking thread.
pub(super) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => panic::resume_unwind(panic),
        // The runtime cancels a job only when it shuts down.
        Err(Err(_cancelled)) => future::pending().await,
    }
}
