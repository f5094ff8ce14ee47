//! Every task of the process: started here, watched here, ended here.
//!
//! A task that ends before it was asked to ends the process with an error, so that no dead part hides behind a
//! healthy-looking whole. On SIGTERM or SIGINT no new work begins; what runs has until a deadline; a second
//! signal ends the process at once.

use std::{convert::Infallible, future::Future, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a shutdown waits for what is in flight: above the time-out of a call of WeCom. What takes longer, for
/// instance because a token is renewed at that moment, is sent again at the next start.
pub const DRAIN: Duration = Duration::from_secs(15);

/// The tasks of a process, and their end.
#[derive(Debug)]
pub struct Lifecycle {
    tasks: Tasks,
    deaths: mpsc::UnboundedReceiver<String>,
}

/// The tasks of a process. Clones are the same tasks.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    hard: CancellationToken,
    died: mpsc::UnboundedSender<String>,
}

/// SIGTERM and SIGINT, listened to from its making on.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// First of all: before they are listened to, they end the process.
    ///
    /// # Errors
    /// When they cannot be listened to.
    pub fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }
}

/// How a process came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It was asked to stop, and everything ended in time.
    Clean,
    /// It was asked to stop, and this much was still running at the deadline.
    Overdue(usize),
    /// A second signal.
    Forced,
    /// A task died.
    Died(String),
}

impl Default for Lifecycle {
    fn default() -> Self {
        let (died, deaths) = mpsc::unbounded_channel();
        let tasks = Tasks {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            hard: CancellationToken::new(),
            died,
        };
        Self { tasks, deaths }
    }
}

impl Tasks {
    /// Is cancelled when no new work may begin.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// [`Self::spawn`] for what has no errors.
    pub fn spawn_endless(&self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn::<Infallible>(name, async move {
            task.await;
            Ok(())
        });
    }

    /// Runs `task` until it ends. It must end after [`Self::stop`], and not before.
    pub fn spawn<E>(
        &self,
        name: impl Into<String>,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: std::fmt::Display + Send + 'static,
    {
        let (name, died) = (name.into(), self.died.clone());
        let (stop, hard) = (self.stop.clone(), self.hard.clone());
        let (work, watch) = self.supervised(task);
        self.tracker.spawn(async move {
            let ended = tokio::select! {
                ended = work => ended,
                () = hard.cancelled() => {
                    watch.abort();
                    return;
                }
            };
            let reason = match ended {
                Ok(Ok(())) if stop.is_cancelled() => return,
                Ok(Ok(())) => "ended unasked".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(panic) => panic.to_string(),
            };
            // Nobody listens any more once the process is ending.
            let _ = died.send(format!("{name}: {reason}"));
        });
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where tasks are spawned")]
    fn supervised<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> (tokio::task::JoinHandle<T>, tokio::task::AbortHandle) {
        let handle = tokio::spawn(task);
        let abort = handle.abort_handle();
        (handle, abort)
    }
}

impl Lifecycle {
    /// Its tasks, to which more can be added.
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Waits for one of `signals` or for the death of a task, and ends everything; what is in flight has `drain` to
    /// finish.
    pub async fn run(mut self, signals: Signals, drain: Duration) -> End {
        let Signals { mut terminate, mut interrupt } = signals;
        let mut asked = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let death = tokio::select! {
            signal = asked() => {
                // First of all, so that nothing is begun any more when this is said.
                self.tasks.stop.cancel();
                tracing::info!(signal, "stopping: finishing what is in flight");
                None
            }
            death = self.deaths.recv() => {
                tracing::error!(death, "a task died; stopping");
                death
            }
        };
        let again = async {
            let signal = asked().await;
            tracing::warn!(signal, "stopping at once");
        };
        self.end(death, drain, again).await
    }

    /// Ends everything, without waiting for a reason to.
    pub async fn finish(self, drain: Duration) -> End {
        self.end(None, drain, std::future::pending()).await
    }

    async fn end(mut self, death: Option<String>, drain: Duration, again: impl Future<Output = ()>) -> End {
        self.tasks.stop.cancel();
        self.tasks.tracker.close();
        let drained = tokio::select! {
            () = self.tasks.tracker.wait() => End::Clean,
            () = tokio::time::sleep(drain) => End::Overdue(self.tasks.tracker.len()),
            () = again => End::Forced,
        };
        self.tasks.hard.cancel();
        let death = death.or_else(|| self.deaths.try_recv().ok());
        death.map_or(drained, End::Died)
    }
}
