//! The queries of operators. They run on a read-only connection of their own, and each looks at a bounded number of rows.

use jiff::Timestamp;
use rusqlite::{Row, ToSql};

use super::{
    columns::{
        content_columns, duration, kind_column, millis, optional_time_column, part_columns,
        recipients_columns, state_column, status_column, text_column, time_column, timestamp,
    },
    error::{EngineError, EngineResult},
    relay_time::WallTimes,
    sql::Sql,
};
use crate::{
    outbox::{
        Attempt, DeliveryId, Depth, Detail, Filter, Kind, ListOrder, Listed, NotificationId, Page,
        PageRequest, ReceiverName, SenderName, State, Status,
        rules::{
            page::{self, Source},
            stored,
            wall_times::WallTimes as _,
        },
    },
    secret::Secret,
    wecom::{Content, Recipients},
};

macro_rules! listed {
    ($rest:literal) => {
        concat!(
            "SELECT id, notification, kind, state, receiver, sender, status, accepted_at, due_at, settled_at, recalled_at,
             attempts, part_number, part_of, digest, summary, coalesce(reason, attempt_detail, '') AS reason ",
            $rest
        )
    };
}
// The states are the bits of ?3.
const PAGE: &str = listed!(
    "FROM delivery {index} AND id >= ?1 AND id <= ?2 AND ?3 >> state & 1 AND (?4 IS NULL OR receiver = ?4)
     AND (?5 IS NULL OR accepted_at < ?5) AND (?6 IS NULL OR accepted_at >= ?6) AND (?7 IS NULL OR digest = ?7)
     AND (?9 IS NULL OR sender = ?9) AND (?10 IS NULL OR kind = ?10) AND (?11 IS NULL OR group_key = ?11) {words}
     ORDER BY id {direction} LIMIT ?8"
);
const WINDOW_END: &str =
    "SELECT id FROM delivery {index} AND id {comparison} ?1 ORDER BY id {direction} LIMIT 1 OFFSET ?2";
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

pub(super) const CONSOLE_SECRET: &str = "SELECT secret FROM console WHERE id = 1";

/// The statement that reads a page of deliveries with the words of `filter`.
pub(super) fn page_statement(filter: &Filter, order: ListOrder) -> String {
    const FIXED_PARAMETERS: usize = 11;
    let text = page::searched_columns(filter).join(" || char(10) || ");
    let word = |number: usize| format!("AND instr(lower({text}), ?{}) > 0", number + FIXED_PARAMETERS);
    let words: Vec<String> = (1..=filter.words.len()).map(word).collect();
    let page =
        PAGE.replace("{index}", index(Source::of(filter))).replace("{direction}", page::direction(order));
    page.replace("{words}", &words.join(" "))
}

/// The statement that finds the last delivery that a call looks at.
pub(super) fn window_statement(source: Source, order: ListOrder) -> String {
    let window = WINDOW_END.replace("{index}", index(source)).replace("{direction}", page::direction(order));
    window.replace("{comparison}", page::comparison(order))
}

fn index(source: Source) -> &'static str {
    match source {
        Source::All => "NOT INDEXED WHERE true",
        Source::Dead => "INDEXED BY delivery_dead WHERE state = 5",
        Source::Digest => "INDEXED BY delivery_digest WHERE digest = ?7",
    }
}

pub(super) fn list(sql: Sql<'_>, filter: &Filter, request: &PageRequest) -> EngineResult<Page> {
    let times = WallTimes::read(sql)?;
    let filter = &times.filter(filter);
    let (order, source) = (request.order, Source::of(filter));
    let end: Option<i64> = match source {
        Source::All | Source::Dead => {
            let window = (page::start(request), page::window(filter) - 1);
            sql.first(&window_statement(source, order), window, |row| Ok(row.get("id")?))?
        }
        Source::Digest => None,
    };
    let ids = page::ids(request, end);
    let words = page::words(filter);
    let statement = page_statement(filter, order);
    let fixed: [&dyn ToSql; 11] = [
        ids.start(),
        ids.end(),
        &page::state_bits(filter),
        &filter.receiver.as_ref().map(|receiver| &receiver.0),
        &filter.accepted_before.map(millis),
        &filter.accepted_since.map(millis),
        &filter.digest.map(|digest| digest.0),
        &request.limit,
        &filter.sender.as_ref().map(|sender| &sender.0),
        &filter.kind.map(stored::kind_number),
        &filter.group_key,
    ];
    let params: Vec<&dyn ToSql> =
        fixed.into_iter().chain(words.iter().map(|word| word as &dyn ToSql)).collect();
    let deliveries = sql.all(&statement, params.as_slice(), |row| Ok(times.listed(read_or_damaged(row)?)))?;
    Ok(page::page(request, deliveries, end))
}

