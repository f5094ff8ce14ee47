//! Changes of all dead letters that a filter selects, if their number is the one that a person has seen.

use jiff::Timestamp;

use super::filter::UrlFilter;
use crate::outbox::{
    Changed, DeliveryId, Detail, Kind, ListOrder, OutboxQuery, Page, PageRequest, Requeue, State, StoreError,
};

/// The largest number of deliveries that one change covers.
pub(super) const MAX_CHANGED: usize = 10_000;
const PAGE_SIZE: u32 = 500;

/// The changes of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Requeue,
    Discard,
}

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Requeue => "requeue",
            Self::Discard => "discard",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Requeue, Self::Discard].into_iter().find(|action| action.name() == text)
    }

    pub(super) async fn apply(
        self,
        outbox: &impl OutboxQuery,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        match self {
            Self::Requeue => outbox.requeue(Requeue::One(id), now).await,
            Self::Discard => outbox.discard(id, now).await,
        }
    }
}

/// The reason why not all were changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BulkError {
    /// Only dead letters are changed together.
    OnlyDead,
    TooMany,
    /// There are this many now.
    Count(usize),
    /// The outbox failed after this number of changes.
    Store {
        changed: usize,
        error: StoreError,
    },
}

impl From<StoreError> for BulkError {
    fn from(error: StoreError) -> Self {
        Self::Store { changed: 0, error }
    }
}

/// The dead letters of a filter, oldest first. Digests are left out, because their members are dead letters too.
pub(super) async fn selected(
    outbox: &impl OutboxQuery,
    wanted: &UrlFilter,
) -> Result<Vec<DeliveryId>, BulkError> {
    if wanted.filter.states != [State::Dead] || wanted.id.is_some() {
        return Err(BulkError::OnlyDead);
    }
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let request = PageRequest { order: ListOrder::OldestFirst, after, limit: PAGE_SIZE };
        let Page { deliveries, next } = outbox.list(wanted.filter.clone(), request).await?;
        ids.extend(deliveries.iter().filter(|one| one.kind != Kind::Digest).map(|one| one.id));
        if ids.len() > MAX_CHANGED {
            return Err(BulkError::TooMany);
        }
        after = next;
        if after.is_none() {
            return Ok(ids);
        }
    }
}

/// Changes the dead letters of a filter, if there are `expected` of them, and counts them in `changed`. Letters that
/// somebody else has changed meanwhile stay as they are.
pub(super) async fn change(
    outbox: &impl OutboxQuery,
    wanted: &UrlFilter,
    expected: usize,
    action: Action,
    now: Timestamp,
    changed: &mut usize,
) -> Result<(), BulkError> {
    let ids = selected(outbox, wanted).await?;
    if ids.len() != expected {
        return Err(BulkError::Count(ids.len()));
    }
    for id in ids {
        let failed = |error| BulkError::Store { changed: *changed, error };
        let is_dead = |detail: &Detail| detail.listed.state == State::Dead;
        if !outbox.show(id).await.map_err(failed)?.as_ref().is_some_and(is_dead) {
            continue;
        }
        if let Changed::Deliveries(_) = action.apply(outbox, id, now).await.map_err(failed)? {
            *changed += 1;
        }
    }
    Ok(())
}
