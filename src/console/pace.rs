//! The pace of searches: a reader who searches without end must not slow down acceptance.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

/// After a search, the next one waits for this many times its duration. So short searches take 2 % of one processor.
const PAUSE_FACTOR: u32 = 49;
/// A person does not notice a pause of this length between two searches.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Searches go one after the other, with pauses.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The earliest start of the next search.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// Runs `search` when it is its turn.
    pub(super) async fn run<T>(&self, search: impl Future<Output = T>) -> T {
        let mut next = self.next.lock().await;
        if let Some(next) = *next {
            tokio::time::sleep_until(next).await;
        }
        let began = Instant::now();
        let found = search.await;
        let ended = Instant::now();
        *next = Some(ended + (ended.duration_since(began) * PAUSE_FACTOR).min(MAX_PAUSE));
        found
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    async fn search(pace: &Pace, millis: u64) -> Duration {
        let began = Instant::now();
        pace.run(async { sleep(Duration::from_millis(millis)).await }).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_search_takes_little_of_a_processor() {
        let pace = Pace::default();
        assert_eq!(search(&pace, 10).await, Duration::from_millis(10), "the first one does not wait");
        assert_eq!(search(&pace, 10).await, Duration::from_millis(490 + 10));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(search(&pace, 10).await, Duration::from_millis(10), "a person does not wait");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_search_delays_the_next_one_by_a_bounded_time() {
        let pace = Pace::default();
        search(&pace, 250).await;
        assert_eq!(search(&pace, 250).await, MAX_PAUSE + Duration::from_millis(250));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_goes_away_holds_nobody_back() {
        let pace = Pace::default();
        search(&pace, 250).await;
        let gone = tokio::time::timeout(Duration::from_millis(1), search(&pace, 250)).await;
        assert!(gone.is_err(), "it waits for its turn");
        assert!(search(&pace, 1).await <= MAX_PAUSE);
    }
}
