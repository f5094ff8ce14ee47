//! Decides which app and which receiver replace each notifier of an `alertmanager.yml`, and names them.

use super::source::{Notifier, Sender, Source};
use crate::text::percent_encode;

pub(super) struct Plan<'s> {
    pub(super) apps: Vec<PlannedApp<'s>>,
    pub(super) receivers: Vec<PlannedReceiver<'s>>,
}

pub(super) struct PlannedApp<'s> {
    pub(super) name: String,
    pub(super) sender: &'s Sender,
}

pub(super) struct PlannedReceiver<'s> {
    pub(super) name: String,
    pub(super) app: String,
    /// The place of its receiver in `alertmanager.yml`.
    pub(super) source_index: usize,
    pub(super) notifier: &'s Notifier,
}

impl<'s> Plan<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        let mut plan = Self { apps: Vec::new(), receivers: Vec::new() };
        let mut names: Vec<String> = source.receivers.iter().map(|receiver| receiver.name.clone()).collect();
        for receiver in &source.receivers {
            let mut name = receiver.name.clone();
            for (number, notifier) in receiver.notifiers.iter().enumerate() {
                if number > 0 {
                    // A receiver of the relay has one message, so each later notifier is a receiver of its own.
                    name = unused(&receiver.name, |name| names.iter().any(|used| used == name));
                    names.push(name.clone());
                }
                let app = plan.app(&notifier.sender);
                let source_index = receiver.index;
                plan.receivers.push(PlannedReceiver { name: name.clone(), app, source_index, notifier });
            }
        }
        plan
    }

    /// The name of the app for a sender. Equal senders share an app.
    fn app(&mut self, sender: &'s Sender) -> String {
        if let Some(known) = self.apps.iter().find(|app| app.sender == sender) {
            return known.name.clone();
        }
        let id = sender.agent_id.as_deref().map(str::trim).filter(|id| is_number(id)).unwrap_or("unknown");
        let name = format!("app-{id}");
        let is_used = |name: &str| self.apps.iter().any(|app| app.name == name);
        let name = if is_used(&name) { unused(&name, is_used) } else { name };
        self.apps.push(PlannedApp { name: name.clone(), sender });
        name
    }
}

impl PlannedReceiver<'_> {
    /// The URL for Alertmanager. `relay_url` has no slash at its end.
    pub(super) fn webhook_url(&self, relay_url: &str) -> String {
        format!("{relay_url}/webhook/{}", percent_encode(&self.name))
    }
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `name-2`, or with the next number that is not used.
fn unused(name: &str, is_used: impl Fn(&str) -> bool) -> String {
    let mut number = 2_usize;
    loop {
        let candidate = format!("{name}-{number}");
        if !is_used(&candidate) {
            return candidate;
        }
        number += 1;
    }
}
