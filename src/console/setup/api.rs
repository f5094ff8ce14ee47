//! The Setup page as JSON, and its changes.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    change::{reload_now, start_doctor},
    page,
    test_messages::send,
};
use crate::{
    console::{reader::Reader, refusal::Refusal, state::ConsoleState},
    doctor::{Examination, Finding},
    language::Bilingual,
    outbox::{Outbox, rfc3339},
    wecom::{Errcode, errcode as errcodes},
};

/// `GET /api/v1/receivers`
pub(in crate::console) async fn receivers<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    headers: HeaderMap,
) -> Response {
    Json(page::receivers(&state, &reader, &headers).await).into_response()
}

/// `POST /api/v1/receivers/{name}/test`
pub(in crate::console) async fn test<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(name): Path<String>,
) -> Response {
    match send(&state, &reader, &name).await {
        Ok(id) => (StatusCode::ACCEPTED, Json(json!({ "id": id.0 }))).into_response(),
        Err(refusal) => refusal.json(),
    }
}

/// `POST /api/v1/reload`
pub(in crate::console) async fn reload<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
) -> Response {
    match reload_now(&state, &reader).await {
        Ok(Ok(summary)) => Json(json!({ "summary": summary })).into_response(),
        Ok(Err(problems)) => Refusal::BadRequest(problems).json(),
        Err(refusal) => refusal.json(),
    }
}

/// `GET /api/v1/doctor`: the last run.
pub(in crate::console) async fn doctor<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
) -> Response {
    Json(examination(&state.setup.parts.doctor.latest(), &reader)).into_response()
}

/// `POST /api/v1/doctor`: makes the checks, and answers when all are made.
pub(in crate::console) async fn run_doctor<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
) -> Response {
    if let Err(refusal) = start_doctor(&state, &reader) {
        return refusal.json();
    }
    let mut runs = state.setup.parts.doctor.watch();
    match runs.wait_for(|run| !run.is_running).await {
        Ok(run) => Json(examination(&run, &reader)).into_response(),
        Err(_) => Refusal::Stopping.json(),
    }
}

/// The findings are those of `wecom-relay doctor --json`.
fn examination(run: &Examination, reader: &Reader) -> Value {
    json!({
        "started_at": run.started_at.map(|at| rfc3339(at, &reader.moments.zone)),
        "running": run.is_running,
        "findings": run.findings.iter().map(Finding::json).collect::<Vec<_>>(),
    })
}

/// `GET /api/v1/errcodes/{n}`
pub(in crate::console) async fn errcode(Path(number): Path<String>) -> Response {
    let entry = number.parse().ok().and_then(|number| errcodes::lookup(Errcode(number)));
    let Some(entry) = entry else {
        return Refusal::NotFound(format!("the relay does not know the errcode {number}")).json();
    };
    let both = |text: Bilingual<&'static str>| json!({ "en": text.en, "zh": text.zh });
    let answer = json!({
        "errcode": entry.errcode.0,
        "class": entry.class.name(),
        "meaning": both(entry.meaning),
        "fix": entry.fix.map(both),
    });
    Json(answer).into_response()
}
