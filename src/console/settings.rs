//! `server.console`: the settings of the console, which a reload replaces.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use jiff::tz::TimeZone;

use super::{password::Passwords, session::SessionKey};

/// `server.console`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleConfig {
    pub enabled: bool,
    pub external_url: Option<ExternalUrl>,
    pub passwords: Passwords,
    /// The number of the last webhooks that the page Templates offers.
    pub keep_payloads: usize,
    /// The length of a session.
    pub session: Duration,
}

/// The first segments of the relay's own paths. A prefix that begins with one of them would hide it.
const OWN_PATHS: [&str; 15] = [
    "webhook",
    "callback",
    "-",
    "metrics",
    "api",
    "messages",
    "templates",
    "setup",
    "senders",
    "assets",
    "login",
    "logout",
    "lang",
    "theme",
    "favicon.ico",
];

/// The address that browsers use, if a proxy is in front of the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalUrl {
    /// Such as `https://ops.example.com`.
    pub origin: String,
    /// Such as `/wecom`; empty for the root.
    pub prefix: String,
}

impl ExternalUrl {
    /// Reads an http or https URL without user, query and fragment. Its path has no `.`, `..` and `//`, which browsers and
    /// proxies change.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let is_host_char = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        let is_path_char = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
        let is_valid = matches!(scheme.as_str(), "http" | "https")
            && !host.is_empty()
            && host.chars().all(is_host_char)
            && path.chars().all(is_path_char);
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..");
        let segments = path.strip_suffix('/').unwrap_or(path);
        let is_valid = is_valid && (path.is_empty() || segments.split('/').all(is_segment));
        let prefix = if path.is_empty() { String::new() } else { format!("/{segments}") };
        let host = host.to_ascii_lowercase();
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        // A browser leaves out the usual port.
        let host = host.strip_suffix(default_port).unwrap_or(&host);
        is_valid.then(|| Self { origin: format!("{scheme}://{host}"), prefix })
    }

    /// The first segment of the prefix, if it is also that of one of the relay's own paths.
    pub(crate) fn own_path(&self) -> Option<&str> {
        self.prefix.split('/').nth(1).filter(|first| OWN_PATHS.contains(first))
    }

    pub(super) fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }
}

/// The settings in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleSettings {
    pub config: ConsoleConfig,
    pub key: SessionKey,
    /// The server speaks TLS.
    pub has_tls: bool,
    /// The zone of times on pages.
    pub zone: TimeZone,
}

/// The [`ConsoleSettings`] in force. Clones share them.
#[derive(Debug, Clone)]
pub struct ConsoleHandle(Arc<ArcSwap<ConsoleSettings>>);

impl ConsoleHandle {
    pub fn new(settings: ConsoleSettings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// Replaces the settings for each later request.
    pub fn replace(&self, settings: ConsoleSettings) {
        self.0.store(Arc::new(settings));
    }

    pub(super) fn current(&self) -> Arc<ConsoleSettings> {
        self.0.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_url_has_an_origin_and_a_prefix() {
        let parsed =
            |text: &str| ExternalUrl::parse(text).map(|url| format!("{} {}", url.origin, url.prefix));
        assert_eq!(
            parsed("https://ops.example.com/wecom/").as_deref(),
            Some("https://ops.example.com /wecom")
        );
        assert_eq!(parsed("HTTPS://OPS.example.com:443").as_deref(), Some("https://ops.example.com "));
        assert_eq!(parsed("http://[::1]:8061/a/b").as_deref(), Some("http://[::1]:8061 /a/b"));
        for bad in
            ["ops.example.com", "ftp://x", "https://", "https://u:p@x/", "https://x/?a=b", "https://x/#a"]
        {
            assert_eq!(parsed(bad), None, "{bad}");
        }
        for bad in ["https://x//", "https://x//a", "https://x/a//b", "https://x/a/..", "https://x/./a"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_prefix_must_not_begin_with_a_path_of_the_relay() {
        let own = |text: &str| ExternalUrl::parse(text).unwrap().own_path().map(str::to_owned);
        assert_eq!(own("https://x/webhook").as_deref(), Some("webhook"));
        assert_eq!(own("https://x/-/wecom/").as_deref(), Some("-"));
        for free in ["https://x", "https://x/wecom", "https://x/a/webhook", "https://x/webhooks"] {
            assert_eq!(own(free), None, "{free}");
        }
    }
}
