//! All tasks of the process: started, watched and stopped here.
//!
//! - A task that exits before the stop ends the process with an error. Otherwise a part could be down while the
//!   process looks healthy.
//! - SIGTERM or SIGINT stops new work. Running work may finish until a deadline.
//! - A second signal ends the process at once.

use std::{convert::Infallible, future::Future, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Time that a shutdown gives to work in flight. Longer than the timeout of one WeCom call. A delivery that takes
/// longer, for example because a token is renewed, is sent again at the next start.
pub const DRAIN: Duration = Duration::from_secs(15);

/// Owns the tasks and ends them.
#[derive(Debug)]
pub struct Lifecycle {
    tasks: Tasks,
    failures: mpsc::UnboundedReceiver<String>,
}

/// Starts tasks. Clones share the tasks.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    abort: CancellationToken,
    failed: mpsc::UnboundedSender<String>,
}

/// Handlers of SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Installs the handlers. Call this first, because until then a signal ends the process.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    /// Waits for a signal, and returns its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Result of a shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shutdown {
    /// All tasks finished after the stop.
    Clean,
    /// This many tasks were still running at the deadline.
    TimedOut(usize),
    /// A second signal arrived.
    Forced,
    /// A task exited before the stop.
    TaskFailed(String),
}

impl Default for Lifecycle {
    fn default() -> Self {
        let (failed, failures) = mpsc::unbounded_channel();
        let tasks = Tasks {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            failed,
        };
        Self { tasks, failures }
    }
}

impl Tasks {
    /// Cancelled at shutdown. A task must not begin new work after that.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// [`Self::spawn`] for a task that cannot fail.
    pub fn spawn_endless(&self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn::<Infallible>(name, async move {
            task.await;
            Ok(())
        });
    }

    /// Runs `task`. It must end after [`Self::stop`], and not before.
    pub fn spawn<E>(
        &self,
        name: impl Into<String>,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: std::fmt::Display + Send + 'static,
    {
        self.spawn_until(name, self.stop.clone(), task);
    }

    /// Runs `task`. It must end after `stop`, a child of [`Self::stop`], and not before.
    pub fn spawn_until<E>(
        &self,
        name: impl Into<String>,
        stop: CancellationToken,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: std::fmt::Display + Send + 'static,
    {
        let (name, failed, abort) = (name.into(), self.failed.clone(), self.abort.clone());
        let (handle, abort_handle) = self.supervised(task);
        self.tracker.spawn(async move {
            let ended = tokio::select! {
                ended = handle => ended,
                () = abort.cancelled() => {
                    abort_handle.abort();
                    return;
                }
            };
            let reason = match ended {
                Ok(Ok(())) if stop.is_cancelled() => return,
                Ok(Ok(())) => "exited before the stop".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(panic) => panic.to_string(),
            };
            // The receiver is gone once the process is ending.
            let _ = failed.send(format!("{name}: {reason}"));
        });
    }

    /// Runs work that ends by itself, also if the caller does not wait for it. A shutdown waits for its end.
    pub fn run_to_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tracker.spawn(work)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where tasks are spawned")]
    fn supervised<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> (JoinHandle<T>, tokio::task::AbortHandle) {
        let handle = tokio::spawn(task);
        let abort = handle.abort_handle();
        (handle, abort)
    }
}

impl Lifecycle {
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Waits for a signal or for the failure of a task, then shuts down. Work in flight has `drain` to finish.
    pub async fn run(mut self, mut signals: Signals, drain: Duration) -> Shutdown {
        let failure = tokio::select! {
            signal = signals.next() => {
                // Cancelled before the log line, because a reader of the line relies on the stop.
                self.tasks.stop.cancel();
                tracing::info!(signal, "stopping: finishing the sends in flight");
                None
            }
            failure = self.failures.recv() => {
                tracing::error!(task = failure, "task exited unexpectedly; stopping");
                failure
            }
        };
        let second_signal = async {
            let signal = signals.next().await;
            tracing::warn!(signal, "stopping at once");
        };
        self.shut_down(failure, drain, second_signal).await
    }

    /// Shuts down now.
    pub async fn finish(self, drain: Duration) -> Shutdown {
        self.shut_down(None, drain, std::future::pending()).await
    }

    async fn shut_down(
        mut self,
        failure: Option<String>,
        drain: Duration,
        second_signal: impl Future<Output = ()>,
    ) -> Shutdown {
        self.tasks.stop.cancel();
        self.tasks.tracker.close();
        let drained = tokio::select! {
            () = self.tasks.tracker.wait() => Shutdown::Clean,
            () = tokio::time::sleep(drain) => Shutdown::TimedOut(self.tasks.tracker.len()),
            () = second_signal => Shutdown::Forced,
        };
        self.tasks.abort.cancel();
        let failure = failure.or_else(|| self.failures.try_recv().ok());
        failure.map_or(drained, Shutdown::TaskFailed)
    }
}
