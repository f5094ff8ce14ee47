//! The disk by itself: appends that are waited for, without a database.

use std::{fs::File, io::Write, time::Duration};

use tokio::time::Instant;

use crate::{
    payload,
    samples::{Latencies, rate},
    setup::Setup,
};

/// Appends of one payload for each of `together` callers, who share one `fdatasync`, for `time`.
pub(crate) fn appends(setup: &Setup, together: u64, time: Duration) -> (f64, Latencies) {
    let folder = setup.temporary();
    let mut file = File::create(folder.path().join("appends")).unwrap();
    let block = payload::payload(0, 2).repeat(together as usize);
    let (began, mut nanos) = (Instant::now(), Vec::new());
    while began.elapsed() < time {
        let start = Instant::now();
        file.write_all(block.as_bytes()).unwrap();
        file.sync_data().unwrap();
        nanos.push(u64::try_from(start.elapsed().as_nanos()).unwrap());
    }
    (rate(nanos.len() as u64 * together, began.elapsed()), Latencies::new(nanos))
}
