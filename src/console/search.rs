//! Finds messages, newest first. One call looks at a bounded part of the outbox, and says how far it looked.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{filter::UrlFilter, reader::Reader, state::ConsoleState};
use crate::outbox::{DeliveryId, ListOrder, Listed, OutboxQuery, Page, PageRequest, StoreResult};

/// The time for one search. Each page of the outbox takes at most some ten milliseconds.
const TIME_LIMIT: Duration = Duration::from_millis(250);
/// The pages of the outbox for one search.
const MAX_PAGES: usize = 5;
/// The same for a search of texts, whose pages are smaller.
const MAX_CONTENT_PAGES: usize = 25;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Found {
    pub(super) listed: Vec<Listed>,
    /// The start of the next search.
    pub(super) next: Option<DeliveryId>,
    /// The acceptance of the last message that was looked at, if the search stopped before it had enough.
    pub(super) searched_back: Option<Timestamp>,
}

/// Up to `limit` messages before `after`.
pub(super) async fn search<O: OutboxQuery>(
    state: &ConsoleState<O>,
    reader: &Reader,
    wanted: &UrlFilter,
    after: Option<DeliveryId>,
    limit: u32,
) -> StoreResult<Found> {
    let found = find(&state.outbox, wanted, after, limit);
    // Only these read every message.
    if wanted.filter.words.is_empty() && wanted.filter.group_key.is_none() {
        return found.await;
    }
    state.searches.run(&reader.key, found).await
}

async fn find(
    outbox: &impl OutboxQuery,
    wanted: &UrlFilter,
    after: Option<DeliveryId>,
    limit: u32,
) -> StoreResult<Found> {
    if let Some(id) = wanted.id {
        let listed = outbox.show(id).await?.map(|detail| detail.listed);
        return Ok(Found { listed: listed.into_iter().collect(), ..Found::default() });
    }
    let (began, wanted_count) = (Instant::now(), limit as usize);
    let mut found = Found { next: after, ..Found::default() };
    let max_pages = if wanted.filter.in_content { MAX_CONTENT_PAGES } else { MAX_PAGES };
    for _ in 0..max_pages {
        let left = limit.saturating_sub(u32::try_from(found.listed.len()).unwrap_or(u32::MAX));
        let request = PageRequest { order: ListOrder::NewestFirst, after: found.next, limit: left };
        let Page { deliveries, next } = outbox.list(wanted.filter.clone(), request).await?;
        found.listed.extend(deliveries);
        found.next = next;
        if next.is_none() || found.listed.len() >= wanted_count {
            return Ok(found);
        }
        if began.elapsed() > TIME_LIMIT {
            break;
        }
    }
    if let Some(last) = found.next {
        found.searched_back = outbox.show(last).await?.map(|detail| detail.listed.accepted_at);
    }
    Ok(found)
}
