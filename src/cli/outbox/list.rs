//! `wecom-relay outbox list`: the newest deliveries first. It reads page by page, so that a backlog of any size can be
//! listed.

use std::{io, time::Duration};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::{Timestamp, tz::TimeZone};

use super::text::{Columns, age, fitted};
use crate::{
    cli::{failure::Failure, output::Output},
    config,
    delivery::decide::earlier,
    outbox::{
        DeliveryId, Filter, ListOrder, Listed, ListedJson, OutboxQuery, Page, PageRequest, ReceiverName,
        State,
    },
    text::{printable, shorten_columns},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// List deliveries in this state; can be repeated
    #[arg(long, value_name = "STATE", value_parser = states())]
    state: Vec<State>,
    /// List deliveries of this receiver
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// List deliveries accepted longer ago than this, such as 10m or 1h30m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Option<Duration>,
    /// List deliveries accepted within this time
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    newer_than: Option<Duration>,
    /// List deliveries folded into this digest
    #[arg(long, value_name = "ID")]
    digest: Option<i64>,
    /// List at most this many deliveries, the newest first [default: 50; with --json all]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print one JSON object per line, with all fields
    #[arg(long)]
    json: bool,
}

/// The deliveries of one query. A page uses little memory, and a running relay never waits long for the lock.
const PAGE_SIZE: u32 = 500;
/// The deliveries that a person wants to see without asking for more.
const DEFAULT_LIMIT: u32 = 50;
const SUMMARY_COLUMNS: usize = 72;
const REASON_COLUMNS: usize = 80;
const HEADER: [&str; 6] = ["ID", "STATE", "RECEIVER", "AGE", "ATTEMPTS", "PART"];

pub(super) async fn run(
    args: &Args,
    outbox: &impl OutboxQuery,
    now: Timestamp,
    output: &mut Output,
) -> Result<(), Failure> {
    let filter = Filter {
        states: args.state.clone(),
        receiver: args.receiver.clone().map(ReceiverName),
        accepted_before: args.older_than.map(|age| earlier(now, age)),
        accepted_since: args.newer_than.map(|age| earlier(now, age)),
        digest: args.digest.map(DeliveryId),
        ..Filter::default()
    };
    let limit = args.limit.unwrap_or(if args.json { u32::MAX } else { DEFAULT_LIMIT });
    let zone = TimeZone::system();
    let mut table = Table::default();
    let mut after = None;
    let mut count = 0;
    while count < limit {
        let request =
            PageRequest { order: ListOrder::NewestFirst, after, limit: PAGE_SIZE.min(limit - count) };
        let Page { deliveries, next } = outbox.list(filter.clone(), request).await?;
        if args.json {
            for listed in &deliveries {
                output.line(&serde_json::to_string(&ListedJson::new(listed, &zone))?)?;
            }
        } else {
            table.print(&deliveries, now, output)?;
        }
        count = count.saturating_add(u32::try_from(deliveries.len()).unwrap_or(u32::MAX));
        after = next;
        if after.is_none() {
            break;
        }
    }
    if after.is_some() && args.limit.is_none() {
        output.error(&format!(
            "these are the newest {limit}; see more with --limit, or fewer with --state dead"
        ));
    }
    if count == 0 && !args.json {
        output.error(if filter != Filter::default() { "no delivery matches" } else { "the outbox is empty" });
    }
    Ok(())
}

/// Prints deliveries page by page, below one header. A later page may be wider, because its rows are not known before.
#[derive(Default)]
struct Table {
    columns: Columns<6>,
    has_header: bool,
}

impl Table {
    fn print(&mut self, deliveries: &[Listed], now: Timestamp, output: &mut Output) -> io::Result<()> {
        let header = HEADER.map(str::to_owned);
        self.columns.widen(&header);
        let rows: Vec<[String; 6]> = deliveries.iter().map(|listed| cells(listed, now)).collect();
        for row in &rows {
            self.columns.widen(row);
        }
        if !self.has_header && !rows.is_empty() {
            output.line(&fitted(&self.columns.line(&header, "SUMMARY")))?;
            self.has_header = true;
        }
        for (row, listed) in rows.iter().zip(deliveries) {
            output.line(&fitted(&self.columns.line(row, &summary(listed))))?;
        }
        Ok(())
    }
}

fn cells(listed: &Listed, now: Timestamp) -> [String; 6] {
    [
        listed.id.to_string(),
        listed.state.name().to_owned(),
        printable(&listed.receiver.0),
        age(now, listed.accepted_at),
        listed.attempts.to_string(),
        format!("{}/{}", listed.part.number, listed.part.total),
    ]
}

/// The summary of the message, its digest, its recall, and the reason of a state that a person may want to change.
fn summary(listed: &Listed) -> String {
    let mut summary = shorten_columns(&printable(&listed.summary), SUMMARY_COLUMNS).into_owned();
    if let Some(digest) = listed.digest {
        summary.push_str(&format!(" — folded into digest {digest}"));
    }
    if listed.recalled_at.is_some() {
        summary.push_str(" — recalled");
    }
    let needs_reason = listed.state != State::Delivered && listed.digest.is_none();
    if needs_reason && !listed.reason.is_empty() {
        summary.push_str(&format!(" — {}", shorten_columns(&printable(&listed.reason), REASON_COLUMNS)));
    }
    summary
}

fn states() -> impl TypedValueParser<Value = State> {
    let state_of = |name: String| State::ALL.into_iter().find(|state| state.name() == name);
    PossibleValuesParser::new(State::ALL.map(State::name))
        .try_map(move |name| state_of(name).ok_or("there is no such state"))
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    config::parse_duration(text).ok_or("write a duration such as 500ms, 90s, 10m, 1h30m, 7d or 1w")
}
