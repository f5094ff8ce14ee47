//! The promises that must hold after a round.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::time::Instant;
use wecom_relay::{
    outbox::{Kind, Listed, State},
    wecom::{Addressee, Outcome},
};

use super::{
    round::History,
    scene::Made,
    wecom::{Call, MESSAGE_REFUSED},
};

/// Checks all promises.
pub(super) fn check(history: &History) {
    let round = Checked::new(history);
    round.accepted_notifications_are_stored_once();
    round.delivered_notifications_are_visible();
    round.dead_letters_were_rejected_or_expired();
    round.only_a_refused_text_dies_of_it();
    round.a_resend_is_identical();
    round.repeated_messages_have_a_reason();
    round.ordering_keys_keep_their_order();
    round.recipients_stay_below_their_limits();
}

struct Checked<'h> {
    history: &'h History,
    /// The notifications that were handed in, by the beginning of their summaries.
    made: HashMap<&'h str, &'h Made>,
    rows: Vec<(&'h Listed, &'h Made)>,
}

fn mark(text: &str) -> &str {
    text.split_inclusive(' ').next().unwrap_or_default()
}

impl<'h> Checked<'h> {
    fn new(history: &'h History) -> Self {
        let made: HashMap<_, _> =
            history.handed_in.iter().map(|(made, _)| (made.mark.as_str(), made)).collect();
        let alerts = history.listed.iter().filter(|listed| listed.kind == Kind::Alert);
        let rows = alerts.map(|listed| (listed, made[mark(&listed.summary)])).collect();
        Self { history, made, rows }
    }

    fn accepted_notifications_are_stored_once(&self) {
        let mut ids: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
        for (listed, made) in &self.rows {
            ids.entry(&made.mark).or_default().insert(listed.notification.0);
        }
        for (made, promised) in &self.history.handed_in {
            let stored = ids.remove(made.mark.as_str()).unwrap_or_default();
            assert!(stored.len() <= 1, "{:?} is stored twice", made.mark);
            if let Some(id) = promised {
                assert!(stored.contains(&id.0), "{:?} was promised as {id} and is not stored", made.mark);
            }
        }
    }

    fn delivered_notifications_are_visible(&self) {
        let mut own: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (listed, made) in &self.rows {
            if listed.state != State::Delivered {
                continue;
            }
            match listed.digest {
                None => *own.entry(self.key(listed, made)).or_default() += 1,
                Some(digest) => {
                    let digest_call = self.history.shown.iter().find(|call| lists(call, made));
                    assert!(
                        digest_call.is_some(),
                        "{:?} is not in any digest that is seen ({digest})",
                        made.mark
                    );
                    let all_recipients = made.new.recipients.canonical();
                    assert_eq!(
                        digest_call.unwrap().message.recipients.canonical(),
                        all_recipients,
                        "{:?}",
                        made.mark
                    );
                }
            }
        }
        for (key, delivered) in own {
            let seen = self.history.shown.iter().filter(|call| call.key == key).count();
            assert!(seen >= delivered, "{key:?} was delivered {delivered} times and is seen {seen} times");
        }
    }

    fn dead_letters_were_rejected_or_expired(&self) {
        for listed in &self.history.listed {
            if listed.state != State::Dead {
                let is_undone = listed.kind == Kind::Digest && listed.state == State::Discarded;
                assert!(is_undone || listed.state == State::Delivered, "{listed:#?}");
                continue;
            }
            let age = listed.settled_at.unwrap().duration_since(listed.accepted_at).unsigned_abs();
            let expired = age >= self.history.scene.settings.policy.expire_after;
            let rejected = listed.reason.contains("WeCom refused");
            assert!(expired || rejected, "{listed:#?}");
        }
    }

    fn only_a_refused_text_dies_of_it(&self) {
        for (listed, made) in &self.rows {
            let died_of_it =
                listed.state == State::Dead && listed.reason.contains(&MESSAGE_REFUSED.to_string());
            assert!(!died_of_it || made.is_refused, "{listed:#?}");
            assert!(listed.state != State::Delivered || !made.is_refused, "{listed:#?}");
        }
    }

    fn a_resend_is_identical(&self) {
        let mut first: HashMap<(String, String), &Call> = HashMap::new();
        for call in &self.history.calls {
            if self.is_distinct(call) {
                let first = first.entry(call.key.clone()).or_insert(call);
                assert_eq!(first.message, call.message);
            }
        }
    }

