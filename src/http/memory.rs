//! The memory for bodies and for the values that are built from them.
//!
//! One limit, `server.max_memory`, has two parts:
//!
//! - *Buffers*, a quarter: bodies while they arrive. If they are in use, a request is rejected at once.
//! - *Work*, the rest: the payload, the values for templates, and the messages. A request reserves its share once, when
//!   its body is complete, and waits for it. So no request holds a part of the work memory while it waits for more.
//!
//! Large requests are handled one after the other, and leave some work memory free, so that small ones need not wait for a
//! large one. Free memory is given back to the system before another request may use it, and once more after a while, because
//! the memory of small requests adds up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::memory_cost::TEXT_COPIES;
use crate::{alertmanager::PayloadMemory, allocator};

/// The largest body; it holds some 80,000 alerts.
pub const MAX_BODY_BYTES: usize = 32 << 20;
/// The default of `server.max_memory`. It is enough for all alerts of the largest usual body.
pub const DEFAULT_MAX_MEMORY: usize = 384 << 20;
/// The least `server.max_memory`. The buffers hold a body of the largest size, compressed and unpacked.
pub const MIN_MAX_MEMORY: usize = 256 << 20;
/// The memory of the process beside `server.max_memory`.
pub const OTHER_MEMORY: usize = 64 << 20;

/// The unit in which memory is reserved.
const UNIT: usize = 4096;
/// Requests that need more are handled one after the other. They leave this much work memory to smaller ones.
const LARGE: usize = 32 << 20;
/// Free memory is given back at once when requests have released this much.
const GIVE_BACK: usize = 16 << 20;
/// Any free memory is given back this long after a request.
const GIVE_BACK_AFTER: Duration = Duration::from_secs(2);
/// The longest time that a request waits for memory.
const WAIT: Duration = Duration::from_secs(5);

/// A limit for the memory of all requests together. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    buffers: Pool,
    work: Pool,
    /// The turn of a large request.
    turn: Arc<Semaphore>,
    returns: Arc<Returns>,
}

/// The return of free memory to the system.
#[derive(Debug, Default)]
struct Returns {
    /// The memory that requests have released since the last return.
    released: AtomicUsize,
    is_planned: AtomicBool,
}

#[derive(Debug, Clone)]
struct Pool {
    free: Arc<Semaphore>,
    bytes: usize,
}

/// Memory that is reserved until the last clone is dropped.
#[derive(Debug, Clone, Default)]
pub struct Reservation(Option<Arc<WorkReservation>>);

#[derive(Debug)]
struct WorkReservation {
    bytes: usize,
    payload: PayloadMemory,
    returns: Arc<Returns>,
    permits: Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>,
}

/// Buffers whose size is not final.
#[derive(Debug)]
pub(super) struct GrowingReservation {
    budget: MemoryBudget,
    permit: Option<OwnedSemaphorePermit>,
    #[expect(dead_code, reason = "its drop plans a return, also for a body that is refused")]
    planned: PlannedReturn,
}

/// Plans a return of free memory when it is dropped.
#[derive(Debug)]
struct PlannedReturn(Arc<Returns>);

impl Drop for PlannedReturn {
    fn drop(&mut self) {
        if let Ok(runtime) = Handle::try_current() {
            Returns::plan(&self.0, &runtime);
        }
    }
}

/// The right of a large request to be handled. It is not part of its [`Reservation`], because a template that does not
/// end keeps that one.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "its drop ends the turn")] Option<OwnedSemaphorePermit>);

/// The reason why memory cannot be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemoryError {
    /// All buffers together are smaller.
    TooLarge,
    /// Other requests use it.
    InUse,
}

impl Pool {
    fn new(bytes: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes / UNIT)), bytes }
    }
}

impl MemoryBudget {
    pub fn new(bytes: usize) -> Self {
        let buffers = bytes / 4;
        Self {
            buffers: Pool::new(buffers),
            work: Pool::new(bytes - buffers),
            turn: Arc::new(Semaphore::new(1)),
            returns: Arc::default(),
        }
    }

