//! Pages of a list of deliveries: the rows that one call may look at, and the start of the next page.

use std::ops::RangeInclusive;

use crate::outbox::{DeliveryId, Depth, Filter, ListOrder, Listed, Page, PageRequest, State, rules::stored};

/// The largest number of rows that one call looks at, except among the members of a digest.
const WINDOW: u32 = 20_000;
/// The same if it reads the content of each row.
const CONTENT_WINDOW: u32 = 4_000;

/// The index that finds the deliveries of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The primary key.
    All,
    /// The dead letters. As with all deliveries, few of many may match, so a call has a window.
    Dead,
    /// The members of one digest, which are few.
    Digest,
}

impl Source {
    pub fn of(filter: &Filter) -> Self {
        match filter.digest {
            Some(_) => Self::Digest,
            None if filter.states == [State::Dead] => Self::Dead,
            None => Self::All,
        }
    }
}

/// The direction of an order in SQL.
pub fn direction(order: ListOrder) -> &'static str {
    if order == ListOrder::OldestFirst { "ASC" } else { "DESC" }
}

/// The SQL operator between the ids of a page and their first one.
pub fn comparison(order: ListOrder) -> &'static str {
    if order == ListOrder::OldestFirst { ">=" } else { "<=" }
}

/// The states of a filter as bits.
pub fn state_bits(filter: &Filter) -> i64 {
    let states = if filter.states.is_empty() { &State::ALL[..] } else { &filter.states };
    states.iter().fold(0, |bits, state| bits | 1 << stored::state_number(*state))
}

/// The words of a filter in the form in which they are compared.
pub fn words(filter: &Filter) -> Vec<String> {
    filter.words.iter().map(|word| word.to_ascii_lowercase()).collect()
}

/// The number of rows that a call with this filter looks at.
pub fn window(filter: &Filter) -> u32 {
    if filter.in_content { CONTENT_WINDOW } else { WINDOW }
}

/// The columns that words are looked for in. The content of a card update has a response code, which is a secret, so nobody
/// may find out by searches what it is.
pub fn searched_columns(filter: &Filter) -> &'static [&'static str] {
    const CONTENT: &str = "CASE WHEN msgtype = 'card_update' THEN '' ELSE content END";
    if filter.in_content { &["summary", "group_key", CONTENT] } else { &["summary", "group_key"] }
}

/// The first id that a call looks at.
pub fn start(page: &PageRequest) -> i64 {
    let (step, first) = match page.order {
        ListOrder::OldestFirst => (1, i64::MIN),
        ListOrder::NewestFirst => (-1, i64::MAX),
    };
    page.after.map_or(first, |DeliveryId(after)| after.saturating_add(step))
}

/// The ids that a call looks at. `end` is the last row of its window; `None` if fewer rows are left, or without a window.
pub fn ids(page: &PageRequest, end: Option<i64>) -> RangeInclusive<i64> {
    let start = start(page);
    match page.order {
        ListOrder::OldestFirst => start..=end.unwrap_or(i64::MAX),
        ListOrder::NewestFirst => end.unwrap_or(i64::MIN)..=start,
    }
}

/// The page of the deliveries that were found in [`ids`].
pub fn page(request: &PageRequest, deliveries: Vec<Listed>, end: Option<i64>) -> Page {
    let is_full = deliveries.len() >= request.limit as usize;
    let next = if is_full { deliveries.last().map(|listed| listed.id) } else { end.map(DeliveryId) };
    Page { deliveries, next }
}

/// Adds the numbers of discarded deliveries to the depths of the same sender and receiver.
pub fn add_discarded(depths: &mut Vec<Depth>, discarded: Vec<Depth>) {
    for other in discarded {
        let same = |depth: &&mut Depth| depth.sender == other.sender && depth.receiver == other.receiver;
        match depths.iter_mut().find(same) {
            Some(depth) => depth.discarded = other.discarded,
            None => depths.push(other),
        }
    }
}
