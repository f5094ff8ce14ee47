//! The apps that have a callback, which a reload replaces.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;

use crate::{
    outbox::SenderName,
    wecom::{callback::CallbackKeys, message::AgentId},
};

/// An app that has a callback.
#[derive(Debug, Clone)]
pub struct CallbackApp {
    /// The sender of its cards. Another app with the same agent may come first.
    pub sender: SenderName,
    pub agent_id: AgentId,
    pub keys: CallbackKeys,
}

/// The apps by the names in their paths. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct CallbackApps(Arc<ArcSwap<HashMap<String, Arc<CallbackApp>>>>);

impl CallbackApps {
    /// Replaces all apps for each later request.
    pub fn replace(&self, apps: impl IntoIterator<Item = (String, CallbackApp)>) {
        let apps = apps.into_iter().map(|(name, app)| (name, Arc::new(app)));
        self.0.store(Arc::new(apps.collect()));
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<CallbackApp>> {
        self.0.load().get(name).cloned()
    }
}
