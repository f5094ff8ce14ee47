//! What is said of sends, digests and holds: log lines and metrics.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    delivery::{
        gate::Change,
        step::{self, BlockKind, Cause, Health},
    },
    metrics::{INVALID_KINDS, Metrics, NO_ERRCODE, OTHER_ERRCODE},
    outbox::{Claimed, Hold, NotificationId, ReceiverName, SenderName, Verdict},
    telemetry::clip,
    wecom::{
        Errcode, InvalidRecipients, Outcome,
        errcode::{self, Class},
    },
};

/// A log line of a delivery's story: each has all names of the delivery, under the same keys.
macro_rules! story {
    ($level:ident, $sender:expr, $claimed:expr, $($more:tt)+) => {
        tracing::$level!(
            app = %$sender, receiver = %$claimed.receiver, group = crate::telemetry::clip(&$claimed.group_key),
            notification = %$claimed.notification, delivery = %$claimed.id, $($more)+
        )
    };
}
pub(super) use story;

/// How a send ended, and what follows.
pub(super) struct End<'a> {
    pub(super) sender: &'a SenderName,
    pub(super) claimed: &'a Claimed,
    pub(super) outcome: &'a Outcome,
    pub(super) verdict: &'a Verdict,
    pub(super) cause: Option<Cause>,
}

/// WeCom's errcode, when there was an answer.
pub(super) fn errcode(outcome: &Outcome) -> Option<i64> {
    match outcome {
        Outcome::Accepted(_) => Some(0),
        Outcome::Rejected(refusal) => Some(refusal.errcode.0),
        Outcome::NotSent(_) | Outcome::Unknown(_) => None,
    }
}

/// Tells of a send that ended at `now`.
pub(super) fn attempt(metrics: &Metrics, end: &End<'_>, took: Duration, now: Timestamp) {
    let (app, receiver) = (&end.sender.0, &end.claimed.receiver.0);
    metrics.attempted(app, errcode_label(errcode(end.outcome)), took);
    match end.verdict {
        Verdict::Delivered(receipt) => {
            let after = Duration::try_from(now.duration_since(end.claimed.accepted_at)).unwrap_or_default();
            metrics.delivered(receiver, after);
            for (kind, ids) in INVALID_KINDS.into_iter().zip(invalid(&receipt.invalid)) {
                metrics.invalid(app, kind, ids.len());
            }
        }
        Verdict::Dead(_) => metrics.dead_letter(receiver, end.cause.unwrap_or(Cause::Refused).name()),
        Verdict::Retry { .. } | Verdict::Replace { .. } => {}
    }
    log(end, took);
}

/// Errcodes that nobody knows are one label, so that a server that makes them up makes no series.
fn errcode_label(errcode: Option<i64>) -> String {
    match errcode {
        None => NO_ERRCODE.to_owned(),
        Some(known) if known == 0 || errcode::lookup(Errcode(known)).is_some() => known.to_string(),
        Some(_) => OTHER_ERRCODE.to_owned(),
    }
}

/// In the order of [`INVALID_KINDS`].
fn invalid(missed: &InvalidRecipients) -> [&Vec<String>; 4] {
    [&missed.users, &missed.parties, &missed.tags, &missed.unlicensed]
}

/// `ids` as a log line has them: as many as can be read, and how many there are when that is not all.
fn listed(ids: &[String]) -> String {
    let all = ids.join("|");
    let shown = clip(&all);
    if shown.len() == all.len() { all } else { format!("{shown}… ({} in all)", ids.len()) }
}

