//! The queries of operators. They run on a read-only connection of their own, and each looks at a bounded number of rows.

use rusqlite::Row;

use super::{
    columns::{
        content_columns, duration, kind_column, millis, optional_time_column, part_columns,
        recipients_columns, state_column, state_number, status_column, time_column, timestamp,
    },
    error::EngineResult,
    relay_time::WallTimes,
    sql::Sql,
};
use crate::outbox::{
    Attempt, DeliveryId, Depth, Detail, Filter, ListOrder, Listed, NotificationId, Page, PageRequest,
    ReceiverName, SenderName, State,
};

macro_rules! listed {
    ($rest:literal) => {
        concat!(
            "SELECT id, notification, kind, state, receiver, sender, status, accepted_at, due_at, settled_at,
             attempts, part_number, part_of, digest, summary, coalesce(reason, attempt_detail, '') AS reason ",
            $rest
        )
    };
}
macro_rules! page {
    ($index:literal, $where:literal, $order:literal) => {
        concat!(
            listed!("FROM delivery "),
            $index,
            " WHERE ",
            $where,
            " AND id >= ?2 AND id <= ?3 AND (?4 IS NULL OR receiver = ?4) AND (?5 IS NULL OR accepted_at < ?5)
             AND (?6 IS NULL OR accepted_at >= ?6) AND (?7 IS NULL OR digest = ?7) ORDER BY id ",
            $order,
            " LIMIT ?8"
        )
    };
}
pub(super) const ALL: [&str; 2] =
    [page!("NOT INDEXED", "?1 IS NULL", "ASC"), page!("NOT INDEXED", "?1 IS NULL", "DESC")];
pub(super) const IN_STATE: [&str; 2] =
    [page!("NOT INDEXED", "state = ?1", "ASC"), page!("NOT INDEXED", "state = ?1", "DESC")];
pub(super) const DEAD: [&str; 2] = [
    page!("INDEXED BY delivery_dead", "state = 5 AND ?1 IS NOT NULL", "ASC"),
    page!("INDEXED BY delivery_dead", "state = 5 AND ?1 IS NOT NULL", "DESC"),
];
pub(super) const OF_DIGEST: [&str; 2] = [
    page!("INDEXED BY delivery_digest", "digest = ?7 AND (?1 IS NULL OR state = ?1)", "ASC"),
    page!("INDEXED BY delivery_digest", "digest = ?7 AND (?1 IS NULL OR state = ?1)", "DESC"),
];
pub(super) const WINDOW_END: [&str; 2] = [
    "SELECT id FROM delivery WHERE id >= ?1 ORDER BY id ASC LIMIT 1 OFFSET ?2",
    "SELECT id FROM delivery WHERE id <= ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2",
];
pub(super) const SHOW: &str = listed!(
    ", group_key, to_users, to_parties, to_tags, msgtype, content, coalesce(msgid, '') AS msgid,
     coalesce(invalid_recipients, '') AS invalid_recipients, unconfirmed_since, tries, attempt_started_at AS started_at,
     attempt_ms AS ms, attempt_errcode AS errcode, attempt_counted AS counted, attempt_detail AS detail
     FROM delivery WHERE id = ?1"
);
pub(super) const EARLIER_ATTEMPTS: &str =
    "SELECT started_at, ms, errcode, counted, detail FROM attempt WHERE delivery = ?1 ORDER BY n";
pub(super) const DEPTHS: &str =
    "SELECT sender, receiver, count(*) AS deliveries, min(id) AS oldest FROM delivery
     INDEXED BY delivery_open WHERE settled_at IS NULL GROUP BY sender, receiver";
pub(super) const ACCEPTED_AT: &str = "SELECT accepted_at FROM delivery WHERE id = ?1";
pub(super) const DISCARDED: &str =
    "SELECT sender, receiver, deliveries FROM discarded ORDER BY sender, receiver";

/// The largest number of rows that one call of [`list`] looks at.
const WINDOW: u32 = 20_000;

/// The range of delivery numbers that one call looks at.
struct Window {
    from: i64,
    to: i64,
    is_last: bool,
}

pub(super) fn list(sql: Sql<'_>, filter: &Filter, page: &PageRequest) -> EngineResult<Page> {
    let times = WallTimes::read(sql)?;
    let filter = &times.filter(filter);
    let order = match page.order {
        ListOrder::OldestFirst => 0,
        ListOrder::NewestFirst => 1,
    };
    let window = window(sql, filter, page, order)?;
    let mut found = Vec::new();
    for state in wanted_states(filter) {
        let statements = match (filter.digest, state) {
            (Some(_), _) => OF_DIGEST,
            (None, Some(5)) => DEAD,
            (None, Some(_)) => IN_STATE,
            (None, None) => ALL,
        };
        let [oldest_first, newest_first] = statements;
        let statement = if order == 0 { oldest_first } else { newest_first };
        let params = (
            state,
            window.from,
            window.to,
            filter.receiver.as_ref().map(|receiver| &receiver.0),
            filter.accepted_before.map(millis),
            filter.accepted_since.map(millis),
            filter.digest.map(|digest| digest.0),
            page.limit,
        );
        found.extend(sql.all(statement, params, read_listed)?);
    }
    match page.order {
        ListOrder::OldestFirst => found.sort_unstable_by_key(|listed| listed.id),
        ListOrder::NewestFirst => found.sort_unstable_by_key(|listed| std::cmp::Reverse(listed.id)),
    }
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let is_full = found.len() >= limit;
    found.truncate(limit);
    let next = match (is_full, window.is_last) {
        (true, _) => found.last().map(|listed| listed.id),
        (false, true) => None,
        (false, false) => Some(DeliveryId(if order == 0 { window.to } else { window.from })),
    };
    let deliveries = found.into_iter().map(|listed| times.listed(listed)).collect();
    Ok(Page { deliveries, next })
}

