//! `apps`: at least one, each with a unique name and a secret.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use super::{
    certificates,
    context::LoadContext,
    secrets::SecretSource,
    values::{Slashes, UsedName, duration, unique_name},
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed},
        model::{App, AppName, Limits},
        raw::{self, Field},
    },
    text::named_char,
    wecom::{
        client::{CALL_TIMEOUT, LONGEST_CALL_TIMEOUT},
        endpoint::{ApiUrl, ProxyUrl},
        message::AgentId,
    },
};

const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
const EXAMPLE: &str = "list at least one, with name, corp_id, agent_id and a secret";

/// The apps, valid or not. Receivers may name an app with errors without a second error.
pub(super) struct Apps<'y> {
    pub(super) names: Vec<&'y str>,
    pub(super) valid: Vec<Arc<App>>,
    /// The number of apps in the file.
    pub(super) listed: usize,
    /// `Ok` if there is at least one app, and all are valid.
    pub(super) complete: Result<(), ErrorGuaranteed>,
}

impl Apps<'_> {
    pub(super) fn into_valid(self) -> Result<Vec<Arc<App>>, ErrorGuaranteed> {
        self.complete.map(|()| self.valid)
    }
}

pub(super) fn read<'y>(
    field: &Field<'y>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Apps<'y> {
    let mut apps = Apps { names: Vec::new(), valid: Vec::new(), listed: 0, complete: Ok(()) };
    let items = match field.items(diagnostics) {
        Ok(items) => items.unwrap_or_default(),
        Err(reported) => {
            apps.complete = Err(reported);
            return apps;
        }
    };
    apps.listed = items.len();
    if items.is_empty() {
        apps.complete = Err(diagnostics.error(&field.location, "there is no app", EXAMPLE));
    }
    let environment_roots = certificates::of_environment(context, diagnostics);
    let mut used_names = Vec::new();
    for item in &items {
        match app(item, &mut used_names, context, diagnostics) {
            Ok(mut app) => {
                app.extra_roots = app.extra_roots.with(&environment_roots);
                warn_of_duplicate(&app, &apps.valid, diagnostics);
                apps.valid.push(Arc::new(app));
            }
            Err(reported) => apps.complete = Err(reported),
        }
    }
    apps.names = used_names.into_iter().map(|used| used.name).collect();
    apps
}

fn app<'y>(
    field: &Field<'y>,
    used_names: &mut Vec<UsedName<'y>>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<App, ErrorGuaranteed> {
    let raw = raw::App::read(field, diagnostics)?;
    let name = unique_name(&raw.name, Slashes::None, used_names, diagnostics);
    let corp_id = corp_id(&raw.corp_id, diagnostics);
    let agent_id = agent_id(&raw.agent_id, diagnostics);
    let api_secret = SecretSource::of_app(&raw).required(context, diagnostics);
    let api_url = api_url(&raw.api_url, diagnostics);
    let proxy_url = proxy_url(&raw, context, diagnostics);
    let extra_roots = certificates::ca_file(&raw.ca_file, context, diagnostics);
    let timeout = timeout(&raw.timeout, diagnostics);
    let limits = limits(&raw.limits, diagnostics);
    Ok(App {
        name: AppName::checked(name?),
        corp_id: corp_id?,
        agent_id: agent_id?,
        api_secret: api_secret?,
        api_url: api_url?,
        proxy_url: proxy_url?,
        extra_roots: extra_roots?,
        timeout: timeout?,
        limits: limits?,
        location: field.location.clone(),
    })
}

fn corp_id(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<String, ErrorGuaranteed> {
    let help =
        "write the corp's id, such as ww1234567890abcdef, which the console shows at 我的企业 → 企业ID";
    let id = field.required_text(help, diagnostics)?.trim();
    match id.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_')) {
        None => Ok(id.to_owned()),
        Some(odd) => {
            let message = format!("this is not a corp id, because it has the character {}", named_char(odd));
            Err(diagnostics.error(&field.location, message, help))
        }
    }
}