pub(super) fn console_secret(sql: Sql<'_>) -> EngineResult<Secret> {
    sql.only(CONSOLE_SECRET, [], |row| Ok(Secret::new(row.get::<_, String>("secret")?)))
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
        recalled_at: optional_time_column(row, "recalled_at")?,
        attempts: row.get("attempts")?,
        part: part_columns(row)?,
        digest: row.get::<_, Option<i64>>("digest")?.map(DeliveryId),
        summary: text_column(row, "summary")?,
        reason: text_column(row, "reason")?,
    })
}

fn read_or_damaged(row: &Row<'_>) -> EngineResult<Listed> {
    match read_listed(row) {
        Err(error) if error.is_unreadable_row() => read_damaged(row, &error),
        read => read,
    }
}

/// The readable values of a damaged row, with the damage as its reason.
fn read_damaged(row: &Row<'_>, error: &EngineError) -> EngineResult<Listed> {
    let settled_at = optional_time_column(row, "settled_at").unwrap_or_default();
    Ok(Listed {
        id: DeliveryId(row.get("id")?),
        notification: NotificationId(row.get("notification")?),
        kind: kind_column(row).unwrap_or(Kind::Alert),
        state: state_column(row)?,
        receiver: ReceiverName(text_column(row, "receiver")?),
        sender: SenderName(text_column(row, "sender")?),
        status: status_column(row).unwrap_or(Status::Firing),
        accepted_at: time_column(row, "accepted_at").unwrap_or(Timestamp::UNIX_EPOCH),
        due_at: None,
        settled_at,
        recalled_at: optional_time_column(row, "recalled_at").unwrap_or_default(),
        attempts: row.get("attempts")?,
        part: part_columns(row)?,
        digest: row.get::<_, Option<i64>>("digest")?.map(DeliveryId),
        summary: text_column(row, "summary")?,
        reason: error.store_error().to_string(),
    })
}

pub(super) fn show(sql: Sql<'_>, DeliveryId(id): DeliveryId) -> EngineResult<Option<Detail>> {
    let times = WallTimes::read(sql)?;
    // A damaged row is shown without the values that cannot be read.
    let mut attempts = sql.all(EARLIER_ATTEMPTS, [id], |row| Ok(read_attempt(row).ok()))?;
    let detail = sql.first(SHOW, [id], |row| {
        if row.get::<_, i64>("tries")? > 0 {
            attempts.push(read_attempt(row).ok());
        }
        let content = content_columns(row).or_else(|_| text_column(row, "content").map(Content::Text));
        Ok(Detail {
            listed: read_or_damaged(row)?,
            group_key: text_column(row, "group_key")?,
            recipients: recipients_columns(row).unwrap_or(Recipients::Nobody),
            content: content?,
            msgid: text_column(row, "msgid")?,
            invalid_recipients: text_column(row, "invalid_recipients")?,
            unconfirmed_since: optional_time_column(row, "unconfirmed_since").unwrap_or_default(),
            attempts: attempts.into_iter().flatten().collect(),
        })
    })?;
    Ok(detail.map(|detail| times.detail(detail)))
}

fn read_attempt(row: &Row<'_>) -> EngineResult<Attempt> {
    Ok(Attempt {
        started_at: time_column(row, "started_at")?,
        duration: duration(row.get("ms")?),
        errcode: row.get("errcode")?,
        detail: text_column(row, "detail")?,
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
    page::add_discarded(&mut depths, discarded);
    Ok(depths)
}
