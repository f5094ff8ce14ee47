//! `wecom-relay outbox list`: page by page, so that any backlog can be listed.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;

use super::{
    json,
    text::{Columns, age},
};
use crate::{
    cli::{Failure, output::Output},
    config,
    delivery::step::earlier,
    outbox::{DeliveryId, Filter, Listed, OutboxQuery, ReceiverName, State},
    text::{printable, shorten_columns},
};

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those in this state; may be given several times
    #[arg(long, value_name = "STATE", value_parser = states())]
    state: Vec<State>,
    /// Only those of this receiver
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// Only those accepted longer ago than this, as in 10m or 1h30m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Option<Duration>,
    /// Only those accepted within this time
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    newer_than: Option<Duration>,
    /// Only those that this digest tells
    #[arg(long, value_name = "ID")]
    digest: Option<i64>,
    /// At most so many
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print one JSON object a line, with all fields
    #[arg(long)]
    json: bool,
}

/// How many are read at a time: little memory, and a daemon beside it never waits long.
const PAGE: u32 = 500;
const SUMMARY_COLUMNS: usize = 72;
const REASON_COLUMNS: usize = 120;
const HEAD: [&str; 6] = ["ID", "STATE", "RECEIVER", "AGE", "ATTEMPTS", "PART"];

pub(super) async fn run(
    args: &Args,
    outbox: &impl OutboxQuery,
    now: Timestamp,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut filter = Filter {
        states: args.state.clone(),
        receiver: args.receiver.clone().map(ReceiverName),
        accepted_before: args.older_than.map(|age| earlier(now, age)),
        accepted_since: args.newer_than.map(|age| earlier(now, age)),
        digest: args.digest.map(DeliveryId),
        after: None,
        limit: 0,
    };
    let mut left = args.limit.unwrap_or(u32::MAX);
    let mut columns = Columns::default();
    let head = HEAD.map(str::to_owned);
    columns.widen(&head);
    let mut headed = args.json;
    while left > 0 {
        filter.limit = PAGE.min(left);
        let page = outbox.list(filter.clone()).await?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.id);
        let count = u32::try_from(page.len()).unwrap_or(u32::MAX);
        if args.json {
            for listed in &page {
                output.line(&serde_json::to_string(&json::Listed::from(listed))?)?;
            }
        } else {
            let rows: Vec<_> = page.iter().map(|listed| (cells(listed, now), rest(listed))).collect();
            rows.iter().for_each(|(row, _)| columns.widen(row));
            if !headed {
                output.line(&columns.line(&head, "SUMMARY"))?;
                headed = true;
            }
            for (row, rest) in &rows {
                output.line(&columns.line(row, rest))?;
            }
        }
        left = left.saturating_sub(count);
        if count < filter.limit {
            break;
        }
    }
    if !headed {
        let is_whole = filter.states.is_empty()
            && (&filter.receiver, filter.accepted_before, filter.accepted_since, filter.digest)
                == (&None, None, None, None);
        output.error(if is_whole { "the outbox is empty" } else { "no delivery is like that" });
    }
    Ok(())
}

fn cells(listed: &Listed, now: Timestamp) -> [String; 6] {
    [
        listed.id.to_string(),
        listed.state.name().to_owned(),
        printable(&listed.receiver.0),
        age(now, listed.accepted_at),
        listed.attempts.to_string(),
        format!("{}/{}", listed.part.number, listed.part.of),
    ]
}

/// What it is, and why it is where it is.
fn rest(listed: &Listed) -> String {
    let mut rest = shorten_columns(&printable(&listed.summary), SUMMARY_COLUMNS).into_owned();
    if let Some(digest) = listed.digest {
        rest.push_str(&format!(" — told by digest {digest}"));
    }
    if !listed.reason.is_empty() {
        rest.push_str(&format!(" — {}", shorten_columns(&printable(&listed.reason), REASON_COLUMNS)));
    }
    rest
}

fn states() -> impl TypedValueParser<Value = State> {
    let named = |name: String| State::ALL.into_iter().find(|state| state.name() == name);
    PossibleValuesParser::new(State::ALL.map(State::name))
        .try_map(move |name| named(name).ok_or("there is no such state"))
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    config::parse_duration(text).ok_or("write it as 500ms, 90s, 10m, 1h30m, 7d or 1w")
}
