//! First half of a start or reload: compiles the templates and creates the clients. Changes nothing that runs.

use std::{collections::HashMap, sync::Arc};

use super::{
    receivers::{self, CompiledReceivers},
    tuning::Tuning,
};
use crate::{
    config::{Config, ConfigError, Diagnostic, Location},
    intake::{self, Intake, TemplateFailure},
    outbox::SenderName,
    wecom::{
        client::{Client, ClientSettings},
        token::TokenCaches,
    },
};

/// A configuration that is ready to be served.
#[derive(Debug)]
pub struct Prepared {
    pub config: Config,
    pub intake: Arc<Intake>,
    /// One client per sender, in the order of the configuration.
    pub clients: Vec<(SenderName, Arc<Client>)>,
    pub token_caches: Arc<TokenCaches>,
    pub tuning: Tuning,
    /// The place where each template is written, by its name.
    origins: HashMap<String, Location>,
}

/// Inputs of [`Prepared::new`] beside the configuration.
#[derive(Debug, Default)]
pub struct PrepareOptions {
    pub tuning: Tuning,
    /// Token caches of the running daemon, so that a reload keeps the tokens. `None` makes new ones.
    pub token_caches: Option<Arc<TokenCaches>>,
}

impl Prepared {
    /// Compiles the templates and creates the clients.
    ///
    /// # Errors
    /// All problems at once.
    pub fn new(config: Config, options: PrepareOptions) -> Result<Self, ConfigError> {
        let PrepareOptions { tuning, token_caches } = options;
        let token_caches =
            token_caches.unwrap_or_else(|| Arc::new(TokenCaches::new(tuning.probes.refused_secret.clone())));
        let mut problems = Vec::new();
        let compiled = receivers::compile(&config).map_err(|found| problems.extend(found)).ok();
        let mut clients = Vec::with_capacity(config.apps.len());
        for app in &config.apps {
            let settings = ClientSettings {
                corp_id: app.corp_id.clone(),
                agent_id: app.agent_id,
                api_secret: app.api_secret.clone(),
                api_url: app.api_url.clone(),
                proxy_url: app.proxy_url.clone(),
                extra_roots: app.extra_roots.clone(),
                connect_timeout: tuning.connect_timeout,
                call_timeout: app.timeout.min(tuning.call_timeout),
            };
            match Client::new(settings, &token_caches) {
                Ok(client) => {
                    let sender = receivers::sender_name(app, &config);
                    // Another app of the same sender comes first.
                    if sender.0 == app.name.as_str() {
                        clients.push((sender, Arc::new(client)));
                    }
                }
                Err(error) => problems.push(Diagnostic::new(app.location.clone(), error.to_string(), "")),
            }
        }
        if let Some(problems) = ConfigError::new(problems) {
            return Err(problems);
        }
        let Some(CompiledReceivers { receivers, templates, origins }) = compiled else {
            return Err(Diagnostic::new(Location::default(), "the templates do not compile", "").into());
        };
        let settings = intake::Settings {
            dedupe_window: config.outbox.dedupe_window,
            timezone: config.timezone.clone(),
        };
        let intake = Arc::new(Intake::new(receivers, templates, settings));
        Ok(Self { config, intake, clients, token_caches, tuning, origins })
    }

    /// A failure as a diagnostic, if its template is in the configuration or in a file.
    pub fn located(&self, failure: &TemplateFailure) -> Option<Diagnostic> {
        let TemplateFailure::Render(error) = failure else { return None };
        let origin = self.origins.get(&error.template)?;
        Some(receivers::located(origin.clone(), error.at, &error.message))
    }

    /// The client that sends for `receiver`.
    pub fn client(&self, receiver: &intake::Receiver) -> Option<&Arc<Client>> {
        self.clients.iter().find(|(sender, _)| *sender == receiver.sender).map(|(_, client)| client)
    }
}
