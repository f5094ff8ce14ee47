//! Log lines and metrics about attempts, digests and holds.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    clock::Clock,
    delivery::{
        card_calls::is_card_gone,
        circuit_breaker::HoldChange,
        decide::{self, Cause, Decision},
        evidence::BlockKind,
    },
    metrics::{INVALID_KINDS, Metrics, NO_ERRCODE, OTHER_ERRCODE},
    outbox::{Claimed, Hold, Kind, SenderName, TermState, Verdict},
    telemetry::clip,
    wecom::{
        Errcode, InvalidRecipients, Outcome, Receipt,
        errcode::{self, Class},
    },
};

/// Logs an event of a delivery, always with the same fields.
macro_rules! delivery_event {
    ($level:ident, $sender:expr, $claimed:expr, $($more:tt)+) => {
        tracing::$level!(
            app = %$sender, receiver = %$claimed.receiver, group = crate::telemetry::clip(&$claimed.group_key),
            notification = $claimed.notification.0, delivery = $claimed.id.0, $($more)+
        )
    };
}
pub(super) use delivery_event;

/// An attempt and its consequences.
pub(super) struct AttemptReport<'a> {
    pub(super) sender: &'a SenderName,
    pub(super) claimed: &'a Claimed,
    pub(super) outcome: &'a Outcome,
    pub(super) decision: &'a Decision,
    pub(super) clock: &'a dyn Clock,
}

/// WeCom's errcode, if it answered.
pub(super) fn errcode(outcome: &Outcome) -> Option<i64> {
    match outcome {
        Outcome::Accepted(_) => Some(0),
        Outcome::Rejected(refusal) => Some(refusal.errcode.0),
        Outcome::NotSent(_) | Outcome::Unknown(_) => None,
    }
}

/// Reports an attempt that ended at `now`.
pub(super) fn attempt(metrics: &Metrics, report: &AttemptReport<'_>, took: Duration, now: Timestamp) {
    let (app, receiver) = (&report.sender.0, &report.claimed.receiver.0);
    metrics.attempted(app, errcode_label(errcode(report.outcome)), took);
    match &report.decision.verdict {
        Verdict::Delivered(receipt) => {
            let after =
                Duration::try_from(now.duration_since(report.claimed.accepted_at)).unwrap_or_default();
            metrics.delivered(receiver, after);
            for (kind, ids) in INVALID_KINDS.into_iter().zip(invalid(&receipt.invalid)) {
                metrics.invalid(app, kind, ids.len());
            }
        }
        Verdict::Dead(_) => {
            metrics.dead_letters(receiver, report.decision.cause.unwrap_or(Cause::Rejected).name(), 1);
        }
        Verdict::Retry { .. } | Verdict::Replace { .. } | Verdict::Undo(_) => {}
    }
    log(report, took);
}

/// The label of an errcode. Unknown errcodes share a label, so that a strange server cannot create any number of series.
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

/// `ids` for a log line: the first ones, and their number if there are more.
fn listed(ids: &[String]) -> String {
    let all = ids.join("|");
    let shown = clip(&all);
    if shown.len() == all.len() { all } else { format!("{shown}… ({} in all)", ids.len()) }
}

fn log(report: &AttemptReport<'_>, took: Duration) {
    let AttemptReport { sender, claimed, decision, .. } = report;
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match &decision.verdict {
        Verdict::Delivered(receipt) => log_delivered(report, receipt, duration_ms),
        Verdict::Retry { at, charged, .. } => {
            let next_at = charged.then_some(*at);
            log_retry(report, next_at, duration_ms);
        }
        Verdict::Undo(reason) => delivery_event!(
            warn,
            sender,
            claimed,
            duration_ms,
            reason,
            "digest undone: one of its notifications may be the reason; they are sent again in smaller digests"
        ),
        Verdict::Replace { reason, .. } if claimed.kind == Kind::Notice => delivery_event!(
            error,
            sender,
            claimed,
            duration_ms,
            reason,
            "the notice was rejected; it is sent without the lines of its alerts instead"
        ),
        Verdict::Replace { reason, .. } if is_card_gone(report.outcome) => delivery_event!(
            warn,
            sender,
            claimed,
            duration_ms,
            reason,
            "a card cannot be changed any more; a message is sent instead"
        ),
        Verdict::Replace { reason, .. } => delivery_event!(
            error,
            sender,
            claimed,
            duration_ms,
            reason,
            "WeCom rejected the message; it is sent as plain text instead"
        ),
        Verdict::Dead(reason) => delivery_event!(
            error,
            sender,
            claimed,
            duration_ms,
            cause = decision.cause.map(Cause::name),
            reason,
            "dead letter: the delivery is not tried again; see `wecom-relay outbox show`"
        ),
    }
}

