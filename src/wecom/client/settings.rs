//! The settings of a client.

use std::time::Duration;

use crate::{
    secret::Secret,
    tls::ExtraRoots,
    wecom::{
        endpoint::{ApiUrl, ProxyUrl},
        message::AgentId,
    },
};

/// Time limit for name lookup, TCP, the proxy and TLS together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The default time limit for one call, including the connection.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time limit for one call.
pub const LONGEST_CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The path to WeCom: URL, proxy, CAs and time limits.
#[derive(Debug, Clone)]
pub struct Connection {
    pub api_url: ApiUrl,
    /// `None` connects directly, even if the environment names a proxy.
    pub proxy_url: Option<ProxyUrl>,
    /// Trusted beside the built-in certificates, for WeCom and for an `https` proxy.
    pub extra_roots: ExtraRoots,
    /// Usually [`CONNECT_TIMEOUT`]. At most half of `call_timeout` is used, so that time is left for a reply.
    pub connect_timeout: Duration,
    /// Usually [`CALL_TIMEOUT`].
    pub call_timeout: Duration,
}

/// One app of one corp.
#[derive(Debug, Clone)]
pub struct AppSettings {
    pub corp_id: String,
    pub agent_id: AgentId,
    pub api_secret: Secret,
    pub connection: Connection,
}

/// One group robot.
#[derive(Debug, Clone)]
pub struct RobotSettings {
    /// The `key` of its webhook URL.
    pub key: Secret,
    pub connection: Connection,
}
