//! The additions of `demo` to the page: a link to the relay, and buttons that send alerts.

use tokio::sync::mpsc::UnboundedSender;

/// The parts of the page that are not about the sandbox.
#[derive(Debug, Clone, Default)]
pub struct PhoneExtras {
    /// The address of the relay's console.
    pub console: Option<String>,
    /// Takes the buttons that send alerts. Without it there are none.
    pub presses: Option<UnboundedSender<DemoPress>>,
}

/// A button that sends alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoPress {
    Sample,
    Resolved,
    /// Several hundred groups at once.
    Storm,
}

impl DemoPress {
    pub(super) const ALL: [Self; 3] = [Self::Sample, Self::Resolved, Self::Storm];

    /// The value in a form.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sample => "send-sample",
            Self::Resolved => "send-resolved",
            Self::Storm => "send-storm",
        }
    }
}
