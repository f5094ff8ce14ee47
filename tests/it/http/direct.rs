//! The router without a socket and without a dispatcher, over its own outbox.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wecom_relay::{
    app::{PrepareOptions, Prepared},
    clock::SystemClock,
    config,
    http::{
        self, DEFAULT_MAX_MEMORY, LogThrottles, MemoryBudget, ReloadHandle, RenderPool, SecurityHandle,
        ServerState,
    },
    outbox::sqlite::{Access, Settings, SqliteOutbox},
};

use crate::support::Options;

/// A router with its state.
pub(super) struct Direct {
    router: Router,
    pub(super) stop: CancellationToken,
    pub(super) folder: TempDir,
    pub(super) security: SecurityHandle,
}

impl Direct {
    /// `memory` is the memory for bodies. The outbox waits for a lock for 20 ms.
    pub(super) fn new(memory: usize) -> Self {
        Self::with(memory, true)
    }

    /// With a listener that other machines can reach.
    pub(super) fn in_network() -> Self {
        Self::with(DEFAULT_MAX_MEMORY, false)
    }

    fn with(memory: usize, is_on_loopback: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let yaml = Options::default().yaml("http://127.0.0.1:9", &folder);
        let loaded = config::parse(&yaml, &folder.path().join("config.yml"), &|_| None).unwrap();
        let prepared = Prepared::new(loaded.config, PrepareOptions::default()).unwrap();
        let settings = Settings {
            busy_timeout: Duration::from_millis(20),
            ..Settings::new(folder.path().join("outbox.db"), 1 << 30)
        };
        let stop = CancellationToken::new();
        let security = SecurityHandle::new(prepared.config.server.security.clone());
        let pool = RenderPool::new(prepared.intake, http::RENDER_LIMIT);
        let state = ServerState {
            outbox: SqliteOutbox::open(settings, Access::Owner).unwrap(),
            render_pool: Arc::new(ArcSwap::from_pointee(pool)),
            clock: Arc::new(SystemClock),
            stop: stop.clone(),
            readiness: http::Readiness::default(),
            memory: MemoryBudget::new(memory),
            security: security.clone(),
            is_on_loopback,
            log_throttles: LogThrottles::default(),
            refusals: Arc::default(),
            payloads: Arc::new(http::Payloads::new(0)),
            metrics: Arc::default(),
            reloads: ReloadHandle::new(mpsc::channel(1).0),
        };
        Self { router: http::router(Arc::new(state), axum::Router::new()), stop, folder, security }
    }

    /// With enough memory for every body.
    pub(super) fn roomy() -> Self {
        Self::new(DEFAULT_MAX_MEMORY)
    }

    /// The status and the text of the response.
    pub(super) async fn ask(&self, request: Request<Body>) -> (u16, String) {
        let service = TowerToHyperService::new(self.router.clone());
        let Ok(answer) = service.call(request).await;
        let status = answer.status().as_u16();
        let text = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    pub(super) async fn post(&self, body: impl Into<Body>) -> (u16, String) {
        self.ask(Request::post("/webhook").body(body.into()).unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }
}
