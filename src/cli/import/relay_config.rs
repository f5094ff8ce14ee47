//! Writes the configuration of the relay.

use std::{fmt::Write as _, path::PathBuf};

use clap::ValueEnum;

use super::{
    plan::{Plan, PlannedApp, PlannedReceiver, PlannedRobotReceiver, is_number},
    source::SourceSecret,
};
use crate::{secret::Secret, yaml_text::value};

/// The folder of secret files, beside the configuration.
pub(super) const SECRETS_FOLDER: &str = "secrets";

/// Where the secrets of apps go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Secrets {
    /// A file for each app, which only its owner can read
    File,
    /// An environment variable for each app, which you set
    Env,
    /// The configuration itself
    Inline,
}

/// A configuration, and what it needs beside it.
pub(super) struct RelayConfig {
    pub(super) text: String,
    pub(super) secret_files: Vec<SecretFile>,
    /// The text itself has a secret.
    pub(super) has_secrets: bool,
    /// Environment variables that a person must set.
    pub(super) variables: Vec<String>,
}

pub(super) struct SecretFile {
    /// The name of its file in the folder of secrets.
    pub(super) name: String,
    pub(super) value: Secret,
}

/// The settings that `alertmanager.yml` does not have.
pub(super) struct Settings<'a> {
    pub(super) listen: String,
    pub(super) timezone: Option<&'a str>,
    pub(super) secrets: Secrets,
    /// The names of default templates for recipients that the user's files define, such as `to_user`.
    pub(super) default_recipients: &'a [&'static str],
}

pub(super) fn write(plan: &Plan<'_>, templates: &[PathBuf], settings: &Settings<'_>) -> RelayConfig {
    let mut config = RelayConfig {
        text: "# Made by wecom-relay import. config.example.yml explains every key.\n".to_owned(),
        secret_files: Vec::new(),
        has_secrets: false,
        variables: Vec::new(),
    };
    config.push(&format!("server:\n  listen: {}\n", value(&settings.listen, 2)));
    config.push("outbox:\n  # systemd sets STATE_DIRECTORY. Without systemd the outbox is beside this file.");
    config.push("  path: ${STATE_DIRECTORY:-.}/outbox.db\n");
    if let Some(timezone) = settings.timezone {
        config.push(&format!("timezone: {}\n", value(timezone, 0)));
    }
    if !templates.is_empty() {
        config.push("templates:");
        for template in templates {
            config.push(&format!("  - {}", value(&template.to_string_lossy(), 2)));
        }
        config.push("");
    }
    if !plan.apps.is_empty() {
        config.push("apps:");
    }
    for app in &plan.apps {
        config.app(app, settings.secrets);
    }
    if !plan.robots.is_empty() {
        config.push("robots:");
    }
    for robot in &plan.robots {
        config.push(&format!("  - name: {}", value(&robot.name, 4)));
        config.secret("key", &robot.name, robot.key, settings.secrets);
    }
    config.push("\nreceivers:");
    for receiver in &plan.receivers {
        config.receiver(receiver, settings.default_recipients);
    }
    for receiver in &plan.robot_receivers {
        config.robot_receiver(receiver);
    }
    config
}

impl RelayConfig {
    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A key of an item in a list.
    fn key(&mut self, key: &str, text: &str) {
        const INDENT: usize = 4;
        self.push(&format!("    {key}: {}", value(text, INDENT)));
    }

