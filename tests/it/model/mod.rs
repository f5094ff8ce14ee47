//! Rounds of random faults, from a seed. In the end, every accepted notification is delivered or dead. A message is shown
//! twice only after an unknown outcome or a crash. Ordering keys keep their order, and rate limits hold.
//!
//! The dispatcher, its decisions and the SQLite outbox are the real ones. WeCom, the clock and the faults are simulated.
//! A round is a function of its seed: `WECOM_RELAY_MODEL_SEED=… WECOM_RELAY_MODEL_ROUNDS=1` plays one again.

mod check;
mod outbox;
mod round;
mod scene;
mod wecom;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[test]
fn every_accepted_notification_ends_once_and_in_order() {
    let rounds = number("WECOM_RELAY_MODEL_ROUNDS", 1000);
    let first = number("WECOM_RELAY_MODEL_SEED", 1);
    let next = AtomicU64::new(0);
    let play_rounds = || {
        loop {
            let round = next.fetch_add(1, Ordering::Relaxed);
            if round >= rounds {
                return;
            }
            let seed = first.wrapping_add(round);
            if let Err(failure) = catch_unwind(AssertUnwindSafe(|| play(seed))) {
                next.store(rounds, Ordering::Relaxed);
                report(seed);
                resume_unwind(failure);
            }
        }
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(4);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(play_rounds)).collect();
        for worker in workers {
            worker.join().unwrap_or_else(|failure| resume_unwind(failure));
        }
    });
}

fn play(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let history = runtime.unwrap().block_on(round::play(seed));
    check::check(&history);
}

#[expect(clippy::print_stderr, reason = "the seed is needed to play the round again")]
fn report(seed: u64) {
    eprintln!("the round failed: WECOM_RELAY_MODEL_SEED={seed} WECOM_RELAY_MODEL_ROUNDS=1 plays it again");
}
