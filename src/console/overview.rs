//! `GET /`: is anything wrong, and what must a person do?

use std::sync::Arc;

use axum::{Extension, extract::State, response::Response};
use serde::Serialize;

use super::{
    cards::{self, Card, Level, Seen},
    reader::Reader,
    site::Place,
    snapshot::Snapshot,
    state::ConsoleState,
    status::{ReceiverStatus, RefusedWebhook, SenderStatus},
};
use crate::{
    language::Language,
    outbox::{Listed, Outbox, ReceiverName, SenderName, State as Delivery},
    pages::{Mark, Moment, Moments},
};

/// The overview, for the page and for the API.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    /// `ok`, `warn` or `bad`.
    pub(super) verdict: &'static str,
    pub(super) sentence: String,
    pub(super) cards: Vec<Card>,
    pub(super) senders: Vec<SenderRow>,
    pub(super) receivers: Vec<ReceiverRow>,
    refused: Vec<RefusedRow>,
    version: &'static str,
    started: Moment,
    loaded: Moment,
    config: String,
    outbox_bytes: Option<u64>,
    outbox_max_bytes: Option<u64>,
    size: Option<String>,
    zone: String,
}

#[derive(Debug, Serialize)]
pub(super) struct SenderRow {
    name: String,
    is_robot: bool,
    /// `flows`, `held`, or `gone` if it is not in the configuration.
    state: &'static str,
    since: Option<Moment>,
    waiting: u64,
    oldest: Option<Moment>,
    last_delivered: Option<Moment>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReceiverRow {
    name: String,
    sender: String,
    is_gone: bool,
    waiting: u64,
    dead: usize,
    last_accepted: Option<Moment>,
    last_delivered: Option<Moment>,
}

#[derive(Debug, Serialize)]
struct RefusedRow {
    at: Moment,
    peer: String,
    path: String,
    status: u16,
    answer: String,
}

pub(super) async fn page<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
) -> Response {
    let overview = overview(&state, &reader.moments).await;
    let mut frame = reader.frame(Place::Overview, reader.words().overview);
    frame.count = overview.cards.len();
    frame.mark = match overview.verdict {
        "ok" => Mark::Ok,
        "warn" => Mark::Warn,
        _ => Mark::Bad,
    };
    state.pages.html("overview.html", &reader.visitor, &frame, reader.words(), &overview)
}