    fn optional_key(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.key(key, text);
        }
    }

    fn app(&mut self, app: &PlannedApp<'_>, secrets: Secrets) {
        let sender = app.sender;
        self.push(&format!("  - name: {}", value(&app.name, 4)));
        self.optional_key("corp_id", sender.corp_id.as_deref());
        match sender.agent_id.as_deref().map(str::trim) {
            Some(id) if is_number(id) => self.push(&format!("    agent_id: {id}")),
            other => self.optional_key("agent_id", other),
        }
        match &sender.api_secret {
            Some(SourceSecret::File(file)) => self.key("api_secret_file", file),
            Some(SourceSecret::Value(secret)) => self.secret("api_secret", &app.name, secret, secrets),
            None => {}
        }
        self.optional_key("api_url", sender.api_url.as_deref());
        self.has_secrets |= sender.api_url.as_deref().is_some_and(has_password);
        match sender.proxy_url.as_deref() {
            Some(url) if has_password(url) && secrets != Secrets::Inline => {
                self.secret_file("proxy_url_file", &format!("{}_proxy", app.name), &Secret::new(url));
            }
            url => {
                self.optional_key("proxy_url", url);
                self.has_secrets |= url.is_some_and(has_password);
            }
        }
        self.optional_key("ca_file", sender.ca_file.as_deref());
    }

    /// Writes `key` of the sender with this name.
    fn secret(&mut self, key: &str, sender: &str, secret: &Secret, secrets: Secrets) {
        if let Some(variable) = variable(secret.expose()) {
            self.key(&format!("{key}_env"), variable);
            self.variables.push(variable.to_owned());
            return;
        }
        match secrets {
            Secrets::Inline => {
                self.key(key, secret.expose());
                self.has_secrets = true;
            }
            Secrets::File => self.secret_file(&format!("{key}_file"), sender, secret),
            Secrets::Env => {
                let variable = format!("WECOM_SECRET_{}", sender.replace('-', "_").to_uppercase());
                self.key(&format!("{key}_env"), &variable);
                self.variables.push(variable);
            }
        }
    }

    fn secret_file(&mut self, key: &str, name: &str, secret: &Secret) {
        // systemd sets CREDENTIALS_DIRECTORY for a unit with LoadCredential=.
        self.key(key, &format!("${{CREDENTIALS_DIRECTORY:-{SECRETS_FOLDER}}}/{name}"));
        self.secret_files.push(SecretFile { name: name.to_owned(), value: secret.clone() });
    }

    fn receiver(&mut self, receiver: &PlannedReceiver<'_>, default_recipients: &[&'static str]) {
        let notifier = receiver.notifier;
        self.push(&format!("  - name: {}", value(&receiver.name, 4)));
        self.key("app", &receiver.app);
        self.push("    template_language: go");
        let recipients =
            [("to_user", &notifier.to_user), ("to_party", &notifier.to_party), ("to_tag", &notifier.to_tag)];
        for (key, text) in recipients {
            match text {
                Some(text) => self.key(key, text),
                None if default_recipients.contains(&key) => {
                    self.key(key, &format!("{{{{ template \"wechat.default.{key}\" . }}}}"));
                }
                None => {}
            }
        }
        self.optional_key("message_type", notifier.message_type.as_deref());
        // Alertmanager prints `${` in a message as it is.
        self.optional_key(
            "message",
            notifier.message.as_deref().map(|text| text.replace("${", "$${")).as_deref(),
        );
        _ = writeln!(self.text, "    send_resolved: {}", notifier.send_resolved);
    }
}

impl RelayConfig {
    /// Members are mentioned in texts. Programs for robots send markdown otherwise.
    fn robot_receiver(&mut self, receiver: &PlannedRobotReceiver<'_>) {
        let mentioned = &receiver.webhook.robots.mentioned;
        self.push(&format!("  - name: {}", value(&receiver.name, 4)));
        self.key("robot", &receiver.robot);
        if mentioned.is_empty() {
            self.key("message_type", "markdown");
        } else {
            self.list("mentioned_list", mentioned);
        }
        self.key("language", "zh");
        if !receiver.also.is_empty() {
            self.list("also", &receiver.also);
        }
        _ = writeln!(self.text, "    send_resolved: {}", receiver.webhook.send_resolved);
    }

    fn list(&mut self, key: &str, items: &[String]) {
        let items: Vec<String> = items.iter().map(|item| value(item, 4)).collect();
        self.push(&format!("    {key}: [{}]", items.join(", ")));
    }
}

/// True if `url` may have a password.
fn has_password(url: &str) -> bool {
    url.contains('@')
}

/// `NAME` of a text that is `${NAME}`, which programs such as `envsubst` replace.
fn variable(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix("${")?.strip_suffix('}')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}
