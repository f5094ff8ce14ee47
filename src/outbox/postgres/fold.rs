//! Folding: replaces notifications by a digest.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    cards::can_be_folded,
    columns::{all_recipients, column, number, status, time},
    enqueue,
    error::EngineResult,
    followers::{Member, with_followers},
    order::{self, Heads},
    room::Room,
    session::{Param, Transaction},
    settle::set_aside,
    waiting::Look,
};
use crate::outbox::{
    DeliveryId, Destination, Foldable, Folding, Key, Kind, NewDigest, NewNotification, NotificationId,
    Planner, ReceiverName, rules,
};

pub(super) const HEADS: &str = concat!(
    "SELECT d.seq, d.notification, d.ordering_key FROM wecom_relay.delivery d
     WHERE d.state = 1 AND d.sender = $1 AND d.destination = $2 AND d.id <> ALL($4) AND ",
    can_be_folded!(),
    " ORDER BY d.due_at, d.seq LIMIT $3"
);
pub(super) const LINES: &str =
    "SELECT id, receiver, accepted_at, status, severity, summary, foldable, msgtype,
     CASE WHEN msgtype IN ('group_text', 'markdown') AND to_users LIKE '|%' THEN content END AS mentioning
     FROM wecom_relay.delivery WHERE id = ANY($1)";
pub(super) const RECIPIENTS: &str = "SELECT all_users, all_parties, all_tags, to_users, to_parties, to_tags
     FROM wecom_relay.delivery WHERE id = $1";
pub(super) const FOLD: &str = "UPDATE wecom_relay.delivery SET state = 3, digest = $2
     WHERE id = ANY(ARRAY(SELECT unnest(coalesce(n.siblings, ARRAY[n.id])) FROM wecom_relay.delivery n WHERE n.id = ANY($1)))
     RETURNING notification";

/// The notifications to fold.
pub(super) struct Run<'a> {
    pub(super) destination: Destination,
    pub(super) limit: u32,
    /// Deliveries that are sent by themselves.
    pub(super) picked: &'a [i64],
}

/// A digest that was stored.
pub(super) struct Folded {
    pub(super) digest: DeliveryId,
    pub(super) members: Vec<NotificationId>,
}

/// Folds the notifications of `run` into a digest of the planner, and stores the digest.
pub(super) async fn fold(
    tx: &Transaction<'_>,
    look: &Look<'_>,
    run: &Run<'_>,
    planner: &impl Planner,
    room: &Room,
) -> EngineResult<Option<Folded>> {
    let mut members = locked_members(tx, look, run).await?;
    let Some(first) = members.first() else { return Ok(None) };
    let Some(folding) = folding(tx, first.notification, &members, look.now).await? else { return Ok(None) };
    let Some(NewDigest { members: count, message }) = planner.digest(&folding) else { return Ok(None) };
    members.truncate(count);
    // A digest has an ordering key of its own: other deliveries wait for it in the ordering keys of its members.
    let number = tx.take_numbers(1).await?;
    let ordering_key = Key::of([b"digest".as_slice(), &number.first().unwrap_or(&0).to_le_bytes()]).short();
    let digest = NewNotification { kind: Kind::Digest, ..message };
    let NotificationId(delivery) = enqueue::enqueue_own(tx, &digest, ordering_key, room, look.now).await?;
    let notifications: Vec<i64> = members.iter().map(|member| member.notification).collect();
    let params: [Param<'_>; 2] = [&notifications, &delivery];
    let folded: Vec<i64> = tx.all(FOLD, &params, |row| column(row, "notification")).await?;
    let mut new_heads = Heads::new();
    for member in &members {
        let deliveries = folded.iter().filter(|notification| **notification == member.notification).count();
        let count = i32::try_from(deliveries).unwrap_or(i32::MAX) - i32::from(member.is_head);
        if count > 0 {
            *new_heads.entry(member.ordering_key).or_default() += count;
        }
    }
    order::add_heads(tx, &new_heads).await?;
    let members = notifications.into_iter().map(NotificationId).collect();
    Ok(Some(Folded { digest: DeliveryId(delivery), members }))
}

/// The notifications that can be folded, in order of acceptance. Their ordering keys are locked.
async fn locked_members(tx: &Transaction<'_>, look: &Look<'_>, run: &Run<'_>) -> EngineResult<Vec<Member>> {
    let seen = members(tx, look, run).await?;
    let locked: BTreeSet<i64> = seen.iter().map(|member| member.ordering_key).collect();
    if locked.is_empty() {
        return Ok(Vec::new());
    }
    order::lock(tx, &locked.iter().copied().collect::<Vec<_>>()).await?;
    // An operator may have changed them before the lock.
    let mut members = members(tx, look, run).await?;
    members.retain(|member| locked.contains(&member.ordering_key));
    // In order of acceptance. So a digest of the first ones takes no notification without those before it.
    members.sort_unstable_by_key(|member| member.seq);
    Ok(members)
}

async fn members(tx: &Transaction<'_>, look: &Look<'_>, run: &Run<'_>) -> EngineResult<Vec<Member>> {
    let Run { destination, limit, picked } = run;
    let (key, most) = (destination.0.0.as_slice(), i64::from(*limit));
    let heads = tx
        .all(HEADS, &[&look.sender.0, &key, &most, picked], |row| {
            let (seq, notification) = (column(row, "seq")?, column(row, "notification")?);
            Ok(Member { seq, notification, ordering_key: column(row, "ordering_key")?, is_head: true })
        })
        .await?;
    with_followers(tx, heads, *destination, *limit as usize).await
}

/// The notifications for the planner. `None` if a row cannot be read; the others are folded at the next look.
async fn folding(
    tx: &Transaction<'_>,
    first: i64,
    members: &[Member],
    now: Timestamp,
) -> EngineResult<Option<Folding>> {
    let recipients = match tx.only(RECIPIENTS, &[&first], all_recipients).await {
        Ok(recipients) => recipients,
        Err(error) if error.is_unreadable_row() => {
            return set_aside(tx, first, &error.reason(), now).await.map(|()| None);
        }
        Err(error) => return Err(error),
    };
    let ids: Vec<i64> = members.iter().map(|member| member.notification).collect();
    let lines = tx
        .all(LINES, &[&ids], |row| {
            let foldable = Foldable {
                notification: NotificationId(column(row, "id")?),
                receiver: ReceiverName(column(row, "receiver")?),
                accepted_at: time(row, "accepted_at")?,
                status: status(row)?,
                severity: column(row, "severity")?,
                summary: column(row, "summary")?,
                limit: number(row, "foldable")?,
                mentions: rules::fold::mentions(
                    &column::<String>(row, "msgtype")?,
                    column(row, "mentioning")?,
                ),
            };
            Ok((foldable.notification.0, foldable))
        })
        .await?;
    let mut lines: std::collections::HashMap<i64, Foldable> = lines.into_iter().collect();
    let notifications = ids.iter().filter_map(|id| lines.remove(id)).collect();
    Ok(Some(Folding { recipients, notifications }))
}
