//! The outbox as the overview shows it. It is read at most once a second for all readers together.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::{
    clock::Clock,
    outbox::{
        Depth, Filter, Hold, ListOrder, Listed, Outbox, OutboxSize, PageRequest, State, StoreError,
        StoreResult,
    },
};

/// A snapshot is at least this old before another one is read.
const FRESH: Duration = Duration::from_secs(1);
/// Reading takes at most one part of this many of the time, also with a very long queue.
const SHARE: u32 = 10;
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Dead letters of this time need a person.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// The largest number of dead letters that are grouped.
pub(super) const MAX_DEAD: u32 = 500;
/// The latest deliveries, which show when each sender and receiver was last in use.
const LATEST: u32 = 500;

/// The outbox at one moment. Times are wall-clock times.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) depths: Vec<Depth>,
    pub(super) holds: Vec<Hold>,
    pub(super) size: OutboxSize,
    /// The dead letters of the last day, the latest first.
    pub(super) dead: Vec<Listed>,
    /// The latest deliveries, the latest first.
    pub(super) latest: Vec<Listed>,
}

/// The last snapshot. Readers that ask at the same time share one.
#[derive(Debug, Default)]
pub(super) struct Snapshots(Mutex<Option<Taken>>);

#[derive(Debug, Clone)]
struct Taken {
    ended: Instant,
    /// The time for which it is used.
    stays: Duration,
    result: Result<Arc<Snapshot>, StoreError>,
}

impl Snapshots {
    /// # Errors
    /// The outbox does not answer.
    pub(super) async fn read<O: Outbox>(
        &self,
        outbox: &O,
        clock: &dyn Clock,
    ) -> Result<Arc<Snapshot>, StoreError> {
        let mut last = self.0.lock().await;
        if let Some(taken) = last.as_ref()
            && taken.ended.elapsed() < taken.stays
        {
            return taken.result.clone();
        }
        let began = Instant::now();
        let result = match timeout(TIME_LIMIT, take(outbox, clock)).await {
            Ok(result) => result.map(Arc::new),
            Err(_elapsed) => {
                Err(StoreError::Unavailable(format!("no answer within {} s", TIME_LIMIT.as_secs())))
            }
        };
        let ended = Instant::now();
        let stays = match &result {
            Ok(_) => FRESH.max(ended.duration_since(began).saturating_mul(SHARE)),
            Err(_) => FRESH,
        };
        *last = Some(Taken { ended, stays, result: result.clone() });
        result
    }

    /// Forgets the snapshot, because a reader has changed something.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

async fn take<O: Outbox>(outbox: &O, clock: &dyn Clock) -> StoreResult<Snapshot> {
    let now = clock.wall_time(clock.now());
    let mut depths = outbox.depths().await?;
    for depth in &mut depths {
        depth.oldest_accepted_at = depth.oldest_accepted_at.map(|at| clock.wall_time(at));
    }
    let mut holds = outbox.holds().await?;
    for hold in &mut holds {
        hold.since = clock.wall_time(hold.since);
        hold.next_probe_at = clock.wall_time(hold.next_probe_at);
    }
    let is_dead = Filter { states: vec![State::Dead], ..Filter::default() };
    let dead = newest(outbox, is_dead, MAX_DEAD).await?;
    let recent: Timestamp = now - RECENT;
    let dead = dead.into_iter().filter(|one| one.settled_at.is_some_and(|at| at >= recent)).collect();
    let latest = newest(outbox, Filter::default(), LATEST).await?;
    Ok(Snapshot { depths, holds, size: outbox.size().await?, dead, latest })
}

async fn newest<O: Outbox>(outbox: &O, filter: Filter, limit: u32) -> StoreResult<Vec<Listed>> {
    let page = PageRequest { order: ListOrder::NewestFirst, after: None, limit };
    Ok(outbox.list(filter, page).await?.deliveries)
}
