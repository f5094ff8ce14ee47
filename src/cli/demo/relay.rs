//! A sandbox and a relay in this process, with an outbox in a temporary folder.

use std::{net::TcpListener as StdListener, path::Path, sync::Arc};

use anyhow::Context;
use tokio::{net::TcpListener, task::spawn_blocking};

use super::language::Language;
use crate::{
    app::{self, Access, PrepareOptions, Prepared, Running, Store, random_seed},
    clock::SystemClock,
    config,
    lifecycle::Tasks,
    sandbox::{Directory, PhoneExtras, Sandbox, Settings},
    wecom::client::SenderClient,
};

/// The AgentId of the app that the relay sends with, in the directory of the sandbox.
pub(super) const AGENT: u64 = 1_000_002;
/// The AgentId of the app that sends without the relay.
pub(super) const DIRECT_AGENT: u64 = 1_000_030;

pub(super) struct Relay {
    pub(super) sandbox: Sandbox,
    pub(super) outbox: Store,
    /// The page with the phones of the members.
    pub(super) phones: String,
    /// The console of the relay.
    pub(super) console: String,
    /// The URL of the webhooks, without a receiver.
    pub(super) webhook: String,
    /// Sends as another app, without the relay.
    pub(super) direct: Arc<SenderClient>,
}

impl Relay {
    pub(super) async fn start(folder: &Path, language: Language, tasks: &Tasks) -> anyhow::Result<Self> {
        let clock = Arc::new(SystemClock);
        let sandbox = Sandbox::new(
            Directory::builtin(),
            Settings { seed: random_seed(), ..Settings::default() },
            clock.clone(),
        );
        let wecom_listener =
            TcpListener::bind("127.0.0.1:0").await.context("cannot listen for the sandbox")?;
        let phones = format!("http://{}/", wecom_listener.local_addr()?);
        let api_url = format!("{phones}cgi-bin/");
        let (wecom, stop) = (sandbox.clone(), tasks.stop());
        tasks.spawn("sandbox", async move { wecom.serve(wecom_listener, stop.cancelled_owned()).await });

        let listener = StdListener::bind("127.0.0.1:0").context("cannot listen for the relay")?;
        let console = format!("http://{}/", listener.local_addr()?);
        let webhook = format!("{console}webhook");
        sandbox.extend_page(PhoneExtras { console: Some(console.clone()), presses: None });
        let yaml = config_text(&api_url, folder, language);
        let config = config::parse(&yaml, &folder.join("config.yml"), &|_| None)?.config;
        let prepared = Prepared::new(config, PrepareOptions::default())?;
        let direct = prepared
            .client(prepared.intake.receiver("direct")?)
            .context("the app `direct` has no client")?
            .clone();
        let config = prepared.config.clone();
        let access = Access::Daemon { fingerprint: config.fingerprint() };
        let outbox = spawn_blocking(move || app::open_outbox(&config.outbox, access)).await??;
        Running::start(prepared, listener, outbox.clone(), clock, tasks.clone()).await?;
        Ok(Self { sandbox, outbox, phones, console, webhook, direct })
    }
}

fn config_text(api_url: &str, folder: &Path, language: Language) -> String {
    let template = language.pick("wechat.zh.message", "wechat.default.message");
    let outbox = serde_json::Value::from(folder.join("outbox.db").display().to_string());
    format!(
        "
server: {{ console: {{ keep_payloads: 64 }} }}
outbox: {{ path: {outbox} }}
apps:
  - {{ name: demo, corp_id: ww1234567890abcdef, agent_id: {AGENT}, api_secret: sandbox-secret-1000002, api_url: '{api_url}' }}
  - {{ name: direct, corp_id: ww1234567890abcdef, agent_id: {DIRECT_AGENT}, api_secret: sandbox-secret-1000030, api_url: '{api_url}' }}
receivers:
  - {{ name: wechat, app: demo, to_user: zhangsan, message: '{{% include \"{template}\" %}}' }}
  - {{ name: storm, app: demo, to_user: lisi, message: '{{% include \"{template}\" %}}' }}
  - {{ name: direct, app: direct, to_user: lisi }}
"
    )
}
