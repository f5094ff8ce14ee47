//! The limit of the size of an outbox.

use crate::outbox::StoreError;

/// The size above which the oldest settled deliveries are purged before `retention` has passed.
pub fn wanted_bytes(max_bytes: u64) -> u64 {
    max_bytes - max_bytes / 16
}

/// The answer to a new alert when the outbox holds `used` bytes and may hold `max_bytes`.
pub fn full(used: u64, max_bytes: u64) -> StoreError {
    let (used, max) = (mebibytes(used), mebibytes(max_bytes));
    StoreError::Full(format!(
        "it holds {used}, and `outbox.max_size` is {max}; find out why its deliveries wait (`wecom-relay outbox list`), or \
         set a larger `outbox.max_size`"
    ))
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
