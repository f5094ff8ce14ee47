//! `GET /setup`

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, header::HOST},
    response::Response,
};
use serde::Serialize;

use super::{
    Credentials, ReceiverSetup,
    alertmanager_block::alertmanager_block,
    test_messages::{TestView, last_test},
    words::Words,
};
use crate::{
    console::{reader::Reader, site::Place, state::ConsoleState},
    doctor::{Examination, Finding, FindingStatus},
    language::Language,
    outbox::Outbox,
    pages::{Moment, Moments},
};

#[derive(Debug, Serialize)]
pub(super) struct SetupView {
    pub(super) receivers: Vec<ReceiverView>,
    pub(super) doctor: DoctorView,
    config: ConfigView,
}

#[derive(Debug, Serialize)]
pub(super) struct ReceiverView {
    pub(super) name: String,
    pub(super) sender: String,
    pub(super) is_robot: bool,
    pub(super) message_type: &'static str,
    pub(super) recipients: Option<String>,
    pub(super) max_parts: u16,
    pub(super) fallback: Option<String>,
    pub(super) alertmanager: String,
    pub(super) last_test: Option<TestView>,
}

#[derive(Debug, Serialize)]
pub(super) struct DoctorView {
    pub(super) started: Option<Moment>,
    pub(super) is_running: bool,
    pub(super) ok: usize,
    pub(super) warnings: usize,
    pub(super) failed: usize,
    pub(super) findings: Vec<FindingView>,
}

#[derive(Debug, Serialize)]
pub(super) struct FindingView {
    /// The class in the style sheet.
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) status_name: &'static str,
    pub(super) heading: String,
    pub(super) message: String,
    pub(super) help: String,
}

#[derive(Debug, Serialize)]
struct ConfigView {
    path: String,
    loaded: Moment,
    problems: Option<String>,
}

pub(in crate::console) async fn page<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    headers: HeaderMap,
) -> Response {
    let words = Words::of(reader.language());
    let receivers = receivers(&state, &reader, &headers).await;
    let config = state.status.config();
    let view = SetupView {
        receivers,
        doctor: doctor_view(&state.setup.parts.doctor.latest(), &reader.moments),
        config: ConfigView {
            path: config.path,
            loaded: reader.moments.at(config.loaded_at),
            problems: config.problems,
        },
    };
    let frame = reader.frame(Place::Setup, words.title);
    state.pages.html("setup.html", &reader.visitor, &frame, words, &view)
}

/// All receivers of the configuration.
pub(super) async fn receivers<O: Outbox>(
    state: &ConsoleState<O>,
    reader: &Reader,
    headers: &HeaderMap,
) -> Vec<ReceiverView> {
    let (base_url, credentials) = (base_url(reader, headers), state.setup.parts.relay.credentials());
    let mut views = Vec::new();
    for receiver in state.setup.parts.relay.receivers() {
        let last_test = last_test(state, &receiver.name, &reader.moments).await;
        views.push(receiver_view(receiver, &base_url, &credentials, last_test, reader.language()));
    }
    views
}

fn receiver_view(
    receiver: ReceiverSetup,
    base_url: &str,
    credentials: &Credentials,
    last_test: Option<TestView>,
    language: Language,
) -> ReceiverView {
    ReceiverView {
        alertmanager: alertmanager_block(&receiver.name.0, base_url, receiver.send_resolved, credentials),
        name: receiver.name.0,
        sender: receiver.sender.0,
        is_robot: receiver.is_robot,
        message_type: receiver.message_type,
        recipients: receiver.recipients.map(|recipients| recipients.text(language)),
        max_parts: receiver.max_parts,
        fallback: receiver.fallback.map(|fallback| fallback.0),
        last_test,
    }
}

/// The address of the relay as the browser knows it.
fn base_url(reader: &Reader, headers: &HeaderMap) -> String {
    if let Some(url) = &reader.settings.config.external_url {
        return format!("{}{}", url.origin, url.prefix);
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:8061");
    let scheme = if reader.settings.has_tls { "https" } else { "http" };
    format!("{scheme}://{host}")
}

pub(super) fn doctor_view(latest: &Examination, moments: &Moments) -> DoctorView {
    let count = |status| latest.findings.iter().filter(|finding| finding.status == status).count();
    DoctorView {
        started: latest.started_at.map(|at| moments.at(at)),
        is_running: latest.is_running,
        ok: count(FindingStatus::Ok),
        warnings: count(FindingStatus::Warning),
        failed: count(FindingStatus::Failed),
        findings: latest.findings.iter().map(|finding| finding_view(finding, moments.language)).collect(),
    }
}

fn finding_view(finding: &Finding, language: Language) -> FindingView {
    let words = Words::of(language);
    let (class, sign, status_name) = match finding.status {
        FindingStatus::Ok => ("ok", "✔", words.good),
        FindingStatus::Warning => ("warn", "!", words.warnings),
        FindingStatus::Failed => ("bad", "✖", words.failures),
        FindingStatus::Skipped => ("plain", "–", words.skipped),
    };
    FindingView {
        class,
        sign,
        status_name,
        heading: finding.heading(language),
        message: finding.message.get(language).clone(),
        help: finding.help.get(language).clone(),
    }
}
