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
    memory::{MAX_BODY_BYTES, MemoryBudget, MemoryError, Reservation},
};

/// The time limit for a whole body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// The time limit for the first bytes. Each [`MIN_BYTES_PER_SECOND`] that arrive extend it by a second, up to
/// [`BODY_TIME`].
const START_TIME: Duration = Duration::from_secs(10);
const MIN_BYTES_PER_SECOND: usize = 1024;
/// The memory for a JSON value beside its text, roughly: as a member of a map, rendered, and stored.
const VALUE_BYTES: usize = 48;
/// The memory for an object in an array, which is an alert. Even `{}` is one, with all its fields, rendered and stored.
const ALERT_BYTES: usize = 1100;
/// The memory for an object in an object, because a map allocates space for some pairs at once.
const MAP_BYTES: usize = 600;
/// The buffer that is allocated for a body before any of it has arrived.
const MAX_INITIAL_BUFFER: usize = 64 << 10;

/// A body, and the memory that is reserved for it and for the values that are built from it.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) memory: Reservation,
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

fn content_length(headers: &HeaderMap) -> Option<usize> {
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
    reserved.grow_to(memory_cost(&bytes))?;
    Ok(Body { bytes, memory: reserved.finish() })
}

/// The time limit for a body of which this many bytes have arrived.
fn time_limit(bytes: usize) -> Duration {
    let earned = Duration::from_secs(u64::try_from(bytes / MIN_BYTES_PER_SECOND).unwrap_or(u64::MAX));
    BODY_TIME.min(START_TIME.saturating_add(earned))
}

/// Estimates the memory for a payload, within a factor of two or so. A few bytes of JSON can be a value, and a value
/// needs much more memory than its text.
fn memory_cost(body: &[u8]) -> usize {
    let is_value_start = |byte: &u8| u8::from(matches!(byte, b',' | b':' | b'['));
    // Sums of bytes, because the compiler computes many of them at once.
    let counts =
        body.chunks(u8::MAX.into()).map(|chunk| usize::from(chunk.iter().map(is_value_start).sum::<u8>()));
    let values: usize = counts.sum();
    let mut objects = 0;
    let mut rest = body;
    while let Some(at) = rest.iter().position(|byte| *byte == b'{') {
        let (before, after) = rest.split_at(at);
        objects += match before.trim_ascii_end() {
            [.., b':'] => MAP_BYTES,
            _ => ALERT_BYTES,
        };
        rest = after.get(1..).unwrap_or_default();
    }
    body.len() * 2 + values * VALUE_BYTES + objects
}

impl From<UnpackError> for Rejection {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Encoding(error) => Self::Encoding(error),
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
    fn a_value_costs_more_memory_than_its_text() {
        for values in [0, 1, 255, 256, 1000] {
            let body = [b"[1".repeat(values), b"x".repeat(300)].concat();
            assert_eq!(memory_cost(&body), 2 * body.len() + 48 * values);
        }
    }

    #[test]
    fn an_object_in_an_array_costs_an_alert_else_a_map() {
        assert_eq!(memory_cost(b"[{}, {}"), 2 * 7 + 2 * 48 + 2 * 1100);
        assert_eq!(memory_cost(b"[\n{\"a\": {}}"), 2 * 11 + 2 * 48 + 1100 + 600);
        assert_eq!(memory_cost(b"}{"), 2 * 2 + 1100);
    }

    #[test]
    fn a_body_of_the_largest_size_fits_with_usual_alerts() {
        let alert = format!(
            r#"{{"status":"firing","labels":{{"alertname":"HighLatency","instance":"web-0001:9100","job":"node",
            "severity":"warning","team":"ops"}},"annotations":{{"summary":"{}"}},"startsAt":"2026-11-21T08:00:00Z",
            "endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"0123456789abcdef"}},"#,
            "x".repeat(110)
        );
        let body = alert.repeat(MAX_BODY_BYTES / alert.len());
        assert!(body.len() / alert.len() > 80_000);
        assert_eq!(MemoryBudget::default().reserve().grow_to(memory_cost(body.as_bytes())), Ok(()));
    }

    #[test]
    fn each_kilobyte_adds_a_second_to_ten_up_to_thirty() {
        let seconds =
            [0, 1023, 1024, 5000, 20 * 1024, MAX_BODY_BYTES].map(|bytes| time_limit(bytes).as_secs());
        assert_eq!(seconds, [10, 10, 11, 14, 30, 30]);
    }
}
