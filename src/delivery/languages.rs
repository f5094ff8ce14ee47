//! The language of each receiver, for messages that are written after the notification was accepted.

use std::{collections::BTreeMap, sync::Arc};

use crate::{language::Language, outbox::ReceiverName};

/// The language of each receiver of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Languages(Arc<BTreeMap<ReceiverName, Language>>);

impl Languages {
    /// The language of a receiver. A receiver that a reload removed gets English.
    pub fn of(&self, receiver: &ReceiverName) -> Language {
        self.0.get(receiver).copied().unwrap_or_default()
    }
}

impl FromIterator<(ReceiverName, Language)> for Languages {
    fn from_iter<I: IntoIterator<Item = (ReceiverName, Language)>>(receivers: I) -> Self {
        Self(Arc::new(receivers.into_iter().collect()))
    }
}
