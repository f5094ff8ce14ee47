//! Claims: looks at what is due, marks the deliveries that the planner picks as in flight, and returns them.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::{
    cards::{self, PressedCard},
    columns::{
        all_recipients, column, content, count, destination, kind, millis, number, optional_time, part,
        recipients, time,
    },
    entry,
    error::EngineResult,
    fold::{self, Run},
    lease_id::LeaseId,
    room::Room,
    session::{Param, Transaction},
    settle::{self, set_aside},
    waiting::{self, Look},
};
use crate::{
    outbox::{
        BodyHash, ClaimId, Claimed, Claims, DeliveryId, Destination, NotificationId, Pick, Planner,
        ReceiverName, StoreError,
        rules::cards::{CARD_CLOSED, Updated},
    },
    wecom::Message,
};

/// A random number of 60 bits: no number of a lease or a claim is given out twice, not even after a failover to a server
/// that has lost the last transactions.
macro_rules! random {
    () => {
        "('x' || translate(left(gen_random_uuid()::text, 18), '-', ''))::bit(64)::bigint"
    };
}
pub(super) use random;

// A process takes the lease by an update of its row. So each claim is committed before that, or sees that the lease is gone.
pub(super) const FENCE: &str = concat!(
    "SELECT ",
    random!(),
    " AS claim FROM wecom_relay.lease WHERE sender = $1 AND token = $2
     AND until > clock_timestamp() FOR SHARE"
);
// It waits for the end of other claims, too.
const FENCE_ALONE: &str = concat!(
    "SELECT ",
    random!(),
    " AS claim FROM wecom_relay.lease WHERE sender = $1 AND token = $2
     AND until > clock_timestamp() FOR UPDATE"
);
// The same token means that nobody has taken the lease, also after it has run out.
pub(super) const HOLD_FENCE: &str =
    "SELECT token FROM wecom_relay.lease WHERE sender = $1 AND token = $2 FOR SHARE";
pub(super) const MARK: &str =
    "UPDATE wecom_relay.delivery SET state = 2, foldable = 0, claim = $2, claimed_at = $3
     WHERE id = ANY($1) AND state = 1 RETURNING id, notification, siblings, kind, receiver, group_key, part_number, part_of,
     accepted_at, attempts, unknown_codes, unconfirmed_since, body, msgtype, content, to_users, to_parties, to_tags,
     all_users, all_parties, all_tags, text_form";
pub(super) const MARK_STARTED: &str =
    "UPDATE wecom_relay.delivery SET foldable = 0 WHERE id = ANY($1) AND foldable > 0";
pub(super) const UNSETTLED_OTHERS: &str = "SELECT u.id, (SELECT count(*) FROM wecom_relay.delivery s
         WHERE s.id = ANY(d.siblings) AND s.id <> d.id AND s.settled_at IS NULL) AS count
     FROM unnest($1::bigint[]) AS u (id) JOIN wecom_relay.delivery d ON d.id = u.id";

/// The deliveries whose ordering keys nobody else has locked.
pub(super) const TRY_LOCK: &str = "SELECT d.id FROM wecom_relay.delivery d
     JOIN wecom_relay.ordering_key k ON k.id = d.ordering_key WHERE d.id = ANY($1) FOR UPDATE OF k SKIP LOCKED";
pub(super) const PUT_BACK: &str =
    "UPDATE wecom_relay.delivery SET state = 1 WHERE id = ANY($1) RETURNING destination";

pub(super) const UNDO: &str = "UPDATE wecom_relay.delivery SET state = 1
     WHERE state = 2 AND sender = $1 AND claim = ANY($2) RETURNING destination";

/// Fails if the lease has run out, or if another process has it. Returns the number of a claim. With `waits`, earlier claims
/// of the lease have ended.
pub(super) async fn fence(tx: &Transaction<'_>, lease: &LeaseId, waits: bool) -> EngineResult<ClaimId> {
    let statement = if waits { FENCE_ALONE } else { FENCE };
    let claim = tx.first(statement, &[&lease.sender.0, &lease.token], |row| column(row, "claim")).await?;
    claim.map(ClaimId).ok_or_else(|| StoreError::LeaseLost.into())
}

