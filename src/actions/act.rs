//! Handles one press.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    absence::{Knowledge, knowledge},
    card::handled_card,
    failure::PressFailure,
    membership::Memberships,
    messages::{card_changed, to_member},
    moment::{end_of_silence, later},
    rules::{self, Refusal, Target},
    settings::{PressSettings, ReceiverSettings, Timing},
    silence,
    texts::Reader,
};
use crate::{
    alertmanager::{Silence, Silences, SilencesError},
    clock::Clock,
    delivery::press_results::{NOT_DONE, SILENCED_BY},
    intake::ButtonAction,
    language::Language,
    metrics::PressResult,
    outbox::{Handled, HandledAction, NewNotification, Press, PressVerdict, StoredCard},
    wecom::Contacts,
};

/// The result of handling a press.
pub(super) struct Handling {
    pub(super) verdict: PressVerdict,
    /// `None` if the press is handled again later.
    pub(super) report: Option<Report>,
}

/// For metrics and the audit log.
pub(super) struct Report {
    pub(super) action: &'static str,
    pub(super) result: PressResult,
    pub(super) silence: Option<String>,
    /// One line in English.
    pub(super) text: String,
}

/// Handles presses with one state of the configuration.
pub(super) struct Actor<'a, S, C> {
    pub(super) settings: &'a PressSettings<S, C>,
    pub(super) timing: &'a Timing,
    pub(super) clock: &'a dyn Clock,
}

/// A press that is obeyed.
struct Obeyed<'p> {
    press: &'p Press,
    card: &'p StoredCard,
    receiver: &'p ReceiverSettings,
}