/// A search for one state, or `None` for all states.
fn wanted_states(filter: &Filter) -> Vec<Option<i64>> {
    let mut states: Vec<_> = filter.states.iter().map(|state| Some(state_number(*state))).collect();
    states.sort_unstable();
    states.dedup();
    if states.is_empty() { vec![None] } else { states }
}

fn window(sql: Sql<'_>, filter: &Filter, page: &PageRequest, order: usize) -> EngineResult<Window> {
    let after = page.after.map(|after| after.0);
    let start = match page.order {
        ListOrder::OldestFirst => after.map_or(i64::MIN, |after| after.saturating_add(1)),
        ListOrder::NewestFirst => after.map_or(i64::MAX, |after| after.saturating_sub(1)),
    };
    // Indexed searches look only at rows that match, so they need no bound.
    let is_indexed = filter.digest.is_some() || filter.states.as_slice() == [State::Dead];
    let end = match (is_indexed, WINDOW_END.get(order)) {
        (false, Some(statement)) => {
            sql.first(statement, (start, WINDOW - 1), |row| Ok(row.get::<_, i64>("id")?))?
        }
        _ => None,
    };
    let (from, to) = match page.order {
        ListOrder::OldestFirst => (start, end.unwrap_or(i64::MAX)),
        ListOrder::NewestFirst => (end.unwrap_or(i64::MIN), start),
    };
    Ok(Window { from, to, is_last: end.is_none() })
}

fn read_listed(row: &Row<'_>) -> EngineResult<Listed> {
    let state = state_column(row)?;
    let due_at: i64 = row.get("due_at")?;
    Ok(Listed {
        id: DeliveryId(row.get("id")?),
        notification: NotificationId(row.get("notification")?),
        kind: kind_column(row)?,
        state,
        receiver: ReceiverName(row.get("receiver")?),
        sender: SenderName(row.get("sender")?),
        status: status_column(row)?,
        accepted_at: time_column(row, "accepted_at")?,
        due_at: (state == State::Ready).then_some(due_at).map(timestamp).transpose()?,
        settled_at: optional_time_column(row, "settled_at")?,
        attempts: row.get("attempts")?,
        part: part_columns(row)?,
        digest: row.get::<_, Option<i64>>("digest")?.map(DeliveryId),
        summary: row.get("summary")?,
        reason: row.get("reason")?,
    })
}

pub(super) fn show(sql: Sql<'_>, DeliveryId(id): DeliveryId) -> EngineResult<Option<Detail>> {
    let times = WallTimes::read(sql)?;
    let mut attempts = sql.all(EARLIER_ATTEMPTS, [id], read_attempt)?;
    let detail = sql.first(SHOW, [id], |row| {
        if row.get::<_, i64>("tries")? > 0 {
            attempts.push(read_attempt(row)?);
        }
        Ok(Detail {
            listed: read_listed(row)?,
            group_key: row.get("group_key")?,
            recipients: recipients_columns(row)?,
            content: content_columns(row)?,
            msgid: row.get("msgid")?,
            invalid_recipients: row.get("invalid_recipients")?,
            unconfirmed_since: optional_time_column(row, "unconfirmed_since")?,
            attempts,
        })
    })?;
    Ok(detail.map(|detail| times.detail(detail)))
}

fn read_attempt(row: &Row<'_>) -> EngineResult<Attempt> {
    Ok(Attempt {
        started_at: time_column(row, "started_at")?,
        duration: duration(row.get("ms")?),
        errcode: row.get("errcode")?,
        detail: row.get("detail")?,
        counted: row.get("counted")?,
    })
}

pub(super) fn depths(sql: Sql<'_>) -> EngineResult<Vec<Depth>> {
    let mut depths = sql.all(DEPTHS, [], |row| {
        let oldest: i64 = row.get("oldest")?;
        Ok(Depth {
            sender: SenderName(row.get("sender")?),
            receiver: ReceiverName(row.get("receiver")?),
            deliveries: row.get::<_, i64>("deliveries")?.unsigned_abs(),
            oldest_accepted_at: sql.first(ACCEPTED_AT, [oldest], |row| time_column(row, "accepted_at"))?,
            discarded: 0,
        })
    })?;
    let discarded = sql.all(DISCARDED, [], |row| {
        Ok(Depth {
            sender: SenderName(row.get("sender")?),
            receiver: ReceiverName(row.get("receiver")?),
            deliveries: 0,
            oldest_accepted_at: None,
            discarded: row.get::<_, i64>("deliveries")?.unsigned_abs(),
        })
    })?;
    for other in discarded {
        let same = |depth: &&mut Depth| depth.sender == other.sender && depth.receiver == other.receiver;
        match depths.iter_mut().find(same) {
            Some(depth) => depth.discarded = other.discarded,
            None => depths.push(other),
        }
    }
    Ok(depths)
}
