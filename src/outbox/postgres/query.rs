//! The queries of operators. They run on a session of their own, and each looks at a bounded number of rows.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    columns::{
        column, content, count, kind, limit, millis, number, optional_time, part, recipients, state, status,
        time,
    },
    error::EngineResult,
    relay_time::WallTimes,
    session::{Param, Transaction},
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
             attempts, part_number, part_of, digest, summary, coalesce(reason, attempt_detail, '') AS reason",
            $rest
        )
    };
}
// The states are the bits of $3.
const PAGE: &str = listed!(
    " FROM wecom_relay.delivery WHERE {source} AND id >= $1 AND id <= $2 AND ($3::bigint >> state) & 1 = 1
     AND ($4::text IS NULL OR receiver = $4) AND ($5::bigint IS NULL OR accepted_at < $5)
     AND ($6::bigint IS NULL OR accepted_at >= $6) AND ($7::bigint IS NULL OR digest = $7)
     AND ($9::text IS NULL OR sender = $9) AND ($10::bigint IS NULL OR kind = $10)
     AND ($11::text IS NULL OR group_key = $11) {words}
     ORDER BY id {direction} LIMIT $8"
);
const WINDOW_END: &str = "SELECT id FROM wecom_relay.delivery WHERE {source} AND id {comparison} $1
     ORDER BY id {direction} LIMIT 1 OFFSET $2";
pub(super) const SHOW: &str = listed!(
    ", group_key, to_users, to_parties, to_tags, msgtype, content, coalesce(msgid, '') AS msgid,
     coalesce(invalid_recipients, '') AS invalid_recipients, unconfirmed_since, tries, attempt_started_at AS started_at,
     attempt_ms AS ms, attempt_errcode AS errcode, attempt_counted AS counted, attempt_detail AS detail
     FROM wecom_relay.delivery WHERE id = $1"
);
pub(super) const EARLIER_ATTEMPTS: &str = "SELECT started_at, ms, errcode, counted, detail
     FROM wecom_relay.attempt WHERE delivery = $1 ORDER BY n";
pub(super) const DEPTHS: &str = "SELECT o.sender, o.receiver, o.deliveries,
         (SELECT accepted_at FROM wecom_relay.delivery d WHERE d.id = o.oldest) AS accepted_at
     FROM (SELECT sender, receiver, count(*) AS deliveries, min(id) AS oldest FROM wecom_relay.delivery
           WHERE settled_at IS NULL GROUP BY sender, receiver) o";
pub(super) const DISCARDED: &str =
    "SELECT sender, receiver, deliveries FROM wecom_relay.discarded ORDER BY sender, receiver";

const CONSOLE_SECRET: &str = "SELECT secret FROM wecom_relay.console WHERE id = 1";

/// The statement that reads a page of deliveries with the words of `filter`.
pub(super) fn page_statement(filter: &Filter, order: ListOrder) -> String {
    const FIXED_PARAMETERS: usize = 11;
    let text = page::searched_columns(filter).join(" || E'\\n' || ");
    // With another collation, other letters than those of ASCII would become lower case too.
    let word = |number: usize| {
        let number = number + FIXED_PARAMETERS;
        format!("AND strpos(lower(({text}) COLLATE \"C\"), ${number}::text) > 0")
    };
    let words: Vec<String> = (1..=filter.words.len()).map(word).collect();
    let page = PAGE
        .replace("{source}", condition(Source::of(filter)))
        .replace("{direction}", page::direction(order));
    page.replace("{words}", &words.join(" "))
}

/// The statement that finds the last delivery that a call looks at.
pub(super) fn window_statement(source: Source, order: ListOrder) -> String {
    let window =
        WINDOW_END.replace("{source}", condition(source)).replace("{direction}", page::direction(order));
    window.replace("{comparison}", page::comparison(order))
}

fn condition(source: Source) -> &'static str {
    match source {
        Source::All => "true",
        Source::Dead => "state = 5",
        Source::Digest => "digest = $7",
    }
}

