//! Reading a body within bounds of size, time and of the memory that all bodies take together.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use futures_util::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::Answer;

/// The largest body; some 80,000 alerts.
pub const BODY_BYTES: usize = 32 << 20;
/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How long a body may take to begin; then it comes at least at [`SLOWEST`], or it is a client that does not mean to
/// end.
const START_TIME: Duration = Duration::from_secs(10);
/// Bytes a second.
const SLOWEST: usize = 1024;
/// What a value of the payload costs in memory beside its text, roughly: as a member of a map, rendered, and stored.
const VALUE_BYTES: usize = 48;
/// What an object in an array costs, which is an alert: even `{}` is one, with all its fields, rendered and stored.
const ALERT_BYTES: usize = 1100;
/// What an object in an object costs: a map has room for some pairs at once.
const MAP_BYTES: usize = 600;
/// In what amounts memory is reserved.
const UNIT: usize = 4096;

/// The memory that all bodies and what is made of them may take together.
#[derive(Debug, Clone)]
pub struct Memory {
    free: Arc<Semaphore>,
    bytes: usize,
}

/// Memory that is reserved until this is dropped.
pub type Reserved = Arc<Option<OwnedSemaphorePermit>>;

impl Memory {
    /// Room for `bytes`.
    pub fn new(bytes: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes / UNIT)), bytes }
    }

    fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Answer> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| Answer::Overload)?;
        Arc::clone(&self.free).try_acquire_many_owned(units).map_err(|_| Answer::Overload)
    }
}

impl Default for Memory {
    /// One notification of 80,000 alerts.
    fn default() -> Self {
        Self::new(384 << 20)
    }
}

/// What `body` will take as a payload, within a factor of two or so: a few bytes of JSON can be a value, and a value
/// is much more than that.
fn cost(body: &[u8]) -> usize {
    let begins = |byte: &u8| u8::from(matches!(byte, b',' | b':' | b'['));
    // Added up in bytes, which the compiler does for many of them at once.
    let values = body.chunks(u8::MAX.into()).map(|some| usize::from(some.iter().map(begins).sum::<u8>()));
    let objects = body.split(|byte| *byte == b'{');
    // What follows the last one begins none.
    let objects = objects.take(body.iter().filter(|byte| **byte == b'{').count());
    let objects = objects.map(|before| match before.trim_ascii_end() {
        [.., b':'] => MAP_BYTES,
        _ => ALERT_BYTES,
    });
    body.len() * 2 + values.sum::<usize>() * VALUE_BYTES + objects.sum::<usize>()
}

/// A body, and the memory that is reserved for it and for what is made of it.
#[derive(Debug)]
pub(super) struct Bytes {
    pub(super) bytes: Vec<u8>,
    pub(super) reserved: Reserved,
}

/// Reads the whole of `body`. `announced` is its `Content-Length`.
pub(super) async fn read(body: Body, announced: Option<usize>, memory: &Memory) -> Result<Bytes, Answer> {
    if announced.is_some_and(|bytes| bytes > BODY_BYTES) {
        return Err(Answer::TooLarge);
    }
    collect(body, announced.unwrap_or(0), memory).await
}

/// How long a body may have taken when so many bytes of it are there.
fn allowed(bytes: usize) -> Duration {
    let earned = Duration::from_secs(u64::try_from(bytes / SLOWEST).unwrap_or(u64::MAX));
    BODY_TIME.min(START_TIME.saturating_add(earned))
}

async fn collect(body: Body, announced: usize, memory: &Memory) -> Result<Bytes, Answer> {
    // Nothing is allocated on the word of a header: a slow client would hold the memory for nothing.
    let mut bytes = Vec::with_capacity(announced.min(64 * 1024));
    let mut reserved: Option<OwnedSemaphorePermit> = None;
    let mut chunks = body.into_data_stream();
    let began = Instant::now();
    loop {
        let Ok(chunk) = timeout_at(began + allowed(bytes.len()), chunks.next()).await else {
            let seconds = began.elapsed().as_secs();
            return Err(Answer::Incomplete(format!("{} bytes came in {seconds} s", bytes.len())));
        };
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|error| Answer::Incomplete(error.to_string()))?;
        if bytes.len() + chunk.len() > BODY_BYTES {
            return Err(Answer::TooLarge);
        }
        hold(&mut reserved, bytes.len() + chunk.len(), memory)?;
        bytes.extend_from_slice(&chunk);
    }
    hold(&mut reserved, cost(&bytes), memory)?;
    Ok(Bytes { bytes, reserved: Arc::new(reserved) })
}

/// Makes `reserved` as large as `bytes`.
fn hold(reserved: &mut Option<OwnedSemaphorePermit>, bytes: usize, memory: &Memory) -> Result<(), Answer> {
    let has = reserved.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) * UNIT;
    if bytes > memory.bytes {
        return Err(Answer::TooLarge);
    }
    if bytes > has {
        let more = memory.reserve(bytes - has)?;
        match reserved {
            Some(reserved) => reserved.merge(more),
            None => *reserved = Some(more),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_costs_more_than_its_text() {
        for values in [0, 1, 255, 256, 1000] {
            let body = [b"[1".repeat(values), b"x".repeat(300)].concat();
            assert_eq!(cost(&body), 2 * body.len() + 48 * values);
        }
    }

    #[test]
    fn an_object_in_an_array_costs_as_much_as_an_alert_and_one_in_an_object_as_a_map() {
        assert_eq!(cost(b"[{}, {}"), 2 * 7 + 2 * 48 + 2 * 1100);
        assert_eq!(cost(b"[\n{\"a\": {}}"), 2 * 11 + 2 * 48 + 1100 + 600);
        assert_eq!(cost(b"}{"), 2 * 2 + 1100);
    }

    #[test]
    fn a_body_of_the_largest_size_fits_when_it_has_alerts_as_they_are() {
        let alert = format!(
            r#"{{"status":"firing","labels":{{"alertname":"HighLatency","instance":"web-0001:9100","job":"node",
            "severity":"warning","team":"ops"}},"annotations":{{"summary":"{}"}},"startsAt":"2026-11-21T08:00:00Z",
            "endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"0123456789abcdef"}},"#,
            "x".repeat(110)
        );
        let body = alert.repeat(BODY_BYTES / alert.len());
        assert!(body.len() / alert.len() > 80_000);
        assert!(Memory::default().reserve(cost(body.as_bytes())).is_ok());
    }

    #[test]
    fn what_never_fits_is_too_large_and_not_put_off() {
        let memory = Memory::new(10 * UNIT);
        let mut reserved = None;
        assert_eq!(hold(&mut reserved, 4 * UNIT, &memory), Ok(()));
        assert_eq!(hold(&mut reserved, 11 * UNIT, &memory), Err(Answer::TooLarge));
        assert_eq!(hold(&mut reserved, 10 * UNIT, &memory), Ok(()));
        assert_eq!(hold(&mut None, UNIT, &memory), Err(Answer::Overload));
    }

    #[test]
    fn a_body_has_ten_seconds_and_one_more_for_each_kilobyte_but_thirty_at_most() {
        let seconds = [0, 1023, 1024, 5000, 20 * 1024, BODY_BYTES].map(|bytes| allowed(bytes).as_secs());
        assert_eq!(seconds, [10, 10, 11, 14, 30, 30]);
    }
}
