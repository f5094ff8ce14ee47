//! Decides which apps, robots and receivers replace the notifiers of an `alertmanager.yml`, and names them.

use super::source::{Notifier, Sender, Source, SourceWebhook};
use crate::{secret::Secret, text::percent_encode};

pub(super) struct Plan<'s> {
    pub(super) apps: Vec<PlannedApp<'s>>,
    pub(super) receivers: Vec<PlannedReceiver<'s>>,
    pub(super) robots: Vec<PlannedRobot<'s>>,
    pub(super) robot_receivers: Vec<PlannedRobotReceiver<'s>>,
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

pub(super) struct PlannedRobot<'s> {
    pub(super) name: String,
    /// The key or the webhook URL.
    pub(super) key: &'s Secret,
}

/// A receiver of one robot.
pub(super) struct PlannedRobotReceiver<'s> {
    pub(super) name: String,
    pub(super) robot: String,
    /// The receivers of further robots of the same webhook.
    pub(super) also: Vec<String>,
    pub(super) webhook: &'s SourceWebhook,
}

impl<'s> Plan<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        let mut plan =
            Self { apps: Vec::new(), receivers: Vec::new(), robots: Vec::new(), robot_receivers: Vec::new() };
        let mut names: Vec<String> = source.receivers.iter().map(|receiver| receiver.name.clone()).collect();
        let used = names.len();
        names.extend(source.webhooks.iter().map(|webhook| webhook.receiver.clone()));
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
        let mut taken: Vec<String> = names.iter().take(used).cloned().collect();
        for webhook in &source.webhooks {
            plan.robots_of(webhook, &mut names, &mut taken);
        }
        plan
    }

    /// Plans a robot and a receiver for each key of a webhook. `names` must not be given to further receivers, and those
    /// that are `taken` have a receiver already.
    fn robots_of(&mut self, webhook: &'s SourceWebhook, names: &mut Vec<String>, taken: &mut Vec<String>) {
        let mut planned: Vec<PlannedRobotReceiver<'s>> = Vec::new();
        for key in &webhook.robots.keys {
            let mut name = webhook.receiver.clone();
            if taken.contains(&name) {
                name = unused(&name, |name| names.iter().any(|used| used == name));
                names.push(name.clone());
            }
            taken.push(name.clone());
            let robot = self.robot(key);
            planned.push(PlannedRobotReceiver { name, robot, also: Vec::new(), webhook });
        }
        let further: Vec<String> = planned.iter().skip(1).map(|receiver| receiver.name.clone()).collect();
        if let Some(first) = planned.first_mut() {
            first.also = further;
        }
        self.robot_receivers.extend(planned);
    }

    /// The name of the robot with a key. Equal keys share a robot.
    fn robot(&mut self, key: &'s Secret) -> String {
        if let Some(known) = self.robots.iter().find(|robot| robot.key.expose() == key.expose()) {
            return known.name.clone();
        }
        let name = format!("robot-{}", self.robots.len() + 1);
        self.robots.push(PlannedRobot { name: name.clone(), key });
        name
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

/// The URL of a receiver for Alertmanager. `relay_url` has no slash at its end.
pub(super) fn webhook_url(relay_url: &str, receiver: &str) -> String {
    format!("{relay_url}/webhook/{}", percent_encode(receiver))
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
