//! The channel from the checks to the reader of their findings.

use tokio::sync::mpsc;

use super::Finding;

/// Takes the findings. The reader sees the end when this is dropped.
#[derive(Debug)]
pub struct Findings(mpsc::UnboundedSender<Finding>);

/// Gives the findings in the order in which they were made.
#[derive(Debug)]
pub struct FoundFindings(mpsc::UnboundedReceiver<Finding>);

impl Findings {
    /// The number of findings is bounded by the configuration, so the channel is not.
    pub fn channel() -> (Self, FoundFindings) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), FoundFindings(receiver))
    }

    pub fn add(&self, subject: &str, finding: Finding) {
        // The reader may be gone. Its checks are then dropped, so nothing waits for them.
        _ = self.0.send(finding.about(subject));
    }
}

impl FoundFindings {
    /// The next finding, `None` after the last one.
    pub async fn next(&mut self) -> Option<Finding> {
        self.0.recv().await
    }
}
