//! Changes of all messages that a filter selects, if their number is the one that a person has seen.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::filter::UrlFilter;
use crate::outbox::{
    Changed, DeliveryId, Detail, Kind, ListOrder, Listed, OutboxQuery, Page, PageRequest, ReceiverName,
    Requeue, State, StoreError,
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

    /// True if it changes a delivery in this state.
    pub(super) fn changes(self, state: State) -> bool {
        match self {
            Self::Requeue => matches!(state, State::Ready | State::Dead | State::Discarded),
            Self::Discard => matches!(state, State::Queued | State::Ready | State::Dead),
        }
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
    /// The filter has no state, or one that the change does not allow.
    States(Action),
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

/// The deliveries that a change is about, oldest first.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub(super) ids: Vec<DeliveryId>,
    pub(super) receivers: BTreeSet<ReceiverName>,
}

/// True if `action` may change all messages of the filter together.
pub(super) fn is_allowed(wanted: &UrlFilter, action: Action) -> bool {
    let states = &wanted.filter.states;
    !states.is_empty() && states.iter().all(|state| action.changes(*state)) && wanted.id.is_none()
}

/// The deliveries of a filter.
pub(super) async fn selected(
    outbox: &impl OutboxQuery,
    wanted: &UrlFilter,
    action: Action,
) -> Result<Selected, BulkError> {
    if !is_allowed(wanted, action) {
        return Err(BulkError::States(action));
    }
    let mut selected = Selected::default();
    let mut after = None;
    loop {
        let request = PageRequest { order: ListOrder::OldestFirst, after, limit: PAGE_SIZE };
        let Page { deliveries, next } = outbox.list(wanted.filter.clone(), request).await?;
        for one in deliveries.into_iter().filter(is_changed_itself) {
            selected.ids.push(one.id);
            selected.receivers.insert(one.receiver);
        }
        if selected.ids.len() > MAX_CHANGED {
            return Err(BulkError::TooMany);
        }
        after = next;
        if after.is_none() {
            return Ok(selected);
        }
    }
}

/// The members of a dead digest are dead letters too, and are changed in its place.
fn is_changed_itself(listed: &Listed) -> bool {
    listed.kind != Kind::Digest || listed.state != State::Dead
}

/// Changes the deliveries of a filter, if there are `expected` of them, and counts them in `changed`. Those that somebody
/// else has changed meanwhile stay as they are.
pub(super) async fn change(
    outbox: &impl OutboxQuery,
    wanted: &UrlFilter,
    expected: usize,
    action: Action,
    now: Timestamp,
    changed: &mut usize,
) -> Result<(), BulkError> {
    let ids = selected(outbox, wanted, action).await?.ids;
    if ids.len() != expected {
        return Err(BulkError::Count(ids.len()));
    }
    for id in ids {
        let failed = |error| BulkError::Store { changed: *changed, error };
        let is_wanted = |detail: &Detail| wanted.filter.states.contains(&detail.listed.state);
        if !outbox.show(id).await.map_err(failed)?.as_ref().is_some_and(is_wanted) {
            continue;
        }
        if let Changed::Deliveries(_) = action.apply(outbox, id, now).await.map_err(failed)? {
            *changed += 1;
        }
    }
    Ok(())
}