/// Fails if another process has taken the lease.
pub(super) async fn hold_fence(tx: &Transaction<'_>, lease: &LeaseId) -> EngineResult<()> {
    let params: [Param<'_>; 2] = [&lease.sender.0, &lease.token];
    let token: Option<i64> = tx.first(HOLD_FENCE, &params, |row| column(row, "token")).await?;
    token.map(drop).ok_or_else(|| StoreError::LeaseLost.into())
}

/// Undoes claims whose commit got no answer. Nobody was given their deliveries, so nobody sends them.
pub(super) async fn undo(tx: &Transaction<'_>, look: &Look<'_>, claims: &[i64]) -> EngineResult<()> {
    if claims.is_empty() {
        return Ok(());
    }
    for destination in tx.all(UNDO, &[&look.sender.0, &claims], destination).await? {
        tx.mark_changed(look.sender, destination);
    }
    Ok(())
}

pub(super) async fn claim<P: Planner>(
    tx: &Transaction<'_>,
    look: &Look<'_>,
    claim: ClaimId,
    destinations: &[Destination],
    mut planner: P,
    room: &Room,
) -> EngineResult<Claims<P>> {
    let (mut picked, mut members, mut has_folded) = (Vec::new(), HashMap::new(), false);
    for destination in destinations {
        // Each digest locks the ordering keys of its members. Those of two digests would be out of order.
        if planner.is_full() || has_folded {
            break;
        }
        let waiting = waiting::waiting(tx, look, *destination).await?;
        for pick in planner.plan(&waiting) {
            match pick {
                Pick::Delivery(DeliveryId(id)) => picked.push(id),
                Pick::Digest { destination, limit } => {
                    has_folded = true;
                    let run = Run { destination, limit, picked: &picked };
                    if let Some(folded) = fold::fold(tx, look, &run, &planner, room).await? {
                        picked.push(folded.digest.0);
                        members.insert(folded.digest, folded.members);
                    }
                }
            }
        }
    }
    let mut claimed = mark(tx, look, claim, &picked).await?;
    for claimed in &mut claimed {
        claimed.members = members.remove(&claimed.id).unwrap_or_default();
    }
    Ok(Claims { planner, claimed })
}

/// A delivery that was marked.
struct Marked {
    claimed: Claimed,
    siblings: Vec<i64>,
}

/// Marks deliveries as in flight, as far as they are still ready and can be read.
async fn mark(
    tx: &Transaction<'_>,
    look: &Look<'_>,
    claim: ClaimId,
    ids: &[i64],
) -> EngineResult<Vec<Claimed>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let params: [Param<'_>; 3] = [&ids, &claim.0, &millis(look.now)];
    let marked = tx.all(MARK, &params, |row| Ok((column::<i64>(row, "id")?, read(row, claim, look)))).await?;
    let mut marked: HashMap<i64, EngineResult<Marked>> = marked.into_iter().collect();
    let (mut all, mut split, mut unsent) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        match marked.remove(id) {
            None => {}
            Some(Ok(Marked { claimed, siblings })) => {
                if !siblings.is_empty() {
                    split.push(*id);
                    tx.run(MARK_STARTED, &[&siblings]).await?;
                }
                all.push(claimed);
            }
            Some(Err(error)) => unsent.push(Unsent { id: *id, why: Why::Damaged(error.reason()) }),
        }
    }
    if !split.is_empty() {
        let others = tx
            .all(UNSETTLED_OTHERS, &[&split], |row| {
                let others = count(row, "count")?;
                Ok((DeliveryId(column(row, "id")?), u32::try_from(others).unwrap_or(u32::MAX)))
            })
            .await?;
        let others: HashMap<DeliveryId, u32> = others.into_iter().collect();
        for claimed in &mut all {
            claimed.unsettled_others = others.get(&claimed.id).copied().unwrap_or(0);
        }
    }
    for id in look_at_cards(tx, look, &mut all).await? {
        all.retain(|claimed| claimed.id.0 != id);
        unsent.push(Unsent { id, why: Why::CardClosed });
    }
    settle_unsent(tx, look, &unsent).await?;
    Ok(all)
}

