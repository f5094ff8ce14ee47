//! The port of Alertmanager's silences.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::language::Bilingual;

/// Matchers of a silence: a label must be equal to its value. Also the labels that alerts must have.
pub type Matchers = BTreeMap<String, String>;

/// A silence to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSilence {
    /// Not empty.
    pub matchers: Matchers,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub created_by: String,
    /// It contains the marker by which [`Silences::find`] recognizes it.
    pub comment: String,
}

/// A silence of Alertmanager that has not expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    pub id: String,
    pub ends_at: Timestamp,
}

/// Alertmanager did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {}", .detail.en)]
pub struct SilencesError {
    pub kind: SilencesErrorKind,
    /// For members: a short clause without a full stop and without technical details.
    pub reason: Bilingual<&'static str>,
    /// The address of Alertmanager. It contains no secret.
    pub url: String,
    /// For operators: the event and the advice, without any secret. A clause without a full stop.
    pub detail: Bilingual<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilencesErrorKind {
    /// Alertmanager refuses the request, and would refuse it again. Nothing was created.
    Refused,
    /// Nothing was created. The same request may succeed later.
    NotDone,
    /// The request was written, but no usable answer came: a silence may have been created.
    Unknown,
}

/// Alertmanager's silences and alerts.
pub trait Silences: Send + Sync + 'static {
    /// The silence with exactly these matchers whose comment contains `marker`, if it has not expired.
    fn find(
        &self,
        matchers: &Matchers,
        marker: &str,
    ) -> impl Future<Output = Result<Option<Silence>, SilencesError>> + Send;

    /// True if the silence `id` with exactly these matchers exists and has not expired.
    fn is_in_force(
        &self,
        matchers: &Matchers,
        id: &str,
    ) -> impl Future<Output = Result<bool, SilencesError>> + Send;

    /// Creates a silence, and returns its id.
    fn create(&self, silence: &NewSilence) -> impl Future<Output = Result<String, SilencesError>> + Send;

    /// True if Alertmanager has an alert with these labels that is not resolved. A silenced or inhibited alert counts.
    fn has_alerts(&self, labels: &Matchers) -> impl Future<Output = Result<bool, SilencesError>> + Send;

    /// The time at which Alertmanager started, if it says so. It knows no alerts until they are sent to it again.
    fn started_at(&self) -> impl Future<Output = Result<Option<Timestamp>, SilencesError>> + Send;
}
