//! Claims: looks at what is due, marks the deliveries that the planner picks as in flight, and returns them.

use jiff::Timestamp;

use super::{
    cards,
    columns::{
        all_recipients_columns, content_columns, kind_column, millis, optional_time_column, part_columns,
        recipients_columns, time_column,
    },
    entry,
    error::EngineResult,
    fold::{self, Folded},
    settle::{self, set_aside},
    transaction::{Look, Transaction},
    waiting,
};
use crate::{
    outbox::{
        BodyHash, ClaimId, Claimed, Claims, DeliveryId, Destination, NotificationId, Pick, Planner,
        ReceiverName,
        rules::cards::{CARD_CLOSED, Updated},
    },
    wecom::Message,
};

pub(super) const LOAD: &str = "SELECT notification, deliveries, kind, receiver, group_key, part_number, part_of,
     accepted_at, attempts, unknown_codes, unconfirmed_since, body, msgtype, content, to_users, to_parties, to_tags,
     all_users, all_parties, all_tags, text_form FROM delivery WHERE id = ?1 AND state = 1";
pub(super) const MARK: &str =
    "UPDATE delivery SET state = 2, foldable = 0, claim = ?2, claimed_at = ?3 WHERE id = ?1";
pub(super) const MARK_STARTED: &str =
    "UPDATE delivery SET foldable = 0 WHERE id >= ?1 AND id < ?1 + ?2 AND foldable > 0";

pub(super) fn claim<P: Planner>(
    tx: &mut Transaction<'_>,
    look: &Look<'_>,
    destinations: &[Destination],
    mut planner: P,
) -> EngineResult<Claims<P>> {
    let mut claim = None;
    let mut claimed = Vec::new();
    for destination in destinations {
        if planner.is_full() {
            break;
        }
        let waiting = waiting::waiting(tx.sql, look, *destination)?;
        for pick in planner.plan(&waiting) {
            // A look that finds nothing to claim writes nothing.
            let claim = match claim {
                Some(claim) => claim,
                None => *claim.insert(ClaimId(tx.take_numbers(1)?)),
            };
            match pick {
                Pick::Delivery(id) => claimed.extend(mark(tx, id, claim, look.now)?),
                Pick::Digest { destination, limit } => {
                    if let Some(Folded { digest, members }) =
                        fold::fold(tx, look, destination, limit, &planner)?
                        && let Some(digest) = mark(tx, digest, claim, look.now)?
                    {
                        claimed.push(Claimed { members, ..digest });
                    }
                }
            }
        }
    }
    Ok(Claims { planner, claimed })
}

/// Marks one delivery as in flight, if it is still ready and can be read. The update of a card that was closed meanwhile is
/// discarded, because it would show the alert as firing again.
fn mark(
    tx: &mut Transaction<'_>,
    DeliveryId(id): DeliveryId,
    claim: ClaimId,
    now: Timestamp,
) -> EngineResult<Option<Claimed>> {
    let loaded = tx.sql.first(LOAD, [id], |row| {
        let deliveries: u32 = row.get("deliveries")?;
        let claimed = Claimed {
            id: DeliveryId(id),
            claim,
            notification: NotificationId(row.get("notification")?),
            kind: kind_column(row)?,
            members: Vec::new(),
            receiver: ReceiverName(row.get("receiver")?),
            group_key: row.get("group_key")?,
            message: Message {
                recipients: recipients_columns(row)?,
                content: content_columns(row)?,
                duplicate_check: None,
            },
            body: BodyHash(row.get("body")?),
            all_recipients: all_recipients_columns(row)?,
            unsettled_others: 0,
            part: part_columns(row)?,
            accepted_at: time_column(row, "accepted_at")?,
            claimed_at: now,
            attempts: row.get("attempts")?,
            unknown_codes: row.get("unknown_codes")?,
            unconfirmed_since: optional_time_column(row, "unconfirmed_since")?,
            text_form: row.get("text_form")?,
            open_cards: Vec::new(),
        };
        Ok((claimed, deliveries))
    });
    let (mut claimed, deliveries) = match loaded {
        Ok(Some(loaded)) => loaded,
        Ok(None) => return Ok(None),
        Err(error) => {
            set_aside(tx, id, error, now)?;
            return Ok(None);
        }
    };
    match Updated::by(&claimed.message.content) {
        None => {}
        Some(Updated::OpenCards) => claimed.open_cards = cards::open_cards(tx, id, now)?,
        Some(Updated::Pressed { task_id }) if cards::is_updated_closed(tx, &task_id, id)? => {
            if let Some(entry) = entry::load(tx, id)? {
                settle::discard(tx, &entry, CARD_CLOSED.en, now)?;
            }
            return Ok(None);
        }
        Some(Updated::Pressed { .. }) => {}
    }
    tx.sql.run(MARK, (id, claim.0, millis(now)))?;
    if deliveries > 1 {
        let NotificationId(first) = claimed.notification;
        tx.sql.run(MARK_STARTED, (first, deliveries))?;
        claimed.unsettled_others = settle::unsettled_others(tx, first, deliveries, id)?;
    }
    Ok(Some(claimed))
}
