//! Runs the command: reads the file, writes the new files, shows the changes, and checks the result.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf, absolute},
};

use anyhow::{Context as _, anyhow};
use reqwest::Url;

use super::{
    diff,
    new_urls::{self, NewUrl},
    plan::{Plan, webhook_url},
    relay_config::{self, RelayConfig, Secrets, Settings},
    report,
    rewrite::{self, Rewritten, Webhook, Webhooks},
    source::{self, Source, SourceWebhook},
    templates,
};
use crate::{
    cli::{
        check,
        failure::Failure,
        new_file::{self, PRIVATE, PUBLIC},
        no_config::NoConfig,
        output::Output,
    },
    config,
    yaml::{self, Node},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
alertmanager.yml itself is not changed. The folder gets config.yml for the relay, the secrets, and a new
alertmanager.yml in which webhook_configs replace wechat_configs. Webhooks of programs for group robots, such as
a2w and PrometheusAlert, become robots.

The exit code is 0 if everything was carried over, and 1 otherwise.

Examples:
  wecom-relay import /etc/alertmanager/alertmanager.yml
  wecom-relay import --out /etc/wecom-relay --timezone Asia/Shanghai alertmanager.yml
  kubectl get secret alertmanager -o jsonpath='{.data.alertmanager\\.yaml}' | base64 -d | wecom-relay import -")]
pub(in crate::cli) struct Args {
    /// Read this alertmanager.yml; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the files into this folder, which must be new or empty
    #[arg(long, value_name = "FOLDER", default_value = "wecom-relay-import")]
    out: PathBuf,
    /// Let Alertmanager reach the relay at this URL
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8061", value_parser = relay_url)]
    relay_url: Url,
    /// Show times in this zone where a template asks for the local one [default: that of TZ or the system]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Put the secrets of apps here
    #[arg(long, value_enum, default_value = "file")]
    secrets: Secrets,
    #[command(flatten)]
    no_config: NoConfig,
}

/// The longest `alertmanager.yml`.
const LONGEST_BYTES: u64 = 4 << 20;
const CONFIG: &str = "config.yml";
const ALERTMANAGER: &str = "alertmanager.yml";

pub(in crate::cli) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let input = Input::read(args).map_err(Failure::Other)?;
    let (source, mut findings) = source::read(&input.root, &input.path, &input.folder);
    if source.receivers.is_empty() && source.webhooks.is_empty() {
        report::findings(&findings, output)?;
        let path = input.path.display();
        output.error(&format!(
            "{path}: no receiver has wechat_configs or the webhook of a robot, so there is nothing to import"
        ));
        return Err(Failure::Reported);
    }
    let templates = templates::read(&source.templates);
    findings.add(&templates);
    let plan = Plan::new(&source);
    let settings = Settings {
        listen: listen_address(&args.relay_url),
        timezone: args.timezone.as_deref(),
        secrets: args.secrets,
        default_recipients: &templates.default_recipients,
    };
    let config = relay_config::write(&plan, &templates.patterns, &settings);
    let relay_url = args.relay_url.as_str().trim_end_matches('/');
    let webhooks = webhooks(&source, &plan, relay_url);
    let urls = new_urls(&plan, relay_url);
    let with_urls = new_urls::replace(&input.text, &input.root, &urls);
    if with_urls.is_none() {
        urls.iter().for_each(|url| findings.add_url_by_hand(url, &input.path));
    }
    let (text, root) = with_urls.as_ref().map_or((&input.text, &input.root), |(text, root)| (text, root));
    let rewritten = rewrite::rewrite(text, root, &webhooks)
        .map_err(|error| Failure::Other(by_hand(&input, &error, &webhooks)))?;
    for by_hand in &rewritten.by_hand {
        findings.add_by_hand(by_hand, &input.path);
    }
    write(&args.out, &config, &rewritten).map_err(Failure::Other)?;
    report::written(&args.out, &config, output)?;
    let url = format!("{relay_url}/");
    report::diff(&diff::without_secrets(&input.text, &rewritten.text, &url), output)?;
    report::carried(&plan, output)?;
    report::findings(&findings, output)?;
    let is_valid = check(&args.out, &config, output)?;
    report::next_steps(&args.out, &config, is_valid, output)?;
    if is_valid && findings.errors.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

/// An `alertmanager.yml`.
struct Input {
    /// For diagnostics.
    path: PathBuf,
    /// Where its relative paths start.
    folder: PathBuf,
    text: String,
    root: Node,
}

impl Input {
    fn read(args: &Args) -> anyhow::Result<Self> {
        let is_stdin = args.file.as_os_str() == "-";
        let path = if is_stdin { PathBuf::from("standard input") } else { args.file.clone() };
        let mut bytes = Vec::new();
        let read = if is_stdin {
            io::stdin().lock().take(LONGEST_BYTES + 1).read_to_end(&mut bytes)
        } else {
            File::open(&path).and_then(|file| file.take(LONGEST_BYTES + 1).read_to_end(&mut bytes))
        };
        let shown = path.display();
        read.with_context(|| format!("{shown} cannot be read"))?;
        if bytes.len() as u64 > LONGEST_BYTES {
            return Err(anyhow!("{shown} is longer than 4 MiB, so it is not alertmanager.yml"));
        }
        let text = String::from_utf8(bytes).map_err(|_| anyhow!("{shown} is not UTF-8; convert it first"))?;
        let root = yaml::parse(&text).map_err(|error| {
            let at = error.at.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
            anyhow!("{shown}{at}: {}; correct it, so that amtool check-config accepts it", error.message)
        })?;
        if let Some(reason) = source::wrong_kind(&root) {
            return Err(anyhow!("{shown}: {reason}"));
        }
        let folder = if is_stdin { Path::new("") } else { path.parent().unwrap_or(Path::new("")) };
        let folder = absolute(Path::new(".").join(folder)).context("find the working directory")?;
        Ok(Self { folder, path, text, root })
    }
}

fn webhooks(source: &Source, plan: &Plan<'_>, relay_url: &str) -> Vec<Webhooks> {
    let of_receiver = |index: usize| {
        let receivers = plan.receivers.iter().filter(|receiver| receiver.source_index == index);
        let webhook = receivers.map(|receiver| Webhook {
            url: webhook_url(relay_url, &receiver.name),
            send_resolved: receiver.notifier.send_resolved,
        });
        Webhooks { receiver: index, webhooks: webhook.collect() }
    };
    source.receivers.iter().map(|receiver| of_receiver(receiver.index)).collect()
}

/// The URL that replaces each one of a robot. Its first receiver sends to the others, too.
fn new_urls(plan: &Plan<'_>, relay_url: &str) -> Vec<NewUrl> {
    let mut urls: Vec<NewUrl> = Vec::new();
    for receiver in &plan.robot_receivers {
        let SourceWebhook { index, entry, at, bytes, .. } = receiver.webhook;
        let is_known = urls.last().is_some_and(|last| (last.receiver, last.entry) == (*index, *entry));
        if !is_known {
            let url = webhook_url(relay_url, &receiver.name);
            urls.push(NewUrl { receiver: *index, entry: *entry, bytes: bytes.clone(), at: *at, url });
        }
    }
    urls
}

/// The error for a file that cannot be edited, with what to write instead.
fn by_hand(input: &Input, error: &str, webhooks: &[Webhooks]) -> anyhow::Error {
    let all: Vec<_> = webhooks.iter().map(rewrite::text_of).collect();
    anyhow!(
        "{}: {error}, so nothing was written; replace wechat_configs yourself by webhook_configs with:\n{}",
        input.path.display(),
        all.join("\n")
    )
}

fn write(folder: &Path, config: &RelayConfig, rewritten: &Rewritten) -> anyhow::Result<()> {
    let shown = folder.display();
    let is_empty = fs::read_dir(folder).map(|mut files| files.next().is_none()).unwrap_or(true);
    if !is_empty {
        return Err(anyhow!(
            "{shown} is not empty, and no file is overwritten; name another folder with --out"
        ));
    }
    new_folder(folder, 0o755)?;
    let secrets_folder = folder.join(relay_config::SECRETS_FOLDER);
    if !config.secret_files.is_empty() {
        new_folder(&secrets_folder, 0o700)?;
    }
    for secret in &config.secret_files {
        new_file(&secrets_folder.join(&secret.name), secret.value.expose(), PRIVATE)?;
    }
    // The relay may run as a user of its own, which must be able to read its configuration.
    let config_mode = if config.has_secrets { PRIVATE } else { PUBLIC };
    new_file(&folder.join(CONFIG), &config.text, config_mode)?;
    // Other receivers have secrets, too.
    new_file(&folder.join(ALERTMANAGER), &rewritten.text, PRIVATE)
}

fn new_folder(path: &Path, mode: u32) -> anyhow::Result<()> {
    let created = DirBuilder::new().recursive(true).mode(mode).create(path);
    created.with_context(|| format!("the folder {} cannot be made", path.display()))
}

fn new_file(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let written = new_file::write(path, text, mode);
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// Checks the new configuration, and shows a sample message of each receiver. Returns true if it is valid.
fn check(folder: &Path, config: &RelayConfig, output: &mut Output) -> Result<bool, Failure> {
    if config.variables.iter().any(|name| config::environment_variable(name).is_none()) {
        return Ok(true);
    }
    output.heading("Check of the new configuration")?;
    let path = folder.join(CONFIG);
    let loaded = config::load(&path, &config::environment_variable).map_err(Failure::from);
    match check::run(&check::Args::with_sample(SAMPLE), loaded, output) {
        Ok(()) => Ok(true),
        Err(Failure::Reported) => Ok(false),
        Err(other) => Err(other),
    }
}

/// The sample that is shown for each receiver.
const SAMPLE: &str = "mixed";

/// An address that accepts requests to `relay_url`: this machine only, if the URL names it.
fn listen_address(relay_url: &Url) -> String {
    let host = match relay_url.host_str() {
        Some("[::1]") => "[::1]",
        Some("127.0.0.1" | "localhost") => "127.0.0.1",
        _ => "0.0.0.0",
    };
    let port = relay_url.port_or_known_default().unwrap_or(DEFAULT_PORT);
    format!("{host}:{port}")
}

/// The relay's port by default. An http URL always has a port.
const DEFAULT_PORT: u16 = 8061;

/// Checks a URL for `--relay-url`.
fn relay_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "this is not a URL; write one such as http://127.0.0.1:8061")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || text.contains(['\'', '?', '#', ' ']) {
        return Err("write http:// or https://, a host and a port, such as http://127.0.0.1:8061".to_owned());
    }
    Ok(url)
}
