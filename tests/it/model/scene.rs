//! The setting of a round: limits, receivers, recipients, and the notifications that arrive.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};
use wecom_relay::{
    delivery::{
        decide::Policy,
        rate_limiter::{Limits, Windows},
    },
    dispatch::service::{DUPLICATE_CHECK, Settings},
    outbox::{Dedupe, Key, Kind, NewDelivery, NewNotification, Part, ReceiverName, SenderName, Status},
    wecom::{Content, Recipients},
};

/// WeCom refuses each message with this text.
pub(super) const REFUSED: &str = "forbidden";
/// The maximum number of parts of a message. No rate limit is lower.
const MAX_PARTS: u16 = 3;

/// The fixed part of a round.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) sender: SenderName,
    pub(super) settings: Settings,
    pub(super) sources: Vec<Source>,
    /// One of this many notifications has a text that WeCom refuses; 0 for none.
    refused_of: u32,
    count: u32,
}

/// A source of notifications with one ordering key.
#[derive(Debug)]
pub(super) struct Source {
    receiver: ReceiverName,
    group_key: String,
    /// The recipients of each notification are one of these sets.
    recipients: Vec<Recipients>,
    /// The text of all messages, if it is always the same.
    constant: Option<String>,
    /// True if the recipients need two calls.
    is_batched: bool,
}

/// A notification of the round.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) source: usize,
    /// The beginning of its line in a digest.
    pub(super) mark: String,
    /// True if WeCom refuses its text.
    pub(super) is_refused: bool,
    pub(super) new: NewNotification,
}

fn users(ids: &str) -> Recipients {
    Recipients::parse(ids, "", "").unwrap()
}

impl Scene {
    pub(super) fn new(rng: &mut StdRng) -> Self {
        // A robot has one group, and WeCom's limit for robots.
        let is_robot = rng.random_range(0..4) == 0;
        // Half of the rounds have the default limits.
        let limits = match rng.random_range(0..8) {
            _ if is_robot => Limits { per_minute: 20, per_hour: 0 },
            0..4 => Limits { per_minute: 30, per_hour: 1000 },
            4 => Limits { per_minute: 0, per_hour: 0 },
            5 => Limits { per_minute: rng.random_range(3..12), per_hour: 0 },
            6 => Limits { per_minute: 0, per_hour: rng.random_range(12..60) },
            _ => Limits { per_minute: rng.random_range(3..12), per_hour: rng.random_range(20..80) },
        };
        let expire_after = Duration::from_secs(60 * rng.random_range(10..24 * 60));
        let settings = Settings {
            concurrency: [1, 2, 5, 32][rng.random_range(0..4)],
            limits,
            windows: Windows::default(),
            duplicate_check: DUPLICATE_CHECK,
            policy: Policy::new(expire_after),
            credentials: "the same".to_owned(),
        };
        let sets = match is_robot {
            true => vec![Recipients::Group],
            false => vec![
                users("u1"),
                users("u1|u2"),
                users("u2"),
                Recipients::parse("u3", "p1", "t1").unwrap(),
                Recipients::parse("", "p1", "").unwrap(),
                Recipients::All,
            ],
        };
        let many = rng.random_range(1..=sets.len());
        let sources = (0..rng.random_range(1..8))
            .map(|n| {
                let first = sets[rng.random_range(0..many)].clone();
                let mut recipients = vec![first];
                if rng.random_range(0..5) == 0 {
                    recipients.push(sets[rng.random_range(0..many)].clone());
                }
                let is_batched = !is_robot && rng.random_range(0..8) == 0;
                if is_batched {
                    recipients = vec![users("u1|u2")];
                }
                Source {
                    receiver: ReceiverName(format!("r{}", rng.random_range(0..3))),
                    group_key: format!("g{n}"),
                    recipients,
                    constant: (rng.random_range(0..8) == 0).then(|| format!("source {n} as ever")),
                    is_batched,
                }
            })
            .collect();
        let refused_of = [0, 0, 0, 10][rng.random_range(0..4)];
        Self { sender: SenderName("ops".to_owned()), settings, sources, refused_of, count: 0 }
    }

    /// The next notification of any source.
    pub(super) fn next(&mut self, rng: &mut StdRng) -> Made {
        let at = rng.random_range(0..self.sources.len());
        let source = &self.sources[at];
        self.count += 1;
        let mark = format!("n{} ", self.count);
        let recipients = source.recipients[rng.random_range(0..source.recipients.len())].clone();
        let total = match rng.random_range(0..6) {
            0 if source.constant.is_none() => rng.random_range(2..=MAX_PARTS),
            _ => 1,
        };
        let is_refused =
            source.constant.is_none() && self.refused_of > 0 && rng.random_range(0..self.refused_of) == 0;
        let refused = if is_refused { REFUSED } else { "" };
        let batches =
            if source.is_batched { vec![users("u1"), users("u2")] } else { vec![recipients.clone()] };
        let delivery = |number, recipients| NewDelivery {
            recipients,
            content: Content::Text(
                source.constant.clone().unwrap_or_else(|| format!("{mark}part {number} {refused}")),
            ),
            part: Part { number, total },
        };
        let deliveries = (1..=total)
            .flat_map(|number| batches.iter().map(move |batch| delivery(number, batch.clone())))
            .collect();
        let new = NewNotification {
            kind: Kind::Alert,
            receiver: source.receiver.clone(),
            group_key: source.group_key.clone(),
            status: if rng.random() { Status::Firing } else { Status::Resolved },
            severity: "warning".to_owned(),
            dedupe: Some(Dedupe { key: Key::of([mark.as_bytes()]), window: Duration::from_secs(120) }),
            summary: format!("{mark}{refused}{}", "-".repeat(rng.random_range(0..90))),
            text_form: None,
            sender: self.sender.clone(),
            recipients,
            deliveries,
            dead: None,
            card: None,
        };
        Made { source: at, mark, is_refused, new }
    }

    /// True if the messages of `source` differ.
    pub(super) fn is_distinct(&self, source: usize) -> bool {
        self.sources[source].constant.is_none()
    }
}
