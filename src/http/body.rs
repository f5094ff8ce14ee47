//! Reads a body within limits for size, time and memory.

use std::time::Duration;

use axum::{
    body,
    extract::Request,
    http::{HeaderMap, header::CONTENT_LENGTH},
};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::{
    answer::Rejection,
    encoding::{self, UnpackError},
    memory::{MAX_BODY_BYTES, MemoryBudget, MemoryError, Reservation, Turn},
    memory_cost::MemoryCost,
    render_pool::{INLINE_BYTES, run_blocking},
};

/// The time limit for a whole body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// The time limit for the first bytes. Each [`MIN_BYTES_PER_SECOND`] that arrive extend it by a second, up to
/// [`BODY_TIME`].
const START_TIME: Duration = Duration::from_secs(10);
const MIN_BYTES_PER_SECOND: usize = 1024;
/// The buffer that is allocated for a body before any of it has arrived.
const MAX_INITIAL_BUFFER: usize = 64 << 10;

/// A body, and the memory that is reserved for it and for the values that are built from it.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) memory: Reservation,
    pub(super) turn: Turn,
}

/// Reads the whole body of `request`.
pub(super) async fn read(request: Request, memory: &MemoryBudget) -> Result<Body, Rejection> {
    let announced = content_length(request.headers()).unwrap_or(0);
    if announced > MAX_BODY_BYTES {
        return Err(Rejection::TooLarge);
    }
    let (parts, body) = request.into_parts();
    read_chunks(body, &parts.headers, announced, memory).await
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read_chunks(
    body: body::Body,
    headers: &HeaderMap,
    announced: usize,
    memory: &MemoryBudget,
) -> Result<Body, Rejection> {
    // The buffer grows with the data, because a slow client could otherwise hold memory by a header alone.
    let mut bytes = Vec::with_capacity(announced.min(MAX_INITIAL_BUFFER));
    let mut reserved = memory.reserve();
    let mut chunks = body.into_data_stream();
    let began = Instant::now();
    loop {
        let deadline = began + time_limit(bytes.len());
        let Ok(chunk) = timeout_at(deadline, chunks.next()).await else {
            let seconds = began.elapsed().as_secs();
            return Err(Rejection::Incomplete(format!("{} bytes came in {seconds} s", bytes.len())));
        };
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|error| Rejection::Incomplete(error.to_string()))?;
        if bytes.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(Rejection::TooLarge);
        }
        reserved.grow_to(bytes.len() + chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    let bytes = encoding::unpack(bytes, headers, &mut reserved).await?;
    let (bytes, cost) = memory_cost(bytes).await;
    let (memory, turn) = reserved.with_work(cost.texts, cost.values).await?;
    Ok(Body { bytes, memory, turn })
}

/// The time limit for a body of which this many bytes have arrived.
fn time_limit(bytes: usize) -> Duration {
    let earned = Duration::from_secs(u64::try_from(bytes / MIN_BYTES_PER_SECOND).unwrap_or(u64::MAX));
    BODY_TIME.min(START_TIME.saturating_add(earned))
}

/// Estimates the memory on another thread if the body is large, because other requests would have to wait.
async fn memory_cost(bytes: Vec<u8>) -> (Vec<u8>, MemoryCost) {
    if bytes.len() <= INLINE_BYTES {
        let cost = MemoryCost::of(&bytes);
        return (bytes, cost);
    }
    run_blocking(move || {
        let cost = MemoryCost::of(&bytes);
        (bytes, cost)
    })
    .await
}

impl From<UnpackError> for Rejection {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Encoding(error) => Self::Encoding(error),
            UnpackError::Incomplete => Self::Incomplete(error.to_string()),
            UnpackError::Memory(error) => error.into(),
        }
    }
}

impl From<MemoryError> for Rejection {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::TooLarge => Self::TooLarge,
            MemoryError::InUse => Self::Overloaded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kilobyte_adds_a_second_to_ten_up_to_thirty() {
        let seconds =
            [0, 1023, 1024, 5000, 20 * 1024, MAX_BODY_BYTES].map(|bytes| time_limit(bytes).as_secs());
        assert_eq!(seconds, [10, 10, 11, 14, 30, 30]);
    }
}