fn log_delivered(report: &AttemptReport<'_>, receipt: &Receipt, duration_ms: u64) {
    let AttemptReport { sender, claimed, .. } = report;
    delivery_event!(info, sender, claimed, msgid = clip(&receipt.msgid), duration_ms, "delivered");
    let invalid = &receipt.invalid;
    if invalid.is_empty() {
        return;
    }
    delivery_event!(
        warn,
        sender,
        claimed,
        invaliduser = listed(&invalid.users),
        invalidparty = listed(&invalid.parties),
        invalidtag = listed(&invalid.tags),
        unlicenseduser = listed(&invalid.unlicensed),
        "delivered, but not to all recipients: check that these exist, are visible to the app and have a licence"
    );
}

/// Without `next_at` the next probe of the held sender decides. The line about the hold has its time.
fn log_retry(report: &AttemptReport<'_>, next_at: Option<Timestamp>, duration_ms: u64) {
    let AttemptReport { sender, claimed, outcome, clock, .. } = report;
    let outcome = decide::describe(outcome);
    if let Some(next_at) = next_at {
        delivery_event!(
            warn,
            sender,
            claimed,
            duration_ms,
            outcome,
            next = format!("{:.3}", clock.wall_time(next_at)),
            "delivery failed, will retry"
        );
    } else {
        delivery_event!(
            warn,
            sender,
            claimed,
            duration_ms,
            outcome,
            "delivery failed, will retry when the sender is released"
        );
    }
}

/// Reports a digest that replaces its members.
pub(super) fn folded(metrics: &Metrics, sender: &SenderName, digest: &Claimed) {
    let Claimed { members, all_recipients: recipients, .. } = digest;
    metrics.folded(&sender.0, members.len());
    delivery_event!(info, sender, digest, %recipients, members = members.len(), "folded into digest");
    for notification in members {
        tracing::debug!(app = %sender, notification = notification.0, digest = digest.id.0, "folded into digest");
    }
}

/// Logs an event of a hold, always with the same fields.
macro_rules! hold_event {
    ($level:ident, $hold:expr, $clock:expr, $text:literal) => {
        tracing::$level!(
            app = %$hold.sender, errcode = $hold.errcode, since = format!("{:.3}", $clock.wall_time($hold.since)), probes = $hold.probes,
            next_probe_at = format!("{:.3}", $clock.wall_time($hold.next_probe_at)), reason = $hold.reason, $text
        )
    };
}

/// Reports a hold that began, continues or ended. What is known already is not logged again as an error.
pub(super) fn hold_change(metrics: &Metrics, change: &HoldChange, clock: &dyn Clock) {
    match change {
        HoldChange::Held(hold, kind) => {
            metrics.held(&hold.sender.0, Some(held_reason(*kind)));
            log_hold(hold, *kind, clock);
        }
        HoldChange::StillHeld(hold, kind) => {
            metrics.held(&hold.sender.0, Some(held_reason(*kind)));
            hold_event!(debug, hold, clock, "sender still held");
        }
        HoldChange::Released(hold) => {
            metrics.held(&hold.sender.0, None);
            let since = format!("{:.3}", clock.wall_time(hold.since));
            tracing::info!(app = %hold.sender, since, "sender released, sending resumes");
        }
    }
}

