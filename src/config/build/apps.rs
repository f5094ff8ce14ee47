//! `apps`: at least one, each complete.

use std::{num::NonZeroU32, sync::Arc};

use super::{Surroundings, name, secrets};
use crate::{
    config::{
        model::{App, AppName, Limits},
        problem::{Place, Report, Reported},
        raw::{self, Field},
    },
    wecom::{
        endpoint::{ApiUrl, ProxyUrl},
        message::AgentId,
    },
};

const EXAMPLE: &str = "list at least one, with name, corp_id, agent_id and a secret";

/// The apps as far as they could be read: receivers are checked against the names of the broken ones too.
pub(super) struct Apps<'y> {
    pub(super) names: Vec<&'y str>,
    pub(super) valid: Vec<Arc<App>>,
    /// How many are written.
    pub(super) listed: usize,
    /// Whether all of them are valid, and there is at least one.
    pub(super) complete: Result<(), Reported>,
}

impl Apps<'_> {
    pub(super) fn into_valid(self) -> Result<Vec<Arc<App>>, Reported> {
        self.complete.map(|()| self.valid)
    }
}

pub(super) fn read<'y>(field: &Field<'y>, around: &Surroundings<'_>, report: &mut Report) -> Apps<'y> {
    let mut apps = Apps { names: Vec::new(), valid: Vec::new(), listed: 0, complete: Ok(()) };
    let items = match field.items(report) {
        Ok(items) => items.unwrap_or_default(),
        Err(reported) => {
            apps.complete = Err(reported);
            return apps;
        }
    };
    apps.listed = items.len();
    if items.is_empty() {
        apps.complete = Err(report.problem(&field.place, "there is no app", EXAMPLE));
    }
    let mut taken = Vec::new();
    for item in &items {
        match app(item, &mut taken, around, report) {
            Ok(app) => {
                warn_of_twins(&app, &apps.valid, report);
                apps.valid.push(Arc::new(app));
            }
            Err(reported) => apps.complete = Err(reported),
        }
    }
    apps.names = taken.into_iter().map(|(name, _)| name).collect();
    apps
}

fn app<'y>(
    field: &Field<'y>,
    taken: &mut Vec<(&'y str, Place)>,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<App, Reported> {
    let raw = raw::App::read(field, report)?;
    let name = name(&raw.name, taken, report);
    let corp_id = raw.corp_id.required_text("write the corp's id, such as ww1234567890abcdef", report);
    let agent_id = agent_id(&raw.agent_id, report);
    let api_secret = secrets::Forms::of_app(&raw).required(around, report);
    let api_url = api_url(&raw.api_url, report);
    let proxy_url = proxy_url(&raw, around, report);
    let limits = limits(&raw.limits, report);
    Ok(App {
        name: AppName::checked(name?),
        corp_id: corp_id?.trim().to_owned(),
        agent_id: agent_id?,
        api_secret: api_secret?,
        api_url: api_url?,
        proxy_url: proxy_url?,
        limits: limits?,
        place: field.place.clone(),
    })
}

fn agent_id(field: &Field<'_>, report: &mut Report) -> Result<AgentId, Reported> {
    let right = "write the app's AgentId, a whole number above 0, such as 1000030";
    field.required_text(right, report)?;
    let parse = |text: &str| text.trim().parse().ok().filter(|id| *id > 0).map(AgentId);
    let id = field.parsed(parse, "an agent id", right, report)?;
    id.ok_or_else(|| report.problem(&field.place, "this is missing", right))
}

fn limits(field: &Field<'_>, report: &mut Report) -> Result<Limits, Reported> {
    let raw = raw::Limits::read(field, report)?;
    let per_minute = limit(&raw.per_minute, 30, report);
    let per_hour = limit(&raw.per_hour, 1000, report);
    Ok(Limits { per_minute: per_minute?, per_hour: per_hour? })
}

/// A number of messages; `wecom` is the number over which WeCom drops messages without a word.
fn limit(field: &Field<'_>, wecom: u32, report: &mut Report) -> Result<Option<NonZeroU32>, Reported> {
    let right = format!("write a whole number such as {wecom}; 0 is no limit");
    let limit = field.parsed(|text| text.parse().ok(), "a number of messages", &right, report)?;
    let limit: u32 = limit.unwrap_or(wecom);
    if limit > wecom {
        report.warn(&field.place, format!("WeCom silently drops what is over {wecom}"), "");
    }
    Ok(NonZeroU32::new(limit))
}

fn api_url(field: &Field<'_>, report: &mut Report) -> Result<ApiUrl, Reported> {
    let written = field.text(report)?.unwrap_or("https://qyapi.weixin.qq.com/cgi-bin/");
    let url = ApiUrl::parse(written).map_err(|error| report.problem(&field.place, error.to_string(), ""))?;
    let local = ["http://127.", "http://[::1]", "http://localhost"];
    if url.as_str().starts_with("http:") && !local.iter().any(|local| url.as_str().starts_with(local)) {
        report.warn(&field.place, "the secret goes over the network unencrypted", "use https");
    }
    Ok(url)
}

/// It may hold a password.
fn proxy_url(
    raw: &raw::App<'_>,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<Option<ProxyUrl>, Reported> {
    let Some(written) = secrets::Forms::of_proxy(raw).read(around, report)? else { return Ok(None) };
    let set =
        [&raw.proxy_url, &raw.proxy_url_file, &raw.proxy_url_env].into_iter().find(|field| field.is_set());
    let place = set.map_or(&raw.proxy_url.place, |field| &field.place);
    ProxyUrl::parse(&written).map(Some).map_err(|error| report.problem(place, error.to_string(), ""))
}

fn warn_of_twins(app: &App, others: &[Arc<App>], report: &mut Report) {
    let twin = |other: &&Arc<App>| other.corp_id == app.corp_id && other.agent_id == app.agent_id;
    if let Some(twin) = others.iter().find(twin) {
        let wrong =
            format!("this is the same app of WeCom as {}, and each counts its own limits", twin.place.key);
        report.warn(&app.place, wrong, "use one of them for both");
    }
}
