//! The disk by itself: writes that are waited for, without a database.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    payload,
    samples::{Latencies, rate},
    setup::Setup,
};

/// How long a database's log becomes before it is written again from its beginning.
const LOG: u64 = 16 << 20;

/// Appends of one payload for each of `together` callers, who share one `fdatasync`, for `time`. Each makes the file
/// longer, so that its size is written, too.
pub(crate) fn appends(setup: &Setup, together: u64, time: Duration) -> (f64, Latencies) {
    let folder = setup.temporary();
    let file = File::create(folder.path().join("appends")).unwrap();
    write(file, u64::MAX, together, time)
}

/// The same over what was written before, as a database's log is.
pub(crate) fn overwrites(setup: &Setup, together: u64, time: Duration) -> (f64, Latencies) {
    let folder = setup.temporary();
    let mut file = File::create(folder.path().join("overwrites")).unwrap();
    file.write_all(&vec![1; LOG as usize]).unwrap();
    file.sync_all().unwrap();
    file.rewind().unwrap();
    write(file, LOG, together, time)
}

/// Writes that never go past `end`.
fn write(mut file: File, end: u64, together: u64, time: Duration) -> (f64, Latencies) {
    let block = payload::payload(0, payload::ALERTS).repeat(together as usize);
    let (mut at, began, mut nanos) = (0, Instant::now(), Vec::new());
    while began.elapsed() < time {
        if at + block.len() as u64 > end {
            at = file.seek(SeekFrom::Start(0)).unwrap();
        }
        let start = Instant::now();
        file.write_all(block.as_bytes()).unwrap();
        file.sync_data().unwrap();
        nanos.push(u64::try_from(start.elapsed().as_nanos()).unwrap());
        at += block.len() as u64;
    }
    (rate(nanos.len() as u64 * together, began.elapsed()), Latencies::new(nanos))
}