fn log_hold(hold: &Hold, kind: BlockKind, clock: &dyn Clock) {
    match kind {
        BlockKind::RateLimited => hold_event!(
            warn,
            hold,
            clock,
            "sender held: its deliveries wait until a limit of WeCom has passed; nothing is lost"
        ),
        BlockKind::RefusedSecret | BlockKind::Configuration => hold_event!(
            error,
            hold,
            clock,
            "sender held: its deliveries wait until somebody fixes the problem; nothing is lost"
        ),
        BlockKind::Failing => hold_event!(
            error,
            hold,
            clock,
            "sender held: its messages fail and none succeeds; they are tried one at a time, and nothing is lost"
        ),
        BlockKind::Unanswered => hold_event!(
            error,
            hold,
            clock,
            "sender held: WeCom's answers do not come back; messages are tried one at a time, and nothing is lost"
        ),
    }
}

fn held_reason(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::RefusedSecret | BlockKind::Configuration => CONFIGURATION,
        BlockKind::RateLimited => RATE_LIMITED,
        BlockKind::Failing => FAILING,
        BlockKind::Unanswered => UNANSWERED,
    }
}

const CONFIGURATION: &str = "configuration";
const RATE_LIMITED: &str = "rate_limited";
const FAILING: &str = "failing";
const UNANSWERED: &str = "unanswered";

/// Reports the hold and the deliveries that an earlier lease left. The errcode alone is known of the kind of the hold, so
/// some count as holds of the configuration until their next probe.
pub(super) fn inherited(metrics: &Metrics, sender: &SenderName, recovered: u32, hold: Option<&Hold>) {
    if recovered > 0 {
        tracing::warn!(
            app = %sender, deliveries = recovered,
            "deliveries were in flight when the last process ended; they are sent again; WeCom's duplicate check suppresses \
             copies, but not in groups"
        );
    }
    let class = |errcode| errcode::lookup(Errcode(errcode)).map_or(Class::Unknown, |entry| entry.class);
    let reason = hold.map(|hold| match hold.errcode.map(class) {
        Some(Class::RateLimited) => RATE_LIMITED,
        Some(Class::Transient | Class::Unknown) => FAILING,
        _ => CONFIGURATION,
    });
    metrics.held(&sender.0, reason);
}

/// Reports a change of the lease.
pub(super) fn term_change(sender: &SenderName, state: TermState) {
    match state {
        TermState::Valid => tracing::info!(app = %sender, "the lease is renewed again, sending resumes"),
        TermState::Offered => {
            tracing::info!(app = %sender, "the lease is offered to another replica, which has fewer leases");
        }
        TermState::Ended => tracing::warn!(
            app = %sender,
            "the lease could not be renewed in time; nothing is sent until the outbox answers"
        ),
        TermState::Lost => tracing::warn!(
            app = %sender,
            "another replica has taken the lease; it sends the deliveries of this sender now"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{DEAD_REASONS, HELD_REASONS};

    #[test]
    fn every_label_value_is_in_the_list_of_its_metric() {
        assert!(Cause::ALL.iter().all(|cause| DEAD_REASONS.contains(&cause.name())));
        assert_eq!(HELD_REASONS, [CONFIGURATION, RATE_LIMITED, FAILING, UNANSWERED]);
    }

    #[test]
    fn a_long_list_of_recipients_is_shortened() {
        let ids = |count: usize| (0..count).map(|id| format!("user-{id:04}")).collect::<Vec<_>>();
        assert_eq!(listed(&ids(2)), "user-0000|user-0001");
        let shown = listed(&ids(300));
        assert!(shown.starts_with("user-0000|") && shown.ends_with("… (300 in all)"), "{shown}");
        assert!(shown.len() < 230, "{shown}");
    }

    #[test]
    fn unknown_errcodes_share_a_label() {
        let labels = [None, Some(0), Some(-1), Some(60020), Some(123_456_789)].map(errcode_label);
        assert_eq!(labels, ["none", "0", "-1", "60020", "other"]);
    }
}