/// A delivery that was marked and must not be sent.
struct Unsent {
    id: i64,
    why: Why,
}

enum Why {
    /// Its row cannot be read for this reason.
    Damaged(String),
    /// It would show the alert as firing again.
    CardClosed,
}

/// Settles deliveries that must not be sent. Others lock an ordering key before its deliveries, and here the deliveries are
/// locked already. So a delivery whose ordering key is locked goes back, and the next look finds it again.
async fn settle_unsent(tx: &Transaction<'_>, look: &Look<'_>, unsent: &[Unsent]) -> EngineResult<()> {
    if unsent.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = unsent.iter().map(|unsent| unsent.id).collect();
    let locked: Vec<i64> = tx.all(TRY_LOCK, &[&ids], |row| column(row, "id")).await?;
    let (locked, left): (Vec<&Unsent>, Vec<&Unsent>) =
        unsent.iter().partition(|unsent| locked.contains(&unsent.id));
    for Unsent { id, why } in locked {
        match why {
            Why::Damaged(reason) => set_aside(tx, *id, reason, look.now).await?,
            Why::CardClosed => {
                for entry in entry::load(tx, &[*id]).await? {
                    settle::discard(tx, &entry, CARD_CLOSED.en, look.now).await?;
                }
            }
        }
    }
    let left: Vec<i64> = left.iter().map(|unsent| unsent.id).collect();
    if left.is_empty() {
        return Ok(());
    }
    for destination in tx.all(PUT_BACK, &[&left], destination).await? {
        tx.mark_changed(look.sender, destination);
    }
    Ok(())
}

/// Gives updates their open cards. Returns the updates whose card was closed meanwhile.
async fn look_at_cards(
    tx: &Transaction<'_>,
    look: &Look<'_>,
    claimed: &mut [Claimed],
) -> EngineResult<Vec<i64>> {
    let mut pressed = Vec::new();
    for claimed in claimed.iter_mut() {
        match Updated::by(&claimed.message.content) {
            None => {}
            Some(Updated::OpenCards) => {
                claimed.open_cards = cards::open_cards(tx, claimed.id, look.now).await?;
            }
            Some(Updated::Pressed { task_id }) => pressed.push(PressedCard { update: claimed.id, task_id }),
        }
    }
    cards::updates_of_closed(tx, &pressed).await
}

fn read(row: &Row, claim: ClaimId, look: &Look<'_>) -> EngineResult<Marked> {
    let claimed = Claimed {
        id: DeliveryId(column(row, "id")?),
        claim,
        notification: NotificationId(column(row, "notification")?),
        kind: kind(row)?,
        members: Vec::new(),
        receiver: ReceiverName(column(row, "receiver")?),
        group_key: column(row, "group_key")?,
        message: Message { recipients: recipients(row)?, content: content(row)?, duplicate_check: None },
        body: BodyHash(column(row, "body")?),
        all_recipients: all_recipients(row)?,
        unsettled_others: 0,
        part: part(row)?,
        accepted_at: time(row, "accepted_at")?,
        claimed_at: look.now,
        attempts: number(row, "attempts")?,
        unknown_codes: number(row, "unknown_codes")?,
        unconfirmed_since: optional_time(row, "unconfirmed_since")?,
        text_form: column(row, "text_form")?,
        open_cards: Vec::new(),
    };
    let siblings = column::<Option<Vec<i64>>>(row, "siblings")?.unwrap_or_default();
    Ok(Marked { claimed, siblings })
}
