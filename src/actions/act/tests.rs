use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::{Timestamp, tz::TimeZone};

use super::*;
use crate::{
    actions::{
        Allowed,
        rules::tests::{at, card, press},
    },
    alertmanager::{Matchers, NewSilence, SilencesError, SilencesErrorKind},
    language::Bilingual,
    outbox::ReceiverName,
    wecom::{TagMembers, WecomError},
};

/// An Alertmanager that has the silence of the press.
struct Fake {
    found: Result<Option<Silence>, SilencesError>,
    has_alerts: Result<bool, SilencesError>,
    started_at: Option<Timestamp>,
    finds: AtomicUsize,
    creations: AtomicUsize,
}

fn error() -> SilencesError {
    let reason = Bilingual::new("no answer", "没有响应");
    let (kind, url) = (SilencesErrorKind::NotDone, "http://a.example".to_owned());
    SilencesError { kind, reason, url, detail: reason.map(str::to_owned) }
}

impl Default for Fake {
    fn default() -> Self {
        let silence = Silence { id: "earlier".to_owned(), ends_at: at(3600) };
        Self {
            found: Ok(Some(silence)),
            has_alerts: Ok(true),
            started_at: None,
            finds: AtomicUsize::new(0),
            creations: AtomicUsize::new(0),
        }
    }
}

impl Silences for Fake {
    async fn find(&self, _: &Matchers, marker: &str) -> Result<Option<Silence>, SilencesError> {
        assert_eq!(marker, "[press 00000000000000ff]");
        self.finds.fetch_add(1, Ordering::Relaxed);
        self.found.clone()
    }

    async fn is_in_force(&self, _: &Matchers, _: &str) -> Result<bool, SilencesError> {
        Ok(true)
    }

    async fn create(&self, _: &NewSilence) -> Result<String, SilencesError> {
        self.creations.fetch_add(1, Ordering::Relaxed);
        Ok("new".to_owned())
    }

    async fn has_alerts(&self, _: &Matchers) -> Result<bool, SilencesError> {
        self.has_alerts.clone()
    }

    async fn started_at(&self) -> Result<Option<Timestamp>, SilencesError> {
        Ok(self.started_at)
    }
}

struct Nobody;

impl Contacts for Nobody {
    async fn departments_of(&self, _: &str) -> Result<Vec<u64>, WecomError> {
        Ok(Vec::new())
    }

    async fn parent_of(&self, _: u64) -> Result<Option<u64>, WecomError> {
        Ok(None)
    }

    async fn tag(&self, _: u64) -> Result<TagMembers, WecomError> {
        Ok(TagMembers::default())
    }
}

struct Frozen(Timestamp);

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Handles the second attempt of zhangsan's press at this second.
async fn second_attempt(silences: &Arc<Fake>, card: StoredCard, second: i64) -> PressVerdict {
    let receiver = ReceiverSettings {
        sender: card.sender.clone(),
        allowed: Some(Allowed::default()),
        language: Language::En,
        send_resolved: true,
    };
    let settings = PressSettings::<Fake, Nobody> {
        silences: Some(Arc::clone(silences)),
        receivers: BTreeMap::from([(ReceiverName("oncall".to_owned()), receiver)]),
        contacts: BTreeMap::new(),
        zone: TimeZone::UTC,
    };
    let actor = Actor { settings: &settings, timing: &Timing::default(), clock: &Frozen(at(second)) };
    let press = Press { attempts: 1, ..press("silence:3600", Some(card)) };
    actor.handle(&press, &Memberships::default()).await.verdict
}

/// The silence and the end of its watch.
fn silenced(verdict: PressVerdict) -> (String, Option<Timestamp>) {
    let PressVerdict::Done { handled: Some(handled), watch_until, .. } = verdict else {
        panic!("{verdict:?}")
    };
    let HandledAction::Silenced { silence_id, .. } = handled.action else { panic!("{handled:?}") };
    (silence_id, watch_until)
}

#[tokio::test]
async fn a_press_that_is_too_old_is_done_if_its_silence_was_created() {
    let silences = Arc::new(Fake::default());
    let verdict = second_attempt(&silences, card(), 1801).await;
    assert_eq!(silenced(verdict), ("earlier".to_owned(), Some(at(3630))));
    // A silence that has ended needs one look.
    let verdict = second_attempt(&silences, card(), 9000).await;
    assert_eq!(silenced(verdict), ("earlier".to_owned(), Some(at(9030))));
}

#[tokio::test]
async fn a_press_is_done_though_another_member_pressed_in_between() {
    let until = at(7200);
    let action = HandledAction::Silenced { silence_id: "other".to_owned(), until };
    let handled = vec![Handled { action, by: "lisi".to_owned(), at: at(5) }];
    let verdict = second_attempt(&Arc::default(), StoredCard { handled, ..card() }, 10).await;
    assert_eq!(silenced(verdict).0, "earlier");
}

#[tokio::test]
async fn alertmanager_is_asked_for_the_alerts_of_an_earlier_silence() {
    for (has_alerts, watch_until) in
        [(Ok(true), Some(at(3630))), (Ok(false), None), (Err(error()), Some(at(3630)))]
    {
        let silences = Arc::new(Fake { has_alerts: has_alerts.clone(), ..Fake::default() });
        let verdict = second_attempt(&silences, card(), 10).await;
        assert_eq!(silenced(verdict).1, watch_until, "{has_alerts:?}");
    }
}

#[tokio::test]
async fn a_card_is_watched_if_alertmanager_has_just_started() {
    for (started_at, watch_until) in [(at(-289), Some(at(3630))), (at(-290), None)] {
        let silences = Fake { has_alerts: Ok(false), started_at: Some(started_at), ..Fake::default() };
        let verdict = second_attempt(&Arc::new(silences), card(), 10).await;
        assert_eq!(silenced(verdict).1, watch_until, "{started_at}");
    }
}

#[tokio::test]
async fn a_failed_look_for_an_earlier_silence_creates_none() {
    let silences = Arc::new(Fake { found: Err(error()), ..Fake::default() });
    let verdict = second_attempt(&silences, card(), 10).await;
    let reason = "http://a.example: no answer".to_owned();
    assert_eq!(verdict, PressVerdict::Retry { at: at(12), reason });
    assert_eq!(silences.creations.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_later_attempt_looks_once_for_its_silence() {
    let silences = Arc::new(Fake { found: Ok(None), ..Fake::default() });
    assert_eq!(silenced(second_attempt(&silences, card(), 10).await).0, "new");
    assert_eq!(silences.finds.load(Ordering::Relaxed), 1);
}