pub(super) async fn list(tx: &Transaction<'_>, filter: &Filter, request: &PageRequest) -> EngineResult<Page> {
    let times = WallTimes::read(tx).await?;
    let filter = &times.filter(filter);
    let (order, source) = (request.order, Source::of(filter));
    let end: Option<i64> = match source {
        Source::All | Source::Dead => {
            let window: [Param<'_>; 2] = [&page::start(request), &limit(page::window(filter) - 1)];
            tx.first(&window_statement(source, order), &window, |row| column(row, "id")).await?
        }
        Source::Digest => None,
    };
    let ids = page::ids(request, end);
    let words = page::words(filter);
    let states = page::state_bits(filter);
    let receiver = filter.receiver.as_ref().map(|receiver| receiver.0.as_str());
    let (before, since) = (filter.accepted_before.map(millis), filter.accepted_since.map(millis));
    let (digest, limit) = (filter.digest.map(|digest| digest.0), limit(request.limit));
    let sender = filter.sender.as_ref().map(|sender| sender.0.as_str());
    let kind = filter.kind.map(stored::kind_number);
    let fixed: [Param<'_>; 11] = [
        ids.start(),
        ids.end(),
        &states,
        &receiver,
        &before,
        &since,
        &digest,
        &limit,
        &sender,
        &kind,
        &filter.group_key,
    ];
    let params: Vec<Param<'_>> =
        fixed.into_iter().chain(words.iter().map(|word| word as Param<'_>)).collect();
    let read = |row: &Row| Ok(times.listed(read_or_damaged(row)?));
    let deliveries = tx.all(&page_statement(filter, order), &params, read).await?;
    Ok(page::page(request, deliveries, end))
}

pub(super) async fn console_secret(tx: &Transaction<'_>) -> EngineResult<Secret> {
    tx.only(CONSOLE_SECRET, &[], |row| Ok(Secret::new(column::<String>(row, "secret")?))).await
}

fn read_listed(row: &Row) -> EngineResult<Listed> {
    let state = state(row)?;
    let due_at = time(row, "due_at")?;
    Ok(Listed {
        id: DeliveryId(column(row, "id")?),
        notification: NotificationId(column(row, "notification")?),
        kind: kind(row)?,
        state,
        receiver: ReceiverName(column(row, "receiver")?),
        sender: SenderName(column(row, "sender")?),
        status: status(row)?,
        accepted_at: time(row, "accepted_at")?,
        due_at: (state == State::Ready).then_some(due_at),
        settled_at: optional_time(row, "settled_at")?,
        recalled_at: optional_time(row, "recalled_at")?,
        attempts: number(row, "attempts")?,
        part: part(row)?,
        digest: column::<Option<i64>>(row, "digest")?.map(DeliveryId),
        summary: column(row, "summary")?,
        reason: column(row, "reason")?,
    })
}

/// The readable values of a row, with the damage as its reason if there is any.
fn read_or_damaged(row: &Row) -> EngineResult<Listed> {
    let damage = match read_listed(row) {
        Err(error) if error.is_unreadable_row() => error.reason(),
        read => return read,
    };
    Ok(Listed {
        id: DeliveryId(column(row, "id")?),
        notification: NotificationId(column(row, "notification")?),
        kind: kind(row).unwrap_or(Kind::Alert),
        state: state(row)?,
        receiver: ReceiverName(column(row, "receiver")?),
        sender: SenderName(column(row, "sender")?),
        status: status(row).unwrap_or(Status::Firing),
        accepted_at: time(row, "accepted_at").unwrap_or(Timestamp::UNIX_EPOCH),
        due_at: None,
        settled_at: optional_time(row, "settled_at").unwrap_or_default(),
        recalled_at: optional_time(row, "recalled_at").unwrap_or_default(),
        attempts: number(row, "attempts").unwrap_or_default(),
        part: part(row)?,
        digest: column::<Option<i64>>(row, "digest")?.map(DeliveryId),
        summary: column(row, "summary")?,
        reason: damage,
    })
}

pub(super) async fn show(tx: &Transaction<'_>, DeliveryId(id): DeliveryId) -> EngineResult<Option<Detail>> {
    let times = WallTimes::read(tx).await?;
    // A damaged row is shown without the values that cannot be read.
    let mut attempts = tx.all(EARLIER_ATTEMPTS, &[&id], |row| Ok(read_attempt(row).ok())).await?;
    let detail = tx
        .first(SHOW, &[&id], |row| {
            if column::<i32>(row, "tries")? > 0 {
                attempts.push(read_attempt(row).ok());
            }
            Ok(Detail {
                listed: read_or_damaged(row)?,
                group_key: column(row, "group_key")?,
                recipients: recipients(row).unwrap_or(Recipients::Nobody),
                content: content(row).or_else(|_| column(row, "content").map(Content::Text))?,
                msgid: column(row, "msgid")?,
                invalid_recipients: column(row, "invalid_recipients")?,
                unconfirmed_since: optional_time(row, "unconfirmed_since").unwrap_or_default(),
                attempts: attempts.into_iter().flatten().collect(),
            })
        })
        .await?;
    Ok(detail.map(|detail| times.detail(detail)))
}

fn read_attempt(row: &Row) -> EngineResult<Attempt> {
    Ok(Attempt {
        started_at: time(row, "started_at")?,
        duration: stored::duration(column(row, "ms")?),
        errcode: column(row, "errcode")?,
        detail: column(row, "detail")?,
        counted: column(row, "counted")?,
    })
}

pub(super) async fn depths(tx: &Transaction<'_>) -> EngineResult<Vec<Depth>> {
    let mut depths = tx
        .all(DEPTHS, &[], |row| {
            Ok(Depth {
                sender: SenderName(column(row, "sender")?),
                receiver: ReceiverName(column(row, "receiver")?),
                deliveries: count(row, "deliveries")?,
                oldest_accepted_at: optional_time(row, "accepted_at")?,
                discarded: 0,
            })
        })
        .await?;
    let discarded = tx
        .all(DISCARDED, &[], |row| {
            Ok(Depth {
                sender: SenderName(column(row, "sender")?),
                receiver: ReceiverName(column(row, "receiver")?),
                deliveries: 0,
                oldest_accepted_at: None,
                discarded: count(row, "deliveries")?,
            })
        })
        .await?;
    page::add_discarded(&mut depths, discarded);
    Ok(depths)
}
