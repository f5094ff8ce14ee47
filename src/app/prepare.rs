//! First half of a start or reload: compiles the templates and creates the clients. Changes nothing that runs.

use std::{collections::HashMap, sync::Arc};

use super::{
    receivers::{self, CompiledReceivers},
    tuning::Tuning,
};
use crate::{
    alertmanager::client::{AlertmanagerClient, AlertmanagerSettings},
    config::{App, Config, ConfigError, Diagnostic, Location, Sender},
    intake::{self, Intake, TemplateFailure},
    outbox::SenderName,
    wecom::{
        client::{AppSettings, Client, Connection, Robot, RobotSettings, SenderClient, SetupError},
        token::TokenCaches,
    },
};

/// A configuration that is ready to be served.
#[derive(Debug)]
pub struct Prepared {
    pub config: Config,
    pub intake: Arc<Intake>,
    /// One client per sender, in the order of the configuration.
    pub clients: Vec<(SenderName, Arc<SenderClient>)>,
    /// `None` without `alertmanager`.
    pub alertmanager: Option<Arc<AlertmanagerClient>>,
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
        let mut clients = Vec::new();
        for sender in config.senders() {
            match client(&sender, &tuning, &token_caches) {
                Ok(client) => {
                    let name = receivers::sender_name(&sender, &config);
                    // Another app or robot of the same sender comes first.
                    if name.0 == sender.name().as_str() {
                        clients.push((name, Arc::new(client)));
                    }
                }
                Err(error) => {
                    problems.push(Diagnostic::new(sender.location().clone(), error.to_string(), ""));
                }
            }
        }
        let alertmanager = match config.alertmanager.as_ref().map(|settings| alertmanager(settings, &tuning))
        {
            Some(Ok(client)) => Some(Arc::new(client)),
            Some(Err(error)) => {
                problems.push(Diagnostic::new(Location::default(), error.to_string(), ""));
                None
            }
            None => None,
        };
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
        Ok(Self { config, intake, clients, alertmanager, token_caches, tuning, origins })
    }

    /// A failure as a diagnostic, if its template is in the configuration or in a file.
    pub fn located(&self, failure: &TemplateFailure) -> Option<Diagnostic> {
        let TemplateFailure::Render(error) = failure else { return None };
        let origin = self.origins.get(&error.template)?;
        Some(receivers::located(origin.clone(), error.at, &error.message))
    }

    /// The sender of an app. Another app with the same agent may come first.
    pub fn sender_of(&self, app: &Arc<App>) -> SenderName {
        receivers::sender_name(&Sender::App(Arc::clone(app)), &self.config)
    }

    /// The client that sends for `receiver`.
    pub fn client(&self, receiver: &intake::Receiver) -> Option<&Arc<SenderClient>> {
        self.clients.iter().find(|(sender, _)| *sender == receiver.sender).map(|(_, client)| client)
    }
}

fn alertmanager(settings: &AlertmanagerSettings, tuning: &Tuning) -> Result<AlertmanagerClient, SetupError> {
    let timeout = settings.timeout.min(tuning.call_timeout);
    AlertmanagerClient::new(AlertmanagerSettings { timeout, ..settings.clone() })
}

fn client(sender: &Sender, tuning: &Tuning, token_caches: &TokenCaches) -> Result<SenderClient, SetupError> {
    let connection = Connection {
        connect_timeout: tuning.connect_timeout,
        call_timeout: sender.connection().call_timeout.min(tuning.call_timeout),
        ..sender.connection().clone()
    };
    match sender {
        Sender::App(app) => {
            let settings = AppSettings {
                corp_id: app.corp_id.clone(),
                agent_id: app.agent_id,
                api_secret: app.api_secret.clone(),
                connection,
            };
            Client::new(settings, token_caches).map(SenderClient::App)
        }
        Sender::Robot(robot) => {
            Robot::new(RobotSettings { key: robot.key.clone(), connection }).map(SenderClient::Robot)
        }
    }
}