fn log(end: &End<'_>, took: Duration) {
    let End { sender, claimed, outcome, verdict, cause } = end;
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match verdict {
        Verdict::Delivered(receipt) => {
            story!(info, sender, claimed, msgid = clip(&receipt.msgid), duration_ms, "delivered");
            if !receipt.invalid.is_empty() {
                let missed = &receipt.invalid;
                story!(
                    warn,
                    sender,
                    claimed,
                    invaliduser = listed(&missed.users),
                    invalidparty = listed(&missed.parties),
                    invalidtag = listed(&missed.tags),
                    unlicenseduser = listed(&missed.unlicensed),
                    "delivered, but WeCom passed over some recipients: check that they exist, are visible to the \
                     app and are licensed"
                );
            }
        }
        Verdict::Retry { at, .. } => {
            let outcome = step::describe(outcome);
            story!(warn, sender, claimed, duration_ms, outcome, next = %at, "not delivered yet");
        }
        Verdict::Replace { reason, .. } => story!(
            error,
            sender,
            claimed,
            duration_ms,
            reason,
            "WeCom refused the message; it is sent as plain text instead"
        ),
        Verdict::Dead(reason) => story!(
            error,
            sender,
            claimed,
            duration_ms,
            cause = cause.map(Cause::name),
            reason,
            "dead letter: not delivered and not tried again; see `wecom-relay outbox show`"
        ),
    }
}

/// Tells of a digest that took the place of `members`.
pub(super) fn folded(
    metrics: &Metrics,
    sender: &SenderName,
    digest: &Claimed,
    members: &[(NotificationId, ReceiverName)],
) {
    metrics.folded(&sender.0, members.len());
    story!(info, sender, digest, recipients = %digest.all_recipients, members = members.len(), "folded into a digest");
    for (notification, receiver) in members {
        let digest = digest.id;
        tracing::debug!(app = %sender, %receiver, %notification, %digest, "is told by a digest");
    }
}

/// Tells of a hold that began, goes on or is over; `health` is what changed it.
pub(super) fn gate(metrics: &Metrics, change: &Change, health: &Health) {
    match change {
        Change::Held(hold) => {
            let passes = matches!(health, Health::Blocked(block) if block.kind == BlockKind::RateLimited);
            metrics.held(&hold.sender.0, Some(if passes { RATE_LIMITED } else { CONFIGURATION }));
            let Hold { sender: app, since, errcode, probes, next_probe_at, reason, .. } = hold;
            if passes {
                tracing::warn!(
                    %app, errcode, %since, probes, %next_probe_at, reason,
                    "the app is held until a limit of WeCom has passed: its messages wait, nothing is lost"
                );
            } else {
                tracing::error!(
                    %app, errcode, %since, probes, %next_probe_at, reason,
                    "the app is held until somebody has mended it: its messages wait, nothing is lost"
                );
            }
        }
        Change::Released(hold) => {
            metrics.held(&hold.sender.0, None);
            tracing::info!(app = %hold.sender, since = %hold.since, "the app flows again");
        }
    }
}

const CONFIGURATION: &str = "configuration";
const RATE_LIMITED: &str = "rate_limited";

/// Takes up the hold that the last process left. One that an HTTP 429 began passes for one of the configuration until
/// its next probe: it has no errcode.
pub(super) fn restored(metrics: &Metrics, sender: &SenderName, hold: Option<&Hold>) {
    let reason = hold.map(|hold| {
        let known = hold.errcode.and_then(|errcode| errcode::lookup(Errcode(errcode)));
        let passes = known.is_some_and(|entry| entry.class == Class::RateLimited);
        if passes { RATE_LIMITED } else { CONFIGURATION }
    });
    metrics.held(&sender.0, reason);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{DEAD_REASONS, HELD_REASONS};

    #[test]
    fn every_word_that_is_used_as_a_label_is_in_the_list_of_its_metric() {
        assert!(Cause::ALL.iter().all(|cause| DEAD_REASONS.contains(&cause.name())));
        assert_eq!(HELD_REASONS, [CONFIGURATION, RATE_LIMITED]);
    }

    #[test]
    fn a_line_names_as_many_recipients_as_can_be_read() {
        let ids = |count: usize| (0..count).map(|id| format!("user-{id:04}")).collect::<Vec<_>>();
        assert_eq!(listed(&ids(2)), "user-0000|user-0001");
        let shown = listed(&ids(300));
        assert!(shown.starts_with("user-0000|") && shown.ends_with("… (300 in all)"), "{shown}");
        assert!(shown.len() < 230, "{shown}");
    }

    #[test]
    fn errcodes_that_are_in_no_table_share_a_label() {
        let labels = [None, Some(0), Some(-1), Some(60020), Some(123_456_789)].map(errcode_label);
        assert_eq!(labels, ["none", "0", "-1", "60020", "other"]);
    }
}
