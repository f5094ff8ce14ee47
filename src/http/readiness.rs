//! Readiness: whether the relay would accept a notification.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

use crate::outbox::StoreError;

/// The time for which a successful probe is reused, because a probe writes, and anybody may request one.
const FRESH: Duration = Duration::from_secs(1);

/// The result of the last probe of the outbox. Callers that ask during a probe wait for it and share its result. A
/// failure is not reused later, so that the relay is ready as soon as the problem is gone.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<Probe>>);

#[derive(Debug)]
struct Probe {
    ended: Instant,
    result: Result<(), StoreError>,
}

impl Readiness {
    /// The result of the last probe, or of `probe` if the last one is too old.
    pub(super) async fn check(
        &self,
        probe: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some(Probe { ended, result }) = last.as_ref() {
            let ended_while_waiting = *ended > asked;
            let is_fresh = result.is_ok() && ended.elapsed() < FRESH;
            if ended_while_waiting || is_fresh {
                return result.clone();
            }
        }
        let result = probe.await;
        *last = Some(Probe { ended: Instant::now(), result: result.clone() });
        result
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    const PROBE_TIME: Duration = Duration::from_millis(100);

    async fn probe(probes: &Cell<u32>, result: Result<(), StoreError>) -> Result<(), StoreError> {
        probes.set(probes.get() + 1);
        sleep(PROBE_TIME).await;
        result
    }

    #[tokio::test(start_paused = true)]
    async fn callers_within_a_second_share_a_probe() {
        let (readiness, probes) = (Readiness::default(), Cell::new(0));
        let all = join_all((0..20).map(|_| readiness.check(probe(&probes, Ok(()))))).await;
        assert!(all.iter().all(Result::is_ok));
        advance(FRESH - PROBE_TIME).await;
        readiness.check(probe(&probes, Ok(()))).await.unwrap();
        assert_eq!(probes.get(), 1);
        advance(FRESH).await;
        readiness.check(probe(&probes, Ok(()))).await.unwrap();
        assert_eq!(probes.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_by_waiting_callers_only() {
        let (readiness, probes) = (Readiness::default(), Cell::new(0));
        let full = || Err(StoreError::Full("no space".to_owned()));
        let all = join_all((0..20).map(|_| readiness.check(probe(&probes, full())))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(probes.get(), 1);
        readiness.check(probe(&probes, Ok(()))).await.unwrap();
        assert_eq!(probes.get(), 2);
    }
}
