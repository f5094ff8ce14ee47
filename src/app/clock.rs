//! Starts the clock of relay time where the outbox left it.

use std::sync::Arc;

use crate::{
    clock::{MachineClock, ReadingRecord, RelayClock},
    outbox::{OutboxQuery, StoreError},
};

/// The clock of relay time. Everything in `outbox` is stored with it.
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

/// The clock of a daemon whose outbox cannot be read yet. It goes on from the outbox when it is recorded there.
pub(super) fn unrecorded_clock(machine: Arc<dyn MachineClock>) -> RelayClock {
    let reading = machine.read();
    let relay_time = reading.relay_time(None);
    RelayClock::new(machine, &ReadingRecord { reading, relay_time })
}
