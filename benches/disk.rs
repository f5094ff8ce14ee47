//! The time that the disk needs for a flush, without a database.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    time::Duration,
};

use tokio::time::Instant;

use crate::{payload, samples::Latencies, setup::Setup};

/// SQLite's log is overwritten from its beginning when it has about this size.
const LOG_BYTES: u64 = 16 << 20;

/// Overwrites one payload after the other in a file, each with a `fdatasync`, for `time`.
pub(crate) fn flushes(setup: &Setup, time: Duration) -> Latencies {
    let folder = setup.temporary();
    let mut file = File::create(folder.path().join("flushes")).unwrap();
    // The file gets its full size first, because a flush costs more while the file grows.
    file.write_all(&vec![1; LOG_BYTES as usize]).unwrap();
    file.sync_all().unwrap();
    file.rewind().unwrap();
    let block = payload::payload(0, payload::ALERTS);
    let (mut at, mut nanos) = (0, Vec::new());
    let began = Instant::now();
    while began.elapsed() < time {
        if at + block.len() as u64 > LOG_BYTES {
            at = file.seek(SeekFrom::Start(0)).unwrap();
        }
        let start = Instant::now();
        file.write_all(block.as_bytes()).unwrap();
        file.sync_data().unwrap();
        nanos.push(u64::try_from(start.elapsed().as_nanos()).unwrap());
        at += block.len() as u64;
    }
    Latencies::new(nanos)
}