fn agent_id(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<AgentId, ErrorGuaranteed> {
    let help = "write the app's AgentId, a whole number above 0, such as 1000030";
    field.required_text(help, diagnostics)?;
    let parse = |text: &str| text.trim().parse().ok().filter(|id| *id > 0).map(AgentId);
    let id = field.parsed(parse, "an agent id", help, diagnostics)?;
    id.ok_or_else(|| diagnostics.error(&field.location, "this is missing", help))
}

fn timeout(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<Duration, ErrorGuaranteed> {
    let given = duration(field, Duration::ZERO, CALL_TIMEOUT, diagnostics)?;
    if !(SHORTEST_TIMEOUT..=LONGEST_CALL_TIMEOUT).contains(&given) {
        let message = "a call needs a time limit between 1s and 30s";
        return Err(diagnostics.error(&field.location, message, "write a duration such as 10s"));
    }
    Ok(given)
}

fn limits(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<Limits, ErrorGuaranteed> {
    let raw = raw::Limits::read(field, diagnostics)?;
    let per_minute = limit(&raw.per_minute, 30, "minute", diagnostics);
    let per_hour = limit(&raw.per_hour, 1000, "hour", diagnostics);
    Ok(Limits { per_minute: per_minute?, per_hour: per_hour? })
}

/// A number of messages in a `window`. WeCom itself allows `wecom_limit` of them.
fn limit(
    field: &Field<'_>,
    wecom_limit: u32,
    window: &str,
    diagnostics: &mut Diagnostics,
) -> Result<Option<NonZeroU32>, ErrorGuaranteed> {
    let help = format!("write a whole number such as {wecom_limit}; 0 is no limit");
    let limit = field.parsed(|text| text.parse().ok(), "a number of messages", &help, diagnostics)?;
    let limit: u32 = limit.unwrap_or(wecom_limit);
    let dropped = format!(
        "WeCom silently drops more than {wecom_limit} messages per {window} to one member, and answers errcode 0"
    );
    if limit == 0 {
        let help = format!("write {wecom_limit}, or remove the key");
        diagnostics.warn(&field.location, format!("0 is no limit; {dropped}"), help);
    } else if limit > wecom_limit {
        diagnostics.warn(&field.location, dropped, format!("write at most {wecom_limit}"));
    }
    Ok(NonZeroU32::new(limit))
}

fn api_url(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<ApiUrl, ErrorGuaranteed> {
    let written = field.text(diagnostics)?.unwrap_or("https://qyapi.weixin.qq.com/cgi-bin/");
    let url =
        ApiUrl::parse(written).map_err(|error| diagnostics.error(&field.location, error.to_string(), ""))?;
    let local = ["http://127.", "http://[::1]", "http://localhost"];
    if url.as_str().starts_with("http:") && !local.iter().any(|local| url.as_str().starts_with(local)) {
        diagnostics.warn(&field.location, "the secret goes over the network unencrypted", "use https");
    }
    Ok(url)
}

/// `proxy_url` is read as a secret, because it may contain a password.
fn proxy_url(
    raw: &raw::App<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<ProxyUrl>, ErrorGuaranteed> {
    let Some(written) = SecretSource::of_proxy(raw).read(context, diagnostics)? else { return Ok(None) };
    let keys = [&raw.proxy_url, &raw.proxy_url_file, &raw.proxy_url_env];
    let set_key = keys.into_iter().find(|field| field.is_set());
    let location = set_key.map_or(&raw.proxy_url.location, |field| &field.location);
    ProxyUrl::parse(&written).map(Some).map_err(|error| diagnostics.error(location, error.to_string(), ""))
}

fn warn_of_duplicate(app: &App, others: &[Arc<App>], diagnostics: &mut Diagnostics) {
    let is_same = |other: &&Arc<App>| other.corp_id == app.corp_id && other.agent_id == app.agent_id;
    if let Some(other) = others.iter().find(is_same) {
        let key = &other.location.key;
        let message = if other.api_url.as_str() == app.api_url.as_str() {
            format!(
                "this is the same WeCom app as {key}, so its messages are sent with the credentials of {key}, within the lower limits of both"
            )
        } else {
            format!("this is the same WeCom app as {key}, and each of them counts its own limits")
        };
        diagnostics.warn(&app.location, message, "use one of them for both");
    }
}