impl<S: Silences, C: Contacts> Actor<'_, S, C> {
    pub(super) async fn handle(&self, press: &Press, memberships: &Memberships) -> Handling {
        if press.attempts > 0
            && let Some(handling) = self.done_before(press).await
        {
            return handling;
        }
        let target = match rules::target(press, self.clock.now()) {
            Ok(target) => target,
            Err(refusal) => return self.refused(press, &refusal),
        };
        let receiver = self.settings.receivers.get(&target.card.receiver);
        let allowed = receiver.and_then(|receiver| receiver.allowed.as_ref());
        let (Some(receiver), Some(allowed)) = (receiver, allowed) else {
            return self.refused(press, &Refusal::NotConfigured);
        };
        let sender = &target.card.sender;
        let contacts = self.settings.contacts.get(sender).map(AsRef::as_ref);
        match memberships.may_press(&press.user, allowed, sender, contacts, self.clock.now()).await {
            Ok(true) => {}
            Ok(false) => return self.refused(press, &Refusal::NotAllowed),
            Err(error) => return self.failed(press, error.into()),
        }
        if let Err(refusal) = rules::check(target, &press.user, self.wall_now()) {
            match self.holds(&refusal, target.card).await {
                Ok(true) => return self.refused(press, &refusal),
                Ok(false) => {}
                Err(failure) => return self.failed(press, failure),
            }
        }
        self.obey(press, target, receiver).await
    }

    /// The end of a press whose earlier attempt created a silence: its answer was lost, or it could not be stored. A refusal
    /// would say that nothing was done.
    async fn done_before(&self, press: &Press) -> Option<Handling> {
        let card = press.card.as_ref()?;
        let receiver = self.settings.receivers.get(&card.receiver)?;
        let silences = self.settings.silences.as_ref()?;
        if press.button.parse::<ButtonAction>().ok()? == ButtonAction::Acknowledge {
            return None;
        }
        match silence::created_before(silences.as_ref(), press, card).await {
            Ok(created) => {
                let obeyed = Obeyed { press, card, receiver };
                Some(self.silenced(&obeyed, silences.as_ref(), created?).await)
            }
            Err(failure) => Some(self.failed(press, failure)),
        }
    }

    /// False if the card is out of date, because somebody has expired its silence in Alertmanager.
    async fn holds(&self, refusal: &Refusal, card: &StoredCard) -> Result<bool, PressFailure> {
        let Refusal::AlreadySilenced { silence_id, .. } = refusal else { return Ok(true) };
        match &self.settings.silences {
            Some(silences) => Ok(silences.is_in_force(&card.labels.0, silence_id).await?),
            None => Ok(true),
        }
    }

    async fn obey(&self, press: &Press, target: Target<'_>, receiver: &ReceiverSettings) -> Handling {
        let Target { card, action } = target;
        let obeyed = Obeyed { press, card, receiver };
        let now = self.wall_now();
        let Some(until) = end_of_silence(action, now, &self.settings.zone) else {
            return self.acknowledged(&obeyed, now);
        };
        let Some(silences) = self.settings.silences.as_deref() else {
            return self.refused(press, &Refusal::NoAlertmanager);
        };
        // At a later attempt, `done_before` has looked already.
        let created = match press.attempts {
            0 => silence::created_before(silences, press, card).await,
            _ => Ok(None),
        };
        let silence = match created {
            Ok(Some(created)) => Ok(created),
            Ok(None) => silence::create(silences, press, card, now, until).await,
            Err(failure) => Err(failure),
        };
        match silence {
            Ok(silence) => self.silenced(&obeyed, silences, silence).await,
            Err(failure) => self.failed(press, failure),
        }
    }

    fn acknowledged(&self, obeyed: &Obeyed<'_>, now: Timestamp) -> Handling {
        let by = obeyed.press.user.clone();
        let handled = Handled { action: HandledAction::Acknowledged, by, at: now };
        self.done(obeyed, handled, None)
    }

    async fn silenced(&self, obeyed: &Obeyed<'_>, silences: &S, silence: Silence) -> Handling {
        let Obeyed { press, card, receiver } = *obeyed;
        let is_watched = receiver.send_resolved && self.knows_alerts(silences, card).await;
        let Silence { id, ends_at } = silence;
        let now = self.wall_now();
        let action = HandledAction::Silenced { silence_id: id, until: ends_at };
        let handled = Handled { action, by: press.user.clone(), at: now };
        // Stored times are relay time. The last look comes after the end, because nobody reports alerts that resolved just
        // before it.
        let length = Duration::try_from(ends_at.duration_since(now)).unwrap_or_default();
        let watch_until = later(later(self.clock.now(), length), self.timing.watch);
        self.done(obeyed, handled, is_watched.then_some(watch_until))
    }

    /// False if Alertmanager does not know the alerts of the card, so that it cannot say that they are resolved. If it has
    /// just started, it will know them soon.
    async fn knows_alerts(&self, silences: &S, card: &StoredCard) -> bool {
        let look = async {
            if silences.has_alerts(&card.labels.0).await? {
                return Ok(true);
            }
            Ok(knowledge(silences, self.timing.warm_up, self.clock).await? == Knowledge::Incomplete)
        };
        look.await.unwrap_or_else(|error: SilencesError| {
            tracing::warn!(
                receiver = %card.receiver, reason = %error,
                "Alertmanager did not list the silenced alerts; the relay looks for their end all the same"
            );
            true
        })
    }

    fn done(&self, obeyed: &Obeyed<'_>, handled: Handled, watch_until: Option<Timestamp>) -> Handling {
        let Obeyed { press, card, receiver } = obeyed;
        let reader = self.reader(receiver.language);
        let all: Vec<Handled> = card.handled.iter().cloned().chain([handled.clone()]).collect();
        let update = handled_card(card, &all, reader)
            .map(|updated| card_changed(card, updated, press.response_code.clone(), &handled, reader));
        let (action, silence) = match &handled.action {
            HandledAction::Acknowledged => ("acknowledge", None),
            HandledAction::Silenced { silence_id, .. } => ("silence", Some(silence_id.clone())),
        };
        let english = Reader { language: Language::En, ..reader };
        let text = match &silence {
            Some(id) => SILENCED_BY.fill(&[&english.note(&handled), id]).en,
            None => english.note(&handled),
        };
        Handling {
            verdict: PressVerdict::Done {
                result: text.clone(),
                handled: Some(handled),
                watch_until,
                notifications: update.into_iter().collect(),
            },
            report: Some(Report { action, result: PressResult::Done, silence, text }),
        }
    }

    fn refused(&self, press: &Press, refusal: &Refusal) -> Handling {
        let result = match refusal {
            Refusal::UnknownCard | Refusal::Closed | Refusal::TooOld => PressResult::Late,
            Refusal::NotAllowed => PressResult::NotAllowed,
            Refusal::AlreadyAcknowledged | Refusal::AlreadySilenced { .. } => PressResult::AlreadyDone,
            Refusal::UnknownButton | Refusal::NotConfigured | Refusal::NoLabels | Refusal::NoAlertmanager => {
                PressResult::Impossible
            }
        };
        let reason = self.reader(Language::En).refusal(refusal);
        self.not_done(press, result, reason, |reader| reader.refusal(refusal))
    }

    /// Tries again soon, or tells the member.
    pub(super) fn failed(&self, press: &Press, failure: PressFailure) -> Handling {
        let now = self.clock.now();
        let waited = now.duration_since(press.accepted_at).unsigned_abs();
        let is_patient = press.attempts == 0 || waited < self.timing.patience;
        let attempts = usize::try_from(press.attempts).unwrap_or(usize::MAX);
        if let Some(delay) = self.timing.retries.get(attempts)
            && is_patient
            && !failure.is_final
        {
            warn_of_retry(press, &failure.detail);
            return Handling {
                verdict: PressVerdict::Retry { at: later(now, *delay), reason: failure.detail },
                report: None,
            };
        }
        let text = |reader: Reader<'_>| reader.failure(&failure);
        self.not_done(press, PressResult::Failed, failure.detail.clone(), text)
    }

    /// Notifies the member, and nobody else, that nothing was done. `reason` is for operators.
    fn not_done(
        &self,
        press: &Press,
        result: PressResult,
        reason: String,
        text: impl Fn(Reader<'_>) -> String,
    ) -> Handling {
        let action = press.button.parse().map_or("other", action_name);
        Handling {
            verdict: PressVerdict::Done {
                result: NOT_DONE.fill(&[&reason]).en,
                handled: None,
                watch_until: None,
                notifications: self.notification(press, text).into_iter().collect(),
            },
            report: Some(Report { action, result, silence: None, text: reason }),
        }
    }

    fn notification(&self, press: &Press, text: impl Fn(Reader<'_>) -> String) -> Option<NewNotification> {
        let settings = self.settings;
        let card = press.card.as_ref();
        let of_card = card.and_then(|card| settings.receivers.get_key_value(&card.receiver));
        // A message needs a receiver. If that of the card is gone, another one of the same app is as good.
        let (receiver, found) = of_card.or_else(|| settings.receiver_of(&press.sender))?;
        let reader = self.reader(found.language);
        let summary = card.map_or("", |card| card.summary.as_str());
        to_member(&press.user, receiver, &press.sender, reader.not_done(&text(reader), summary))
    }

    fn reader(&self, language: Language) -> Reader<'_> {
        Reader { language, now: self.wall_now(), zone: &self.settings.zone }
    }

    fn wall_now(&self) -> Timestamp {
        self.clock.wall_time(self.clock.now())
    }
}

fn action_name(action: ButtonAction) -> &'static str {
    match action {
        ButtonAction::Acknowledge => "acknowledge",
        ButtonAction::Silence(_) | ButtonAction::SilenceUntil(_) => "silence",
    }
}

fn warn_of_retry(press: &Press, reason: &str) {
    let card = press.card.as_ref();
    let receiver = card.map(|card| card.receiver.to_string()).unwrap_or_default();
    let delivery = card.map_or(0, |card| card.delivery.0);
    let (user, app, button) = (&press.user, &press.sender, &press.button);
    tracing::warn!(user, %app, receiver, delivery, button, reason, "press failed, will retry");
}

#[cfg(test)]
mod tests;
