//! The last webhooks that were accepted, to try templates with. They are in memory only.

use std::{
    cmp::Reverse,
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::outbox::NotificationId;

/// The largest payload that is kept.
pub(super) const MAX_PAYLOAD_BYTES: usize = 256 << 10;
const MAX_BYTES: usize = 1 << 20;

/// The last payloads.
#[derive(Debug)]
pub struct Payloads {
    kept: Mutex<KeptBodies>,
}

#[derive(Debug, Default)]
struct KeptBodies {
    /// 0 keeps none.
    most: usize,
    next_id: u64,
    bytes: usize,
    last: VecDeque<KeptBody>,
}

/// A payload that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBody {
    /// Differs between the payloads of one run of the relay.
    pub id: u64,
    pub at: Timestamp,
    pub receiver: String,
    /// The notifications that it caused, or repeated.
    pub notifications: Vec<NotificationId>,
    pub body: String,
}

impl Payloads {
    pub fn new(most: usize) -> Self {
        Self { kept: Mutex::new(KeptBodies { most, ..KeptBodies::default() }) }
    }

    /// Changes the number of payloads that are kept.
    pub fn keep(&self, most: usize) {
        let mut kept = self.lock();
        kept.most = most;
        kept.forget_oldest();
    }

    pub(super) fn record(
        &self,
        at: Timestamp,
        receiver: &str,
        notifications: Vec<NotificationId>,
        body: &[u8],
    ) {
        let mut kept = self.lock();
        if kept.most == 0 || body.len() > MAX_PAYLOAD_BYTES {
            return;
        }
        let Ok(text) = std::str::from_utf8(body) else { return };
        let id = kept.next_id;
        kept.next_id += 1;
        kept.bytes += text.len();
        kept.last.push_back(KeptBody {
            id,
            at,
            receiver: receiver.to_owned(),
            notifications,
            body: text.to_owned(),
        });
        kept.forget_oldest();
    }

    /// The id of the payload that caused `notification`.
    pub fn id_of(&self, notification: NotificationId) -> Option<u64> {
        let kept = self.lock();
        let caused = kept.last.iter().rev().find(|kept| kept.notifications.contains(&notification));
        caused.map(|kept| kept.id)
    }

    pub fn latest_first(&self) -> Vec<KeptBody> {
        self.lock().last.iter().rev().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, KeptBodies> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptBodies {
    /// Forgets the oldest payload of the receiver with the most, until the others have room. So a busy receiver leaves
    /// those of others.
    fn forget_oldest(&mut self) {
        while self.last.len() > self.most || self.bytes > MAX_BYTES {
            let count = |receiver: &str| self.last.iter().filter(|kept| kept.receiver == receiver).count();
            let counts = self.last.iter().map(|kept| count(&kept.receiver));
            let oldest = counts.enumerate().max_by_key(|(place, count)| (*count, Reverse(*place)));
            let Some(oldest) = oldest.and_then(|(place, _)| self.last.remove(place)) else { return };
            self.bytes = self.bytes.saturating_sub(oldest.body.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(payloads: &Payloads) -> Vec<u64> {
        payloads.latest_first().iter().map(|kept| kept.id).collect()
    }

    #[test]
    fn the_last_payloads_are_kept_within_a_limit() {
        let payloads = Payloads::new(3);
        for body in ["a", "b", "c", "d"] {
            payloads.record(Timestamp::UNIX_EPOCH, "wechat", Vec::new(), body.as_bytes());
        }
        assert_eq!(ids(&payloads), [3, 2, 1]);
        let large = "x".repeat(MAX_PAYLOAD_BYTES);
        payloads.record(Timestamp::UNIX_EPOCH, "wechat", Vec::new(), format!("{large}x").as_bytes());
        assert_eq!(ids(&payloads), [3, 2, 1]);
        payloads.keep(16);
        for _ in 0..5 {
            payloads.record(Timestamp::UNIX_EPOCH, "wechat", vec![NotificationId(7)], large.as_bytes());
        }
        assert_eq!(ids(&payloads).len(), 4);
        assert_eq!(payloads.id_of(NotificationId(7)), ids(&payloads).first().copied());
        assert_eq!(payloads.id_of(NotificationId(8)), None);
    }

    #[test]
    fn a_busy_receiver_leaves_the_payloads_of_others() {
        let payloads = Payloads::new(4);
        payloads.record(Timestamp::UNIX_EPOCH, "quiet", Vec::new(), b"{}");
        for _ in 0..100 {
            payloads.record(Timestamp::UNIX_EPOCH, "busy", Vec::new(), b"{}");
        }
        assert_eq!(ids(&payloads), [100, 99, 98, 0]);
    }

    #[test]
    fn no_payload_is_kept_when_it_is_switched_off() {
        let payloads = Payloads::new(2);
        payloads.record(Timestamp::UNIX_EPOCH, "wechat", Vec::new(), b"{}");
        payloads.keep(0);
        payloads.record(Timestamp::UNIX_EPOCH, "wechat", Vec::new(), b"{}");
        assert_eq!(ids(&payloads), [0; 0]);
    }
}