pub(super) async fn overview<O: Outbox>(state: &ConsoleState<O>, moments: &Moments) -> Overview {
    let (senders, receivers, config) =
        (state.status.senders(), state.status.receivers(), state.status.config());
    let refused = state.status.refused();
    let read = state.snapshots.read(&state.outbox, state.clock.as_ref()).await;
    let snapshot = read.as_ref().map(AsRef::as_ref).map_err(ToString::to_string);
    let seen = Seen { snapshot, senders: &senders, config: &config, refused: &refused };
    let cards = cards::cards(&seen, moments);
    let verdict = match cards.iter().map(|card| card.level).max() {
        None => "ok",
        Some(Level::Warn) => "warn",
        Some(Level::Bad) => "bad",
    };
    let snapshot = read.as_ref().ok().map(AsRef::as_ref);
    let size = snapshot.map(|snapshot| snapshot.size);
    Overview {
        verdict,
        sentence: sentence(cards.len(), snapshot, moments),
        cards,
        senders: sender_rows(&senders, snapshot, moments),
        receivers: receiver_rows(&receivers, snapshot, moments),
        refused: refused.last.iter().map(|refused| refused_row(refused, moments)).collect(),
        version: env!("CARGO_PKG_VERSION"),
        started: moments.at(config.started_at),
        loaded: moments.at(config.loaded_at),
        config: config.path,
        outbox_bytes: size.map(|size| size.bytes),
        outbox_max_bytes: size.map(|size| size.max_bytes),
        size: size.map(|size| format!("{} / {}", mebibytes(size.bytes), mebibytes(size.max_bytes))),
        zone: moments.zone.iana_name().unwrap_or("UTC").to_owned(),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn sentence(cards: usize, snapshot: Option<&Snapshot>, moments: &Moments) -> String {
    let last = snapshot.and_then(|snapshot| last_delivered(&snapshot.latest, |_| true));
    match (cards, last, moments.language) {
        (0, Some(_), Language::En) => "All messages flow.".to_owned(),
        (0, Some(_), Language::Zh) => "一切正常。".to_owned(),
        (0, None, Language::En) => "Nothing is wrong, and nothing was delivered lately.".to_owned(),
        (0, None, Language::Zh) => "没有异常，最近也没有送达的消息。".to_owned(),
        (1, _, Language::En) => "1 thing needs you".to_owned(),
        (count, _, Language::En) => format!("{count} things need you"),
        (count, _, Language::Zh) => format!("有 {count} 件事要处理"),
    }
}

/// The latest delivery among `latest` that `is_of` selects.
fn last_delivered(latest: &[Listed], is_of: impl Fn(&Listed) -> bool) -> Option<jiff::Timestamp> {
    let delivered = latest.iter().filter(|listed| listed.state == Delivery::Delivered && is_of(listed));
    delivered.filter_map(|listed| listed.settled_at).max()
}

fn sender_rows(senders: &[SenderStatus], snapshot: Option<&Snapshot>, moments: &Moments) -> Vec<SenderRow> {
    let mut rows: Vec<SenderRow> =
        senders.iter().map(|sender| sender_row(&sender.name, Some(sender), snapshot, moments)).collect();
    let depths = snapshot.map(|snapshot| snapshot.depths.as_slice()).unwrap_or_default();
    for depth in depths.iter().filter(|depth| depth.deliveries > 0) {
        if rows.iter().all(|row| row.name != depth.sender.0) {
            rows.push(sender_row(&depth.sender, None, snapshot, moments));
        }
    }
    rows
}

fn sender_row(
    name: &SenderName,
    status: Option<&SenderStatus>,
    snapshot: Option<&Snapshot>,
    moments: &Moments,
) -> SenderRow {
    let depths = snapshot.map(|snapshot| snapshot.depths.as_slice()).unwrap_or_default();
    let latest = snapshot.map(|snapshot| snapshot.latest.as_slice()).unwrap_or_default();
    let hold = snapshot.and_then(|snapshot| snapshot.holds.iter().find(|hold| hold.sender == *name));
    let own = || depths.iter().filter(|depth| depth.sender == *name);
    SenderRow {
        name: name.0.clone(),
        is_robot: status.is_some_and(|status| status.is_robot),
        state: match (status, hold) {
            (None, _) => "gone",
            (Some(_), Some(_)) => "held",
            (Some(_), None) => "flows",
        },
        since: hold.map(|hold| moments.at(hold.since)),
        waiting: own().map(|depth| depth.deliveries).sum(),
        oldest: own().filter_map(|depth| depth.oldest_accepted_at).min().map(|at| moments.at(at)),
        last_delivered: last_delivered(latest, |listed| listed.sender == *name).map(|at| moments.at(at)),
    }
}

fn receiver_rows(
    receivers: &[ReceiverStatus],
    snapshot: Option<&Snapshot>,
    moments: &Moments,
) -> Vec<ReceiverRow> {
    let mut rows: Vec<ReceiverRow> = receivers
        .iter()
        .map(|receiver| receiver_row(&receiver.name, Some(&receiver.sender), snapshot, moments))
        .collect();
    let depths = snapshot.map(|snapshot| snapshot.depths.as_slice()).unwrap_or_default();
    for depth in depths.iter().filter(|depth| depth.deliveries > 0) {
        if rows.iter().all(|row| row.name != depth.receiver.0) {
            rows.push(receiver_row(&depth.receiver, None, snapshot, moments));
        }
    }
    rows
}

fn receiver_row(
    name: &ReceiverName,
    sender: Option<&SenderName>,
    snapshot: Option<&Snapshot>,
    moments: &Moments,
) -> ReceiverRow {
    let depths = snapshot.map(|snapshot| snapshot.depths.as_slice()).unwrap_or_default();
    let latest = snapshot.map(|snapshot| snapshot.latest.as_slice()).unwrap_or_default();
    let dead = snapshot.map(|snapshot| snapshot.dead.as_slice()).unwrap_or_default();
    let own = || depths.iter().filter(|depth| depth.receiver == *name);
    let accepted = latest.iter().filter(|listed| listed.receiver == *name).map(|listed| listed.accepted_at);
    ReceiverRow {
        name: name.0.clone(),
        sender: sender
            .or_else(|| own().next().map(|depth| &depth.sender))
            .map(|name| name.0.clone())
            .unwrap_or_default(),
        is_gone: sender.is_none(),
        waiting: own().map(|depth| depth.deliveries).sum(),
        dead: dead.iter().filter(|listed| listed.receiver == *name).count(),
        last_accepted: accepted.max().map(|at| moments.at(at)),
        last_delivered: last_delivered(latest, |listed| listed.receiver == *name).map(|at| moments.at(at)),
    }
}

fn refused_row(refused: &RefusedWebhook, moments: &Moments) -> RefusedRow {
    RefusedRow {
        at: moments.at(refused.at),
        peer: refused.peer.clone(),
        path: refused.path.clone(),
        status: refused.status,
        answer: refused.answer.clone(),
    }
}
