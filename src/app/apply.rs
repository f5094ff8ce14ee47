//! Switches the running daemon to a prepared configuration.

use std::sync::Arc;

use super::{
    console::console_settings, prepare::Prepared, press_settings::press_settings, receivers, running::Running,
};
use crate::{
    config::{Config, Database, Receiver},
    dispatch::notices,
    outbox::Outbox,
};

/// A key that needs a restart if more than the password changes.
const OUTBOX_URL: &str = "outbox.url";

impl<O: Outbox> Running<O> {
    /// Serves `prepared` from now on. Returns the changed keys that need a restart.
    pub(super) fn apply(&mut self, prepared: Prepared) -> Vec<&'static str> {
        let Prepared { config, intake, clients, alertmanager, .. } = prepared;
        let names = clients.iter().map(|(sender, _)| sender.0.as_str());
        self.metrics.configured(names, config.receivers.iter().map(|receiver| receiver.name.as_str()));
        for (name, client) in clients {
            if let Some(sender) = config.sender(&name.0) {
                self.apply_sender(name, client, &sender, &config);
            }
        }
        let presses = press_settings(&config, alertmanager, &self.senders);
        self.press_settings.send_replace(Arc::new(presses));
        self.security.replace(config.server.security.clone());
        self.apply_callbacks(&config);
        self.payloads.keep(config.server.console.keep_payloads);
        self.desk.publish(&config, &intake);
        self.console.replace(console_settings(&config, &self.console_secret));
        let services = self.senders.iter().map(|(name, active)| (name.clone(), active.services.clone()));
        self.board.publish(&config, services.collect());
        self.render_pool.store(Arc::new(self.render_pool.load().with_intake(intake)));
        let routes = config.receivers.iter().filter_map(|receiver| route(&config, receiver));
        self.routes.send_replace(routes.collect());
        self.retention.send_replace(config.outbox.retention);
        self.secret_files.send_replace(config.origin.secret_files.clone());
        let keys = self.keys_that_need_a_restart(&config);
        self.outbox.use_config(config.fingerprint());
        self.configs.send_replace(Arc::new(config.clone()));
        if let Database::Postgres(database) = &config.outbox.database
            && !keys.contains(&OUTBOX_URL)
        {
            self.outbox.use_url(database.url.secret());
        }
        self.current = config;
        keys
    }

    fn keys_that_need_a_restart(&self, config: &Config) -> Vec<&'static str> {
        let (old, new) = (&self.started_with, config);
        let mut keys = Vec::new();
        if old.server.listen != new.server.listen {
            keys.push("server.listen");
        }
        if old.server.callback_listen != new.server.callback_listen {
            keys.push("server.callback_listen");
        }
        if old.server.max_memory_bytes != new.server.max_memory_bytes {
            keys.push("server.max_memory");
        }
        keys.extend(changed_database(&old.outbox.database, &new.outbox.database));
        if old.outbox.max_size_bytes != new.outbox.max_size_bytes {
            keys.push("outbox.max_size");
        }
        keys
    }
}

/// The keys of `outbox` that name another database.
fn changed_database(old: &Database, new: &Database) -> Vec<&'static str> {
    match (old, new) {
        (Database::File(old), Database::File(new)) if old != new => vec!["outbox.path"],
        (Database::File(_), Database::File(_)) => Vec::new(),
        (Database::Postgres(old), Database::Postgres(new)) => {
            let changed = [
                (!old.url.is_same_but_for_password(&new.url), OUTBOX_URL),
                (old.extra_roots != new.extra_roots, "outbox.ca_file"),
                (old.replica != new.replica, "outbox.replica"),
            ];
            changed.into_iter().filter(|(is_changed, _)| *is_changed).map(|(_, key)| key).collect()
        }
        (Database::File(_), Database::Postgres(_)) | (Database::Postgres(_), Database::File(_)) => {
            vec!["outbox.path", OUTBOX_URL]
        }
    }
}

fn route(config: &Config, receiver: &Receiver) -> Option<notices::Route> {
    let to = receivers::fallback(receiver, config)?;
    Some(notices::Route {
        receiver: receivers::receiver_name(receiver),
        sender: receivers::sender_name(&receiver.sender, config),
        fallback: to.name,
        fallback_sender: to.sender,
        fallback_recipients: to.recipients,
        after: receiver.fallback.as_ref()?.after,
        language: to.language,
        zone: config.timezone.clone(),
    })
}