    /// Empty buffers.
    pub(super) fn reserve(&self) -> GrowingReservation {
        let planned = PlannedReturn(Arc::clone(&self.returns));
        GrowingReservation { budget: self.clone(), permit: None, planned }
    }
}

impl Default for MemoryBudget {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_MEMORY)
    }
}

impl GrowingReservation {
    /// Reserves `bytes` of buffers in total; never less than before.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), MemoryError> {
        let buffers = &self.budget.buffers;
        if bytes > buffers.bytes {
            return Err(MemoryError::TooLarge);
        }
        let reserved = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = units(bytes).saturating_sub(u32::try_from(reserved).unwrap_or(u32::MAX));
        let more =
            Arc::clone(&buffers.free).try_acquire_many_owned(missing).map_err(|_| MemoryError::InUse)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }

    /// Waits for the work memory of a request. If it needs more than the limit, less is left for its values.
    pub(super) async fn with_work(
        self,
        texts: usize,
        values: usize,
    ) -> Result<(Reservation, Turn), MemoryError> {
        timeout(WAIT, self.wait_for_work(texts, values)).await.unwrap_or(Err(MemoryError::InUse))
    }

    async fn wait_for_work(self, texts: usize, values: usize) -> Result<(Reservation, Turn), MemoryError> {
        let MemoryBudget { work, turn, returns, .. } = self.budget;
        let most = work.bytes.saturating_sub(LARGE).max(work.bytes / 2);
        let bytes = texts.saturating_add(values).min(most);
        // The semaphores are never closed.
        let turn = match bytes > LARGE {
            true => Some(turn.acquire_owned().await.map_err(|_| MemoryError::InUse)?),
            false => None,
        };
        let permit = work.free.acquire_many_owned(units(bytes)).await.map_err(|_| MemoryError::InUse)?;
        // A body with very long texts still shows its first alerts.
        let values = bytes.saturating_sub(texts).max(bytes / 8);
        let payload = PayloadMemory { values, texts: texts.min(bytes) / TEXT_COPIES };
        let work = WorkReservation { bytes, payload, returns, permits: Some((permit, self.permit)) };
        Ok((Reservation(Some(Arc::new(work))), Turn(turn)))
    }
}

impl Reservation {
    /// The memory that the payload of the request may use.
    pub(super) fn payload(&self) -> PayloadMemory {
        self.0.as_ref().map_or(PayloadMemory::UNLIMITED, |work| work.payload)
    }

    /// The memory for another payload of the same request: this one, or as much again if a template that has not ended
    /// keeps this one. It does not wait, because the request already has memory.
    pub(super) fn for_another_payload(&self) -> Result<Self, MemoryError> {
        let Some(work) = &self.0 else { return Ok(self.clone()) };
        let Some((permit, _)) = work.permits.as_ref().filter(|_| Arc::strong_count(work) > 1) else {
            return Ok(self.clone());
        };
        let free = Arc::clone(permit.semaphore());
        let permit = free.try_acquire_many_owned(units(work.bytes)).map_err(|_| MemoryError::InUse)?;
        let (bytes, payload, returns) = (work.bytes, work.payload, Arc::clone(&work.returns));
        Ok(Self(Some(Arc::new(WorkReservation { bytes, payload, returns, permits: Some((permit, None)) }))))
    }
}

impl Drop for WorkReservation {
    fn drop(&mut self) {
        let permits = self.permits.take();
        let runtime = Handle::try_current();
        if let Ok(runtime) = &runtime {
            Returns::plan(&self.returns, runtime);
        }
        let released = self.returns.released.fetch_add(self.bytes, Ordering::AcqRel) + self.bytes;
        if released < GIVE_BACK {
            return;
        }
        self.returns.released.store(0, Ordering::Release);
        let give_back = move || {
            allocator::give_back();
            drop(permits);
        };
        match runtime {
            Ok(runtime) => drop(runtime.spawn_blocking(give_back)),
            Err(_) => give_back(),
        }
    }
}

