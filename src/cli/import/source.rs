//! Reads the parts of an `alertmanager.yml` that send to WeCom.

use std::{
    cell::RefCell,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    findings::Findings,
    robot_url::{self, Destination, Robots},
};
use crate::{
    config::{Diagnostic, Location, Position},
    nearest::suggestion,
    secret::Secret,
    yaml::{Node, Value},
};

/// The parts of an `alertmanager.yml` that send to WeCom.
pub(super) struct Source {
    pub(super) receivers: Vec<SourceReceiver>,
    pub(super) webhooks: Vec<SourceWebhook>,
    /// The patterns of `templates`, as paths that do not depend on the working directory.
    pub(super) templates: Vec<PathBuf>,
}

/// A receiver with at least one entry of `wechat_configs`.
pub(super) struct SourceReceiver {
    pub(super) name: String,
    /// Its place in the list of all receivers.
    pub(super) index: usize,
    pub(super) notifiers: Vec<Notifier>,
}

/// An entry of `webhook_configs` whose URL names robots.
pub(super) struct SourceWebhook {
    /// The name of its receiver.
    pub(super) receiver: String,
    /// The place of its receiver in the list of all receivers.
    pub(super) index: usize,
    /// Its place in `webhook_configs`.
    pub(super) entry: usize,
    pub(super) at: Position,
    /// The URL in the text, with its quotes.
    pub(super) bytes: Option<Range<usize>>,
    pub(super) robots: Robots,
    pub(super) send_resolved: bool,
}

/// An entry of `wechat_configs`, filled from `global` as Alertmanager does it.
pub(super) struct Notifier {
    pub(super) sender: Sender,
    pub(super) to_user: Option<String>,
    pub(super) to_party: Option<String>,
    pub(super) to_tag: Option<String>,
    pub(super) message: Option<String>,
    pub(super) message_type: Option<String>,
    pub(super) send_resolved: bool,
}

/// The application that sends, and the way to WeCom.
#[derive(PartialEq)]
pub(super) struct Sender {
    pub(super) corp_id: Option<String>,
    pub(super) agent_id: Option<String>,
    pub(super) api_secret: Option<SourceSecret>,
    pub(super) api_url: Option<String>,
    pub(super) proxy_url: Option<String>,
    pub(super) ca_file: Option<String>,
}

pub(super) enum SourceSecret {
    Value(Secret),
    File(String),
}

impl PartialEq for SourceSecret {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(one), Self::Value(other)) => one.expose() == other.expose(),
            (Self::File(one), Self::File(other)) => one == other,
            _ => false,
        }
    }
}

const NOTIFIER_KEYS: [&str; 12] = [
    "send_resolved",
    "http_config",
    "api_secret",
    "api_secret_file",
    "corp_id",
    "message",
    "api_url",
    "to_user",
    "to_party",
    "to_tag",
    "agent_id",
    "message_type",
];

/// Reads the parts of `root` that send to WeCom. Relative paths start at `folder`, the folder of the file.
pub(super) fn read(root: &Node, file: &Path, folder: &Path) -> (Source, Findings) {
    let reader = Reader { root, file, folder, findings: RefCell::default() };
    let source = Source {
        receivers: reader.receivers(),
        webhooks: reader.webhooks(),
        templates: reader.texts("templates").map(|pattern| folder.join(pattern)).collect(),
    };
    (source, reader.findings.into_inner())
}

/// The reason why `root` is not an `alertmanager.yml`, or none.
pub(super) fn wrong_kind(root: &Node) -> Option<&'static str> {
    if root.get("receivers").is_some() {
        return None;
    }
    Some(if root.get("kind").is_some() || root.get("apiVersion").is_some() {
        "this is a Kubernetes object, and not alertmanager.yml; pipe the file that is in it: kubectl get secret NAME -o \
         jsonpath='{.data.alertmanager\\.yaml}' | base64 -d | wecom-relay import -"
    } else if root.get("alertmanager").is_some() {
        "these are values of a Helm chart, and not alertmanager.yml; write the part below `config` into a file of its own"
    } else if root.get("scrape_configs").is_some() {
        "this is the configuration of Prometheus, and not of Alertmanager; name alertmanager.yml"
    } else if root.get("apps").is_some() {
        "this is a configuration of wecom-relay already; name alertmanager.yml"
    } else {
        "this has no receivers, so it is not alertmanager.yml; name the configuration of Alertmanager"
    })
}

