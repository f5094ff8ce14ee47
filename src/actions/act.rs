//! Handles one press.

use jiff::Timestamp;

use super::{
    card::handled_card,
    failure::Failure,
    membership::Memberships,
    messages::{card_changed, to_member},
    moment::{end_of_silence, later},
    rules::{self, Refusal, Target},
    settings::{ReceiverSettings, Settings, Timing},
    silence::silence,
    texts::Reader,
};
use crate::{
    alertmanager::{Silence, Silences},
    clock::Clock,
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
    pub(super) settings: &'a Settings<S, C>,
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
    pub(super) async fn handle(&self, press: &Press, memberships: &mut Memberships) -> Handling {
        if press.attempts > 0
            && let Some(handling) = self.done_before(press).await
        {
            return handling;
        }
        let target = match rules::target(press, self.clock.now()) {
            Ok(target) => target,
            Err(refusal) => return self.refused(press, &refusal),
        };
        let Some(receiver) = self.settings.receivers.get(&target.card.receiver) else {
            return self.refused(press, &Refusal::NotConfigured);
        };
        let contacts = self.settings.contacts.get(&target.card.sender).map(AsRef::as_ref);
        let (allowed, sender) = (&receiver.allowed, &target.card.sender);
        match memberships.may_press(&press.user, allowed, sender, contacts, self.clock.now()).await {
            Ok(true) => {}
            Ok(false) => return self.refused(press, &Refusal::NotAllowed),
            Err(error) => return self.failed(press, error.into()),
        }
        if let Err(refusal) = rules::check(target, &press.user, self.wall_now()) {
            return self.refused(press, &refusal);
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
        match silences.find(&card.labels.0, &rules::marker(press.id)).await {
            Ok(created) => {
                let obeyed = Obeyed { press, card, receiver };
                Some(self.silenced(&obeyed, created?, true, self.wall_now()))
            }
            Err(error) => Some(self.failed(press, error.into())),
        }
    }

    async fn obey(&self, press: &Press, target: Target<'_>, receiver: &ReceiverSettings) -> Handling {
        let Target { card, action } = target;
        let obeyed = Obeyed { press, card, receiver };
        let now = self.wall_now();
        let Some(until) = end_of_silence(action, now, &self.settings.zone) else {
            return self.acknowledged(&obeyed, now);
        };
        let Some(silences) = &self.settings.silences else {
            return self.refused(press, &Refusal::NoAlertmanager);
        };
        match silence(silences.as_ref(), press.id, card, &press.user, now, until).await {
            Ok(silence) => {
                // An Alertmanager that does not know the alerts cannot say that they are resolved.
                let is_known = silences.has_alerts(&card.labels.0).await.unwrap_or_else(|error| {
                    tracing::warn!(
                        receiver = %card.receiver, reason = error.reason.en,
                        "Alertmanager did not list the silenced alerts; the relay looks for their end all the same"
                    );
                    true
                });
                self.silenced(&obeyed, silence, is_known, now)
            }
            Err(failure) => self.failed(press, failure),
        }
    }

    fn acknowledged(&self, obeyed: &Obeyed<'_>, now: Timestamp) -> Handling {
        let by = obeyed.press.user.clone();
        let handled = Handled { action: HandledAction::Acknowledged, by, at: now };
        self.done(obeyed, handled, None)
    }

    fn silenced(&self, obeyed: &Obeyed<'_>, silence: Silence, is_known: bool, now: Timestamp) -> Handling {
        let Silence { id, ends_at } = silence;
        let action = HandledAction::Silenced { silence_id: id, until: ends_at };
        let handled = Handled { action, by: obeyed.press.user.clone(), at: now };
        // Stored times are relay time. The last look comes after the end, because nobody reports alerts that resolved just
        // before it.
        let length = ends_at.duration_since(now).unsigned_abs();
        let watch_until = later(later(self.clock.now(), length), self.timing.watch);
        let is_watched = is_known && obeyed.receiver.send_resolved;
        self.done(obeyed, handled, is_watched.then_some(watch_until))
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
            Some(id) => format!("{} (silence {id})", english.note(&handled)),
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
        self.not_done(press, result, |reader| reader.refusal(refusal))
    }

    /// Tries again soon, or tells the member.
    pub(super) fn failed(&self, press: &Press, failure: Failure) -> Handling {
        let now = self.clock.now();
        let waited = now.duration_since(press.accepted_at).unsigned_abs();
        let is_patient = press.attempts == 0 || waited < self.timing.patience;
        let attempts = usize::try_from(press.attempts).unwrap_or(usize::MAX);
        if let Some(delay) = self.timing.retries.get(attempts)
            && is_patient
            && !failure.is_final
        {
            tracing::debug!(press = press.id.0, reason = failure.reason.en, "press failed, will retry");
            return Handling { verdict: PressVerdict::Retry { at: later(now, *delay) }, report: None };
        }
        self.not_done(press, PressResult::Failed, |reader| reader.failure(&failure))
    }

    /// Tells the member, and nobody else, why nothing happened.
    fn not_done(
        &self,
        press: &Press,
        result: PressResult,
        reason: impl Fn(Reader<'_>) -> String,
    ) -> Handling {
        let text = reason(self.reader(Language::En));
        let action = press.button.parse().map_or("other", action_name);
        Handling {
            verdict: PressVerdict::Done {
                result: format!("nothing was done: {text}"),
                handled: None,
                watch_until: None,
                notifications: self.told(press, reason).into_iter().collect(),
            },
            report: Some(Report { action, result, silence: None, text }),
        }
    }

    fn told(&self, press: &Press, reason: impl Fn(Reader<'_>) -> String) -> Option<NewNotification> {
        let settings = self.settings;
        let card = press.card.as_ref();
        let of_card = card.and_then(|card| settings.receivers.get_key_value(&card.receiver));
        // A message needs a receiver. If that of the card is gone, another one of the same app is as good.
        let (receiver, found) = of_card.or_else(|| settings.receiver_of(&press.sender))?;
        let reader = self.reader(found.language);
        let summary = card.map_or("", |card| card.summary.as_str());
        to_member(&press.user, receiver, &press.sender, reader.not_done(&reason(reader), summary))
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
