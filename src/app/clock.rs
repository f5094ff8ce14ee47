//! Starts the clock of relay time where the outbox left it.

use std::sync::Arc;

use crate::{
    clock::{MachineClock, ReadingRecord, RelayClock},
    outbox::{OutboxQuery, StoreError},
};

/// Returns the clock of relay time. All times in `outbox` are relay times.
///
/// # Errors
/// The outbox does not answer.
pub async fn relay_clock(
    outbox: &impl OutboxQuery,
    machine: Arc<dyn MachineClock>,
) -> Result<RelayClock, StoreError> {
    let reading = machine.read();
    let relay_time = outbox.relay_time(reading.clone()).await?;
    Ok(RelayClock::new(machine, &ReadingRecord { reading, relay_time }))
}
