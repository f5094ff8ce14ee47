//! The templates in use, and the drafts of them, for the console.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt, future::BoxFuture};

use super::{drafts::Drafts, receivers};
use crate::{
    clock::Clock,
    config::Config,
    console::{KeptPayload, TemplateDesk},
    http::{KeptBody, Payloads},
    intake::{Draft, DraftError, DraftOutcome, DraftReceiver, DraftSource, Intake},
    outbox::NotificationId,
};

/// The templates of the relay. A reload replaces them.
pub(super) struct Desk {
    drafts: Arc<Drafts>,
    payloads: Arc<Payloads>,
    clock: Arc<dyn Clock>,
    templates: Mutex<TemplatesInUse>,
}

#[derive(Debug, Default)]
pub(super) struct TemplatesInUse {
    pub(super) receivers: Vec<DraftReceiver>,
    pub(super) sources: Vec<DraftSource>,
    pub(super) timezone: String,
}

impl Desk {
    pub(super) fn new(drafts: Drafts, payloads: Arc<Payloads>, clock: Arc<dyn Clock>) -> Self {
        Self { drafts: Arc::new(drafts), payloads, clock, templates: Mutex::default() }
    }

    pub(super) fn publish(&self, config: &Config, intake: &Intake) {
        let templates = TemplatesInUse {
            receivers: intake.receivers().map(DraftReceiver::from).collect(),
            sources: receivers::draft_sources(config),
            timezone: config.timezone.iana_name().unwrap_or("UTC").to_owned(),
        };
        *self.templates.lock().unwrap_or_else(PoisonError::into_inner) = templates;
    }
}

impl TemplateDesk for Desk {
    fn draft(&self, receiver: &str) -> Option<Draft> {
        let templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = templates.receivers.iter().find(|known| known.name == receiver)?.clone();
        let own = receiver.templates();
        // Names with a slash are those of receivers. The templates of other receivers are not needed.
        let is_used =
            |source: &&DraftSource| !source.name.contains('/') || own.contains(&source.name.as_str());
        let sources = templates.sources.iter().filter(is_used).cloned().collect();
        let now_ms = self.clock.wall_time(self.clock.now()).as_millisecond();
        Some(Draft {
            sources,
            timezone: templates.timezone.clone(),
            now_ms,
            payload: String::new(),
            receiver,
        })
    }

    fn render(&self, draft: Draft) -> BoxFuture<'static, Result<DraftOutcome, DraftError>> {
        let drafts = Arc::clone(&self.drafts);
        async move { drafts.render(&draft).await }.boxed()
    }

    fn payloads(&self) -> Vec<KeptPayload> {
        let kept = self.payloads.latest_first().into_iter();
        kept.map(|KeptBody { id, at, receiver, body, .. }| KeptPayload { id, at, receiver, body }).collect()
    }

    fn payload_of(&self, notification: NotificationId) -> Option<u64> {
        self.payloads.id_of(notification)
    }
}
