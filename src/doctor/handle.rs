//! Runs `doctor` in a running relay: one run at a time, and not too often.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::Finding;

/// The least time between the starts of two runs. Each run makes calls of WeCom, which limits them.
const PAUSE: Duration = Duration::from_secs(30);

/// The last run, or the present one.
#[derive(Debug, Clone, Default)]
pub struct Examination {
    /// `None` if there was no run yet.
    pub started_at: Option<Timestamp>,
    pub is_running: bool,
    pub findings: Vec<Finding>,
}

/// The reason why no run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartError {
    /// The next run may start after this time.
    TooEarly(Duration),
    /// The relay is stopping.
    Stopping,
}

/// Starts runs and reads their findings. Clones share the runs.
#[derive(Debug, Clone)]
pub struct DoctorHandle {
    starts: mpsc::Sender<()>,
    latest: Arc<watch::Sender<Examination>>,
}

/// The other end of a [`DoctorHandle`], for the task that makes the checks.
#[derive(Debug)]
pub struct DoctorRequests {
    pub starts: mpsc::Receiver<()>,
    pub latest: Arc<watch::Sender<Examination>>,
}

pub fn handle() -> (DoctorHandle, DoctorRequests) {
    let (sender, starts) = mpsc::channel(1);
    let latest = Arc::new(watch::Sender::new(Examination::default()));
    (DoctorHandle { starts: sender, latest: Arc::clone(&latest) }, DoctorRequests { starts, latest })
}

impl DoctorHandle {
    /// Starts a run at `now`, and returns at once.
    ///
    /// # Errors
    /// A run is in progress or began a short time ago, or the relay is stopping.
    pub fn start(&self, now: Timestamp) -> Result<(), StartError> {
        let mut refused = None;
        self.latest.send_if_modified(|latest| {
            refused = too_early(latest, now);
            if refused.is_none() {
                *latest = Examination { started_at: Some(now), is_running: true, findings: Vec::new() };
            }
            refused.is_none()
        });
        if let Some(wait) = refused {
            return Err(StartError::TooEarly(wait));
        }
        self.starts.try_send(()).map_err(|_| StartError::Stopping)
    }

    pub fn latest(&self) -> Examination {
        self.latest.borrow().clone()
    }

    /// The runs as they go on.
    pub fn watch(&self) -> watch::Receiver<Examination> {
        self.latest.subscribe()
    }
}

/// The time until another run may start. `None` if it may start now.
fn too_early(latest: &Examination, now: Timestamp) -> Option<Duration> {
    // A run may take longer than the pause.
    if latest.is_running {
        return Some(PAUSE);
    }
    // A start after `now` says only that the clock was set back, so nobody has to wait for it.
    let age = Duration::try_from(now.duration_since(latest.started_at?)).ok()?;
    PAUSE.checked_sub(age).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_second_run_waits_for_the_first_and_for_the_pause() {
        let (handle, requests) = handle();
        assert_eq!(handle.start(at(0)), Ok(()));
        assert_eq!(handle.start(at(60)), Err(StartError::TooEarly(PAUSE)));
        let DoctorRequests { mut starts, latest } = requests;
        starts.try_recv().unwrap();
        latest.send_modify(|latest| latest.is_running = false);
        assert_eq!(handle.start(at(10)), Err(StartError::TooEarly(Duration::from_secs(20))));
        assert_eq!(handle.start(at(30)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_from_a_run() {
        let day = 86_400;
        let (handle, requests) = handle();
        assert_eq!(handle.start(at(day)), Ok(()));
        assert_eq!(handle.start(at(0)), Err(StartError::TooEarly(PAUSE)));
        let DoctorRequests { mut starts, latest } = requests;
        starts.try_recv().unwrap();
        latest.send_modify(|latest| latest.is_running = false);
        assert_eq!(handle.start(at(0)), Ok(()));
        starts.try_recv().unwrap();
        latest.send_modify(|latest| latest.is_running = false);
        assert_eq!(handle.start(at(1)), Err(StartError::TooEarly(Duration::from_secs(29))));
    }

    #[test]
    fn no_run_starts_after_the_stop() {
        let (handle, requests) = handle();
        drop(requests);
        assert_eq!(handle.start(at(0)), Err(StartError::Stopping));
    }
}
