//! What is said of sends and holds: log lines and metrics.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    delivery::{gate::Change, step},
    metrics::Metrics,
    outbox::{Channel, Claimed, Verdict},
    wecom::{Missed, Outcome},
};

/// How a send ended, and what follows.
pub(super) struct End<'a> {
    pub(super) channel: &'a Channel,
    pub(super) claimed: &'a Claimed,
    pub(super) outcome: &'a Outcome,
    pub(super) verdict: &'a Verdict,
}

/// Tells of a send that ended at `now`.
pub(super) fn attempt(
    metrics: &Metrics,
    end: &End<'_>,
    errcode: Option<i64>,
    took: Duration,
    now: Timestamp,
) {
    let (app, receiver) = (&end.channel.0, &end.claimed.receiver.0);
    metrics.attempted(app, errcode, took);
    match end.verdict {
        Verdict::Delivered(receipt) => {
            let after = Duration::try_from(now.duration_since(end.claimed.accepted_at)).unwrap_or_default();
            metrics.delivered(receiver, after);
            for (kind, ids) in kinds(&receipt.missed) {
                metrics.missed(app, kind, ids.len());
            }
        }
        Verdict::Dead(_) => metrics.died(receiver),
        Verdict::Retry { .. } | Verdict::Instead { .. } => {}
    }
    log(end, took);
}

fn kinds(missed: &Missed) -> [(&'static str, &Vec<String>); 4] {
    [
        ("user", &missed.users),
        ("party", &missed.parties),
        ("tag", &missed.tags),
        ("unlicensed", &missed.unlicensed),
    ]
}

fn log(end: &End<'_>, took: Duration) {
    let End { channel, claimed, outcome, verdict } = end;
    let Claimed { id, notification, receiver, group_key, .. } = claimed;
    let ms = took.as_millis();
    match (verdict, outcome) {
        (Verdict::Delivered(receipt), _) => {
            tracing::debug!(
                %channel, delivery = %id, %notification, %receiver, group = group_key, msgid = receipt.msgid, ms,
                "delivered"
            );
            if !receipt.missed.is_empty() {
                let missed = &receipt.missed;
                tracing::warn!(
                    %channel, delivery = %id, %notification, %receiver, invaliduser = missed.users.join("|"),
                    invalidparty = missed.parties.join("|"), invalidtag = missed.tags.join("|"),
                    unlicenseduser = missed.unlicensed.join("|"),
                    "delivered, but WeCom passed over some recipients: check that they exist, are visible to the \
                     app and are licensed"
                );
            }
        }
        (Verdict::Retry { at, .. }, outcome) => tracing::warn!(
            %channel, delivery = %id, %notification, %receiver, group = group_key, ms,
            outcome = step::describe(outcome), next = %at, "not delivered yet"
        ),
        (Verdict::Instead { reason, .. }, _) => tracing::error!(
            %channel, delivery = %id, %notification, %receiver, group = group_key, reason,
            "WeCom refused the message; it is sent as plain text instead"
        ),
        (Verdict::Dead(reason), _) => tracing::error!(
            %channel, delivery = %id, %notification, %receiver, group = group_key, reason,
            "dead letter: not delivered and not tried again; see `wecom-relay outbox show`"
        ),
    }
}

/// Tells of a hold that began, goes on or is over.
pub(super) fn gate(metrics: &Metrics, change: &Change) {
    match change {
        Change::Held(hold) => {
            metrics.held(&hold.channel.0, true);
            tracing::error!(
                channel = %hold.channel, errcode = hold.errcode, since = %hold.since, probes = hold.probes,
                next_probe_at = %hold.next_probe_at, reason = %hold.reason,
                "the channel is held: its messages wait, nothing is lost"
            );
        }
        Change::Released(hold) => {
            metrics.held(&hold.channel.0, false);
            tracing::info!(channel = %hold.channel, since = %hold.since, "the channel flows again");
        }
    }
}
