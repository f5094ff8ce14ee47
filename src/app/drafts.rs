//! Renders drafts of the console in child processes.
//!
//! A thread with a template that does not end could not be stopped, and it would take a place from the alerts. A process can
//! be killed.

use std::{
    fmt::Display,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    sync::Semaphore,
    time::timeout,
};

use crate::{
    intake::{Draft, DraftError, DraftOutcome},
    language::Bilingual,
};

const RUNNING: usize = 2;
const WAITING: usize = 4;
/// The largest outcome: several messages of a receiver, far below this.
const MAX_OUTCOME_BYTES: u64 = 4 << 20;

/// Renders drafts, two at once.
#[derive(Debug)]
pub(super) struct Drafts {
    program: PathBuf,
    limit: Duration,
    /// Those that run and those that wait.
    places: Semaphore,
    turns: Semaphore,
}

impl Drafts {
    /// `program` is wecom-relay. A draft takes at most `limit`.
    pub(super) fn new(program: PathBuf, limit: Duration) -> Self {
        Self { program, limit, places: Semaphore::new(RUNNING + WAITING), turns: Semaphore::new(RUNNING) }
    }

    /// # Errors
    /// [`DraftError`]
    pub(super) async fn render(&self, draft: &Draft) -> Result<DraftOutcome, DraftError> {
        let failed = |error: &dyn Display| DraftError::Failed(Bilingual::same(error.to_string()));
        let _place = self.places.try_acquire().map_err(|_| DraftError::Busy)?;
        let _turn = self.turns.acquire().await.map_err(|error| failed(&error))?;
        let json = serde_json::to_vec(draft).map_err(|error| failed(&error))?;
        let mut child = self.start().map_err(|error| failed(&error))?;
        let exchange = timeout(self.limit, exchange(&mut child, &json)).await;
        // The process must be gone before the next one takes its turn.
        _ = child.kill().await;
        let (status, outcome) =
            exchange.map_err(|_| DraftError::TimedOut(self.limit))?.map_err(|error| failed(&error))?;
        if !status.success() {
            return Err(DraftError::Failed(ended(status)));
        }
        serde_json::from_slice(&outcome).map_err(|error| failed(&error))
    }

    fn start(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.program);
        // The environment may have secrets, and a template cannot read it anyway.
        command.arg("render-draft").env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null()).kill_on_drop(true).spawn()
    }
}

/// The reason for a process that ended without an outcome. It limits its own memory, and is aborted above the limit.
fn ended(status: ExitStatus) -> Bilingual<String> {
    let cause = match status.code() {
        Some(_) => Bilingual::default(),
        None => Bilingual::new("; the template needs too much memory or time", "，模板需要的内存或时间过多"),
    };
    Bilingual::new(
        format!("the process that renders drafts ended ({status}){}", cause.en),
        format!("渲染草稿的进程已结束（{status}）{}", cause.zh),
    )
}

/// Gives the draft to the process, reads what it writes, and waits for its end.
async fn exchange(child: &mut Child, draft: &[u8]) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("the process has no pipes"));
    };
    // A process that has ended reads no more. Its status says why.
    _ = input.write_all(draft).await;
    drop(input);
    let mut outcome = Vec::new();
    output.take(MAX_OUTCOME_BYTES).read_to_end(&mut outcome).await?;
    Ok((child.wait().await?, outcome))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn the_end_of_a_process_by_a_signal_names_the_likely_cause() {
        let aborted = ended(ExitStatus::from_raw(6)).en;
        assert!(aborted.contains("SIGABRT") && aborted.ends_with("too much memory or time"), "{aborted}");
        assert_eq!(
            ended(ExitStatus::from_raw(1 << 8)).en,
            "the process that renders drafts ended (exit status: 1)"
        );
    }
}
