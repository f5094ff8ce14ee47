//! The callback of the running relay: its listener, and the apps that have one.

use std::{net::TcpListener, sync::Arc};

use axum::Router;

use super::{receivers, running::Running};
use crate::{
    config::{App, Config, Sender},
    http::{self, CallbackApp, CallbackBuffers, CallbackState, LogThrottles},
    outbox::Outbox,
};

impl<O: Outbox> Running<O> {
    /// Serves the callback on a listener of its own, if there is one. Returns its routes for the main listener.
    pub(super) fn serve_callback(&self, listener: Option<TcpListener>) -> Router {
        let stop = self.tasks.stop();
        let state = CallbackState {
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
            stop: stop.clone(),
            apps: self.callback_apps.clone(),
            presses: self.presses.clone(),
            buffers: CallbackBuffers::default(),
            log_throttles: LogThrottles::default(),
            metrics: Arc::clone(&self.metrics),
        };
        let router = http::callback_router(Arc::new(state));
        let Some(listener) = listener else { return router };
        let connections = http::MAX_CALLBACK_CONNECTIONS.min(self.tuning.connections);
        let server = http::serve(listener, router, self.callback_security.clone(), connections, stop);
        self.tasks.spawn("callback server", server);
        http::callback_elsewhere()
    }

    /// Uses the keys of `config` for each later request.
    pub(super) fn apply_callbacks(&self, config: &Config) {
        self.callback_security.replace(config.server.security.of_callback());
        let apps: Vec<_> = config.apps.iter().filter_map(|app| callback_app(app, config)).collect();
        apps.iter().for_each(|(name, _)| self.metrics.configured_callback(name));
        self.callback_apps.replace(apps);
    }
}

fn callback_app(app: &Arc<App>, config: &Config) -> Option<(String, CallbackApp)> {
    let sender = receivers::sender_name(&Sender::App(Arc::clone(app)), config);
    let callback = CallbackApp { sender, agent_id: app.agent_id, keys: app.callback.clone()? };
    Some((app.name.as_str().to_owned(), callback))
}
