//! Slows down readers who search without end, because they must not slow down acceptance.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::reader_key::ReaderKey;

/// After a search, the next one of the same reader waits for this many times its duration. So short searches of a
/// reader take 2 % of one processor.
const PAUSE_FACTOR: u32 = 49;
/// A person does not notice a pause of this length between two searches.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// All searches go one after the other, and those of one reader with pauses.
#[derive(Debug, Default)]
pub(super) struct SearchThrottle {
    turn: tokio::sync::Mutex<()>,
    /// The earliest start of the next search of each reader who has searched in the last seconds.
    next: Mutex<BTreeMap<ReaderKey, Instant>>,
}

impl SearchThrottle {
    /// Runs `search` when it is its turn. It does not wait for a pause if the last search of the reader was long ago.
    pub(super) async fn run<T>(&self, reader: &ReaderKey, search: impl Future<Output = T>) -> T {
        let _turn = loop {
            if let Some(next) = self.next_start(reader) {
                sleep_until(next).await;
            }
            let turn = self.turn.lock().await;
            // Another search of the same reader may have had its turn first.
            if self.next_start(reader).is_none() {
                break turn;
            }
        };
        let mut running = Running { throttle: self, reader, began: Instant::now(), is_finished: false };
        let found = search.await;
        running.is_finished = true;
        found
    }

    /// The end of the pause of a reader, if it is not over.
    fn next_start(&self, reader: &ReaderKey) -> Option<Instant> {
        let now = Instant::now();
        let mut pauses = self.pauses();
        pauses.retain(|_, next| *next > now);
        pauses.get(reader).copied()
    }

    fn pauses(&self) -> std::sync::MutexGuard<'_, BTreeMap<ReaderKey, Instant>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A search, which sets the pause of its reader when it ends.
struct Running<'a> {
    throttle: &'a SearchThrottle,
    reader: &'a ReaderKey,
    began: Instant,
    is_finished: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let ended = Instant::now();
        let pause = match self.is_finished {
            true => (ended.duration_since(self.began) * PAUSE_FACTOR).min(MAX_PAUSE),
            // The reader went away, and the outbox still works for the search.
            false => MAX_PAUSE,
        };
        self.throttle.pauses().insert(self.reader.clone(), ended + pause);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    async fn search(throttle: &SearchThrottle, reader: &str, millis: u64) -> Duration {
        let began = Instant::now();
        let reader = ReaderKey::Session(reader.to_owned());
        throttle.run(&reader, async { sleep(Duration::from_millis(millis)).await }).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_search_takes_little_of_a_processor() {
        let throttle = SearchThrottle::default();
        assert_eq!(
            search(&throttle, "a", 10).await,
            Duration::from_millis(10),
            "the first one does not wait"
        );
        assert_eq!(search(&throttle, "a", 10).await, Duration::from_millis(490 + 10));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(search(&throttle, "a", 10).await, Duration::from_millis(10), "a person does not wait");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_does_not_wait_for_the_pause_of_another() {
        let throttle = SearchThrottle::default();
        search(&throttle, "a", 250).await;
        let (endless, first) = tokio::join!(search(&throttle, "a", 250), search(&throttle, "b", 250));
        assert_eq!(endless, MAX_PAUSE + Duration::from_millis(250), "a pause is bounded");
        assert_eq!(first, Duration::from_millis(250));
    }

    #[tokio::test(start_paused = true)]
    async fn searches_of_several_windows_share_the_pauses_of_a_reader() {
        let throttle = SearchThrottle::default();
        let (first, second) = tokio::join!(search(&throttle, "a", 250), search(&throttle, "a", 250));
        assert_eq!(first, Duration::from_millis(250));
        assert_eq!(second, MAX_PAUSE + Duration::from_millis(500));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_goes_away_holds_nobody_back() {
        let throttle = SearchThrottle::default();
        search(&throttle, "a", 250).await;
        let gone = tokio::time::timeout(Duration::from_millis(1), search(&throttle, "a", 250)).await;
        assert!(gone.is_err(), "it waits for its turn");
        assert!(search(&throttle, "a", 1).await <= MAX_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_aborted_search_has_a_pause_too() {
        let throttle = SearchThrottle::default();
        for _ in 0..3 {
            let aborted = tokio::time::timeout(Duration::from_millis(1), search(&throttle, "a", 250)).await;
            assert!(aborted.is_err());
            assert_eq!(search(&throttle, "a", 1).await, MAX_PAUSE + Duration::from_millis(1));
            sleep(MAX_PAUSE).await;
        }
    }
}
