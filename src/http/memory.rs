//! The memory for bodies and for the values that are built from them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest body; it holds some 80,000 alerts.
pub const MAX_BODY_BYTES: usize = 32 << 20;
/// The unit in which memory is reserved.
const UNIT: usize = 4096;

/// A limit for the memory of all requests together.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    free: Arc<Semaphore>,
    bytes: usize,
}

/// Memory that is reserved until the last clone is dropped.
#[derive(Debug, Clone, Default)]
pub struct Reservation(
    #[expect(dead_code, reason = "the drop gives the memory back")] Option<Arc<GrowingReservation>>,
);

/// A reservation whose size is not final.
#[derive(Debug)]
pub(super) struct GrowingReservation {
    budget: MemoryBudget,
    permit: Option<OwnedSemaphorePermit>,
}

/// The reason why memory cannot be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemoryError {
    /// The whole budget is smaller.
    TooLarge,
    /// Other requests use it.
    InUse,
}

impl MemoryBudget {
    pub fn new(bytes: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes / UNIT)), bytes }
    }

    /// An empty reservation.
    pub(super) fn reserve(&self) -> GrowingReservation {
        GrowingReservation { budget: self.clone(), permit: None }
    }
}

impl Default for MemoryBudget {
    /// Enough for one notification with 80,000 alerts.
    fn default() -> Self {
        Self::new(384 << 20)
    }
}

impl GrowingReservation {
    /// Reserves `bytes` in total; never less than before.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), MemoryError> {
        if bytes > self.budget.bytes {
            return Err(MemoryError::TooLarge);
        }
        let reserved = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(UNIT).saturating_sub(reserved);
        let missing = u32::try_from(missing).map_err(|_| MemoryError::TooLarge)?;
        let free = Arc::clone(&self.budget.free);
        let more = free.try_acquire_many_owned(missing).map_err(|_| MemoryError::InUse)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Reservation {
        Reservation(Some(Arc::new(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_over_the_whole_budget_is_too_large() {
        let budget = MemoryBudget::new(10 * UNIT);
        let mut reservation = budget.reserve();
        assert_eq!(reservation.grow_to(4 * UNIT), Ok(()));
        assert_eq!(reservation.grow_to(11 * UNIT), Err(MemoryError::TooLarge));
        assert_eq!(reservation.grow_to(10 * UNIT), Ok(()));
        assert_eq!(budget.reserve().grow_to(UNIT), Err(MemoryError::InUse));
        let reservation = reservation.finish();
        drop(reservation);
        assert_eq!(budget.reserve().grow_to(10 * UNIT), Ok(()));
    }
}
