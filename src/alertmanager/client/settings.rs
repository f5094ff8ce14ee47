//! The settings of a client.

use std::{fmt, time::Duration};

use reqwest::Url;

use crate::{secret::Secret, tls::ExtraRoots};

/// `alertmanager` of the configuration.
#[derive(Debug, Clone)]
pub struct AlertmanagerSettings {
    pub url: AlertmanagerUrl,
    pub credentials: Credentials,
    /// Trusted beside the built-in certificates.
    pub extra_roots: ExtraRoots,
    /// Time limit for one call, including the connection.
    pub timeout: Duration,
}

#[derive(Debug, Clone, Default)]
pub enum Credentials {
    #[default]
    None,
    Bearer(Secret),
    Basic {
        username: String,
        password: Secret,
    },
}

/// The address of Alertmanager, with the path before `/api/v2` if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertmanagerUrl(Url);

/// A text is not the address of an Alertmanager. The error says what would be right, and quotes nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}: write it like http://127.0.0.1:9093")]
pub struct BadAlertmanagerUrl(&'static str);

impl AlertmanagerUrl {
    /// Parses an address with or without `/api/v2` at its end.
    ///
    /// # Errors
    /// [`BadAlertmanagerUrl`]
    pub fn parse(text: &str) -> Result<Self, BadAlertmanagerUrl> {
        let mut url = Url::parse(text.trim()).map_err(|_| BadAlertmanagerUrl("this is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(BadAlertmanagerUrl("this is not an http or https URL"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadAlertmanagerUrl("the user and the password belong into basic_auth"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadAlertmanagerUrl("it must not contain a ? or #"));
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/api/v2").unwrap_or(path).trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL of a call, such as `silences`.
    pub(super) fn call(&self, name: &str) -> Url {
        let mut url = self.0.clone();
        let path = format!("{}/api/v2/{name}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// True if the traffic is not encrypted and may leave this machine.
    pub fn is_open(&self) -> bool {
        let is_local = match self.0.host_str() {
            Some("localhost" | "[::1]") => true,
            Some(host) => host.starts_with("127."),
            None => false,
        };
        self.0.scheme() == "http" && !is_local
    }
}

impl fmt::Display for AlertmanagerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_before_the_api_is_kept() {
        for (text, call) in [
            ("http://127.0.0.1:9093", "http://127.0.0.1:9093/api/v2/silences"),
            (" https://ops.example.com/am/ ", "https://ops.example.com/am/api/v2/silences"),
            ("https://ops.example.com/am/api/v2/", "https://ops.example.com/am/api/v2/silences"),
            (
                "https://g.example.com/api/alertmanager/grafana",
                "https://g.example.com/api/alertmanager/grafana/api/v2/silences",
            ),
        ] {
            assert_eq!(AlertmanagerUrl::parse(text).unwrap().call("silences").as_str(), call);
        }
    }

    #[test]
    fn other_addresses_are_refused_without_being_quoted() {
        for text in [
            "",
            "alertmanager:9093",
            "ftp://a.example",
            "http://u:secret@a.example",
            "http://a.example/?key=secret",
            "http://a.example/#/alerts",
        ] {
            let error = AlertmanagerUrl::parse(text).unwrap_err().to_string();
            assert!(error.ends_with("write it like http://127.0.0.1:9093"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn only_a_remote_http_address_is_open() {
        let open = |text: &str| AlertmanagerUrl::parse(text).unwrap().is_open();
        assert!(open("http://am.example.com"));
        assert!(
            !open("https://am.example.com") && !open("http://localhost:9093") && !open("http://[::1]:9093")
        );
    }
}