impl Returns {
    /// Gives free memory back after a while. A stop need not wait for it.
    fn plan(returns: &Arc<Self>, runtime: &Handle) {
        if returns.is_planned.swap(true, Ordering::AcqRel) {
            return;
        }
        let returns = Arc::clone(returns);
        drop(runtime.spawn(async move {
            sleep(GIVE_BACK_AFTER).await;
            returns.is_planned.store(false, Ordering::Release);
            returns.released.store(0, Ordering::Release);
            drop(spawn_blocking(allocator::give_back));
        }));
    }
}

/// The number of permits for `bytes`.
fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_a_quarter_and_fail_at_once() {
        let budget = MemoryBudget::new(40 * UNIT);
        let mut reservation = budget.reserve();
        assert_eq!(reservation.grow_to(4 * UNIT), Ok(()));
        assert_eq!(reservation.grow_to(11 * UNIT), Err(MemoryError::TooLarge));
        assert_eq!(reservation.grow_to(10 * UNIT), Ok(()));
        assert_eq!(budget.reserve().grow_to(UNIT), Err(MemoryError::InUse));
        drop(reservation);
        assert_eq!(budget.reserve().grow_to(10 * UNIT), Ok(()));
    }

    async fn work(
        budget: &MemoryBudget,
        texts: usize,
        values: usize,
    ) -> Result<(Reservation, Turn), MemoryError> {
        budget.reserve().with_work(texts, values).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_over_the_limit_has_less_memory_for_values() {
        let budget = MemoryBudget::new(80 * UNIT);
        let (half, _turn) = work(&budget, 10 * UNIT, usize::MAX).await.unwrap();
        assert_eq!(half.payload(), PayloadMemory { values: 20 * UNIT, texts: 2 * UNIT });
        let (_other_half, _turn) = work(&budget, 10 * UNIT, usize::MAX).await.unwrap();
        assert_eq!(work(&budget, 1, 0).await.err(), Some(MemoryError::InUse));
        let (waited, ()) = tokio::join!(work(&budget, UNIT, 7), async { drop(half) });
        assert_eq!(waited.unwrap().0.payload().values, UNIT / 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_payload_that_is_kept_needs_memory_of_its_own() {
        let budget = MemoryBudget::new(8 * UNIT);
        let (first, _turn) = work(&budget, 2 * UNIT, 0).await.unwrap();
        let same = first.for_another_payload().unwrap();
        assert_eq!(budget.work.free.available_permits(), 4);
        drop(same);
        let stuck = first.clone();
        let second = first.for_another_payload().unwrap();
        assert_eq!(second.payload(), stuck.payload());
        assert_eq!(budget.work.free.available_permits(), 2);
        let stuck_again = second.clone();
        let third = second.for_another_payload().unwrap();
        assert_eq!(budget.work.free.available_permits(), 0);
        let full = third.clone();
        assert_eq!(third.for_another_payload().err(), Some(MemoryError::InUse));
        drop((first, stuck, second, stuck_again, third, full));
        assert_eq!(budget.work.free.available_permits(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn the_largest_request_leaves_memory_for_small_ones() {
        let budget = MemoryBudget::default();
        let (_largest, _turn) = work(&budget, LARGE, usize::MAX).await.unwrap();
        assert!(work(&budget, LARGE, 0).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn small_requests_do_not_wait_behind_large_ones() {
        let budget = MemoryBudget::new(12 * LARGE);
        let (stuck, turn) = work(&budget, 5 * LARGE, 0).await.unwrap();
        let (large, small) = tokio::join!(work(&budget, 2 * LARGE, 0), async {
            let small = work(&budget, LARGE, 0).await;
            // A template that does not end keeps its memory, but not the turn.
            drop(turn);
            small
        });
        assert!(large.is_ok() && small.is_ok());
        drop(stuck);
    }
}