    fn repeated_messages_have_a_reason(&self) {
        let mut deliveries: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (listed, made) in &self.rows {
            *deliveries.entry(self.key(listed, made)).or_default() += 1;
        }
        let mut seen: BTreeMap<(String, String), Vec<&Call>> = BTreeMap::new();
        for call in &self.history.shown {
            seen.entry(call.key.clone()).or_default().push(call);
        }
        for (key, repeats) in seen {
            let meant = deliveries.get(&key).copied().unwrap_or(1);
            let unconfirmed =
                self.history.calls.iter().filter(|call| call.key == key && self.is_unconfirmed(call));
            let unconfirmed = unconfirmed.count();
            assert!(repeats.len() <= meant + unconfirmed, "{key:?} is seen {} times", repeats.len());
        }
        for (listed, made) in &self.rows {
            let both = listed.digest.is_some()
                && self.has_distinct_texts(made)
                && self.history.calls.iter().any(|call| call.key == self.key(listed, made));
            assert!(!both, "{:?} was sent and folded", made.mark);
        }
    }

    /// True if the caller could not know that WeCom accepted this call.
    fn is_unconfirmed(&self, call: &Call) -> bool {
        let Some(accepted_at) = call.accepted_at else { return false };
        let died_afterwards = |crash: &Instant| *crash >= accepted_at;
        match &call.outcome {
            None | Some(Outcome::Unknown(_)) => true,
            // WeCom accepted it, but the result may not have been stored.
            Some(_) => self.history.crashes.iter().any(died_afterwards),
        }
    }

    fn ordering_keys_keep_their_order(&self) {
        let mut last: HashMap<(usize, Addressee), (i64, usize)> = HashMap::new();
        for (listed, made) in &self.rows {
            if !self.has_distinct_texts(made) {
                continue;
            }
            let key = self.key(listed, made);
            let first = self.history.shown.iter().position(|call| call.key == key || lists(call, made));
            let Some(first) = first else { continue };
            for addressee in self.history.shown[first].addressees() {
                let before = last.insert((made.source, addressee), (listed.id.0, first));
                let in_order = before.is_none_or(|(_, before)| before <= first);
                assert!(in_order, "{key:?} is seen before {before:?}, which was accepted before it");
            }
        }
    }

    fn recipients_stay_below_their_limits(&self) {
        let settings = &self.history.scene.settings;
        let mut seen: BTreeMap<Addressee, Vec<&Call>> = BTreeMap::new();
        let all: BTreeSet<_> = self.history.shown.iter().flat_map(Call::addressees).collect();
        for call in &self.history.shown {
            let named = call.addressees();
            let all_recipients = named.contains(&Addressee::All);
            for addressee in all.iter().filter(|one| all_recipients || named.contains(one)) {
                seen.entry(addressee.clone()).or_default().push(call);
            }
        }
        let limits = [
            (settings.limits.per_minute, settings.windows.minute),
            (settings.limits.per_hour, settings.windows.hour),
        ];
        for (limit, window) in limits.into_iter().filter(|(limit, _)| *limit > 0) {
            for (addressee, calls) in &seen {
                for over in calls.windows(limit as usize + 1) {
                    let span = over[limit as usize]
                        .accepted_at
                        .unwrap()
                        .duration_since(over[0].accepted_at.unwrap());
                    assert!(
                        span >= window,
                        "{addressee:?} got {} messages in {span:?}: {over:#?}",
                        limit + 1
                    );
                }
            }
        }
    }

    /// The key of the call that sends a delivery of an alert.
    fn key(&self, listed: &Listed, made: &Made) -> (String, String) {
        let same = self.rows.iter().filter(|(other, _)| other.notification == listed.notification);
        let at = same.take_while(|(other, _)| other.id < listed.id).count();
        let delivery = &made.new.deliveries[at];
        (delivery.recipients.canonical(), delivery.content.text().to_owned())
    }

    fn has_distinct_texts(&self, made: &Made) -> bool {
        self.history.scene.is_distinct(made.source)
    }

    fn is_distinct(&self, call: &Call) -> bool {
        let text = call.message.content.text();
        text.starts_with("[DIGEST]") || self.made.contains_key(mark(text))
    }
}

/// True if `call` is a digest that lists `made`.
fn lists(call: &Call, made: &Made) -> bool {
    let text = call.message.content.text();
    text.starts_with("[DIGEST]")
        && text.contains(made.mark.trim_end())
        && text.lines().any(|line| {
            // A line begins with a hyphen and the time.
            let line = line.splitn(3, ' ').nth(2).unwrap_or_default();
            line == made.mark.trim_end() || line.starts_with(&made.mark)
        })
}