struct Reader<'n> {
    root: &'n Node,
    file: &'n Path,
    folder: &'n Path,
    findings: RefCell<Findings>,
}

impl<'n> Reader<'n> {
    fn texts(&self, key: &str) -> impl Iterator<Item = &'n str> {
        self.root.get(key).into_iter().flat_map(Node::items).filter_map(Node::scalar)
    }

    fn receivers(&self) -> Vec<SourceReceiver> {
        let mut receivers = Vec::new();
        let listed = self.root.get("receivers").map(Node::items).unwrap_or_default();
        for (index, receiver) in listed.iter().enumerate() {
            let entries = receiver.get("wechat_configs").map(Node::items).unwrap_or_default();
            if entries.is_empty() {
                continue;
            }
            let Some(name) = receiver.get("name").and_then(Node::scalar) else {
                self.error(receiver.at, "this receiver has no name", "give it the name that the routes use");
                continue;
            };
            let notifiers = entries.iter().map(|entry| self.notifier(entry)).collect();
            receivers.push(SourceReceiver { name: name.to_owned(), index, notifiers });
        }
        receivers
    }

    fn webhooks(&self) -> Vec<SourceWebhook> {
        let mut webhooks = Vec::new();
        let listed = self.root.get("receivers").map(Node::items).unwrap_or_default();
        for (index, receiver) in listed.iter().enumerate() {
            let Some(name) = receiver.get("name").and_then(Node::scalar) else { continue };
            let entries = receiver.get("webhook_configs").map(Node::items).unwrap_or_default();
            for (place, entry) in entries.iter().enumerate() {
                let Some(url) = entry.get("url") else { continue };
                let Some(robots) = self.robots(url) else { continue };
                webhooks.push(SourceWebhook {
                    receiver: name.to_owned(),
                    index,
                    entry: place,
                    at: url.at,
                    bytes: url.scalar_bytes(),
                    robots,
                    send_resolved: self.send_resolved(entry, true),
                });
            }
        }
        webhooks
    }

    /// The robots that a webhook URL names. Texts never quote the URL, because it has the keys.
    fn robots(&self, url: &Node) -> Option<Robots> {
        match robot_url::destination(url.scalar()?)? {
            Destination::Robots(robots) => {
                for left_out in &robots.left_out {
                    let message = format!("{} is not carried over", left_out.parameter);
                    self.warn(url.at, &message, left_out.help);
                }
                Some(robots)
            }
            Destination::Unnamed { message, help } => {
                self.error(url.at, message, help);
                None
            }
        }
    }

    fn notifier(&self, entry: &'n Node) -> Notifier {
        for known in entry.entries() {
            if !NOTIFIER_KEYS.contains(&known.key.as_str()) {
                let help =
                    format!("Alertmanager refuses it, too; {}", suggestion(&known.key, &NOTIFIER_KEYS));
                self.error(known.at, &format!("wechat_configs has no key {}", known.key), &help);
            }
        }
        let text = |key: &str| entry.get(key).and_then(Node::scalar).map(str::to_owned);
        Notifier {
            sender: self.sender(entry),
            to_user: self.recipients(entry, "to_user"),
            to_party: self.recipients(entry, "to_party"),
            to_tag: self.recipients(entry, "to_tag"),
            message: text("message"),
            message_type: text("message_type").filter(|kind| !kind.is_empty()),
            send_resolved: self.send_resolved(entry, false),
        }
    }

    /// Alertmanager reads YAML 1.1, which has more words for true and false.
    fn send_resolved(&self, entry: &Node, default: bool) -> bool {
        let Some(node) = entry.get("send_resolved") else { return default };
        let word = node.scalar().map(str::to_ascii_lowercase);
        match word.as_deref() {
            Some("true" | "yes" | "y" | "on") => true,
            Some("false" | "no" | "n" | "off") => false,
            None if matches!(node.value, Value::Null) => default,
            _ => {
                self.error(node.at, "send_resolved is neither true nor false", "write true or false");
                false
            }
        }
    }

    fn recipients(&self, entry: &Node, key: &str) -> Option<String> {
        let node = entry.get(key)?;
        let text = node.scalar()?.to_owned();
        self.warn_of_placeholder(node, key);
        Some(text)
    }

    fn sender(&self, entry: &'n Node) -> Sender {
        let own =
            |key: &str| entry.get(key).filter(|node| node.scalar().is_some_and(|text| !text.is_empty()));
        let global = |key: &str| self.root.get("global").and_then(|global| global.get(key));
        let value = |key: &'static str, global_key: &str| {
            let node = own(key).or_else(|| global(global_key))?;
            let text = node.scalar()?;
            self.warn_of_placeholder(node, key);
            self.refuse_template(node, key, text);
            (!text.is_empty()).then(|| text.to_owned())
        };
        let own_file = own("api_secret_file").and_then(Node::scalar);
        let api_secret = match own_file {
            Some(file) => Some(SourceSecret::File(self.path(file))),
            None => value("api_secret", "wechat_api_secret")
                .map(|secret| SourceSecret::Value(Secret::new(&secret)))
                .or_else(|| {
                    let file = global("wechat_api_secret_file")?.scalar()?;
                    Some(SourceSecret::File(self.path(file)))
                }),
        };
        let http = entry.get("http_config").or_else(|| global("http_config"));
        if let Some(http) = http {
            self.warn_of_http_keys(http);
        }
        let http_text = |path: [&str; 2]| {
            let node =
                path.iter().filter(|key| !key.is_empty()).try_fold(http?, |node, key| node.get(key))?;
            node.scalar().filter(|text| !text.is_empty()).map(str::to_owned)
        };
        Sender {
            corp_id: value("corp_id", "wechat_api_corp_id"),
            agent_id: value("agent_id", ""),
            api_secret,
            api_url: value("api_url", "wechat_api_url"),
            proxy_url: http_text(["proxy_url", ""]),
            ca_file: http_text(["tls_config", "ca_file"]).map(|file| self.path(&file)),
        }
    }

    /// A path that does not depend on the folder of the configuration.
    fn path(&self, file: &str) -> String {
        self.folder.join(file).to_string_lossy().into_owned()
    }

    /// Alertmanager renders these values, or is given them by a program that fills in the file.
    fn refuse_template(&self, node: &Node, key: &str, text: &str) {
        if text.contains("{{") {
            let message = format!("{key} is a template, and the relay has one app for each fixed value");
            self.error(node.at, &message, "list an app for each value, and a receiver for each app");
        }
    }

    fn warn_of_placeholder(&self, node: &Node, key: &str) {
        let text = node.scalar().unwrap_or_default().trim();
        if text.contains("${") {
            let help = "set that environment variable for the relay, or write the value";
            self.warn(
                node.at,
                &format!("{key} has ${{…}}, which the relay reads from its environment"),
                help,
            );
        } else if text.starts_with('<') && text.ends_with('>') {
            self.warn(
                node.at,
                &format!("{key} is a placeholder"),
                "write the value into the new configuration",
            );
        }
    }

    /// Keys of `http_config` that the relay has no equivalent for.
    fn warn_of_http_keys(&self, http: &Node) {
        const CARRIED: [&str; 4] = ["proxy_url", "tls_config", "follow_redirects", "enable_http2"];
        for entry in http.entries().iter().filter(|entry| !CARRIED.contains(&entry.key.as_str())) {
            self.warn_of_http_key(entry.at, &entry.key);
        }
        let tls = http.get("tls_config").map(Node::entries).unwrap_or_default();
        for entry in tls.iter().filter(|entry| entry.key != "ca_file") {
            self.warn_of_http_key(entry.at, &format!("tls_config.{}", entry.key));
        }
    }

    fn warn_of_http_key(&self, at: Position, key: &str) {
        let message = format!("http_config.{key} has no equivalent in the relay, and is left out");
        self.warn(at, &message, "the relay connects to WeCom directly or through proxy_url");
    }

    fn error(&self, at: Position, message: &str, help: &str) {
        self.findings.borrow_mut().errors.push(self.diagnostic(at, message, help));
    }

    fn warn(&self, at: Position, message: &str, help: &str) {
        let warning = self.diagnostic(at, message, help);
        let warnings = &mut self.findings.borrow_mut().warnings;
        // Values of `global` are read once for each entry.
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    fn diagnostic(&self, at: Position, message: &str, help: &str) -> Diagnostic {
        let location = Location { position: Some(at), ..Location::file(self.file) };
        Diagnostic::new(location, message, help)
    }
}
