//! `wecom-relay outbox show`: one delivery with its attempts.

use jiff::tz::TimeZone;

use super::text::{held, moment, unknown_delivery};
use crate::{
    cli::{
        failure::Failure,
        output::{Output, shown},
    },
    clock::RelayClock,
    outbox::{DeliveryId, Detail, DetailJson, Listed, Outbox, PressRecord, State, kind_name, status_name},
    text::printable,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show this delivery; `outbox list` shows the ids
    #[arg(value_name = "ID")]
    id: i64,
    /// Print one JSON object with all fields
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    args: &Args,
    outbox: &impl Outbox,
    clock: &RelayClock,
    output: &mut Output,
) -> Result<(), Failure> {
    let id = DeliveryId(args.id);
    let Some(detail) = outbox.show(id).await? else { return Err(unknown_delivery(id, output)) };
    let presses = outbox.presses(id).await?;
    if args.json {
        let json = DetailJson::new(&detail, &presses, &TimeZone::system());
        output.line(&serde_json::to_string(&json)?)?;
        return Ok(());
    }
    let holds = outbox.holds().await?;
    let hold = holds.iter().find(|hold| hold.sender == detail.listed.sender);
    for (name, value) in fields(&detail, hold.map(|hold| held(hold, clock))) {
        output.line(&format!("{:<20}{value}", format!("{name}:")))?;
    }
    for attempt in &detail.attempts {
        let errcode = attempt.errcode.map_or_else(|| "-".to_owned(), |errcode| errcode.to_string());
        output.line(&format!(
            "  {}  {:.3} s  errcode {errcode}  {}",
            moment(attempt.started_at),
            attempt.duration.as_secs_f64(),
            printable(&attempt.detail)
        ))?;
    }
    for press in &presses {
        output.line(&pressed(press))?;
    }
    let bytes = detail.content.text().len();
    output.line(&format!("message ({}, {bytes} bytes):", detail.content.msgtype()))?;
    for line in shown(&detail.content.without_code()).lines() {
        output.line(&format!("  | {}", printable(line)))?;
    }
    Ok(())
}

/// A press as one line.
fn pressed(press: &PressRecord) -> String {
    let result = match (&press.result, &press.last_failure) {
        (Some(result), _) => result.clone(),
        (None, Some(reason)) => format!("will retry: {reason}"),
        (None, None) => "accepted, the relay is working on it".to_owned(),
    };
    let (at, button, user) = (moment(press.pressed_at), printable(&press.button), printable(&press.user));
    format!("pressed:            {at}  {button} by {user}: {}", printable(&result))
}

/// The fields of a delivery. `held` says why its app is held, if it is.
fn fields(detail: &Detail, held: Option<String>) -> Vec<(&'static str, String)> {
    let listed = &detail.listed;
    let Listed { id, notification, part, .. } = listed;
    let (kind, status) = (kind_name(listed.kind), status_name(listed.status));
    let delivery = format!(
        "{id}, part {} of {} of notification {notification} ({kind}, {status})",
        part.number, part.total
    );
    let is_waiting = matches!(listed.state, State::Queued | State::Ready);
    let held = held.filter(|_| is_waiting);
    let mut fields = vec![("delivery", delivery), ("state", state(listed, held.is_some()))];
    fields.extend(held.map(|held| ("app held", held)));
    if !listed.reason.is_empty() {
        fields.push(("reason", printable(&listed.reason)));
    }
    fields.push((
        "receiver",
        format!("{}, through app {}", printable(&listed.receiver.0), printable(&listed.sender.0)),
    ));
    fields.push(("group", printable(&detail.group_key)));
    fields.push(("to", detail.recipients.to_string()));
    fields.push(("accepted", moment(listed.accepted_at)));
    if let Some(digest) = listed.digest {
        fields.push(("digest", format!("folded into delivery {digest}")));
    }
    if let Some(since) = detail.unconfirmed_since {
        let since = format!("since {}: WeCom may have accepted it without an answer", moment(since));
        fields.push(("unconfirmed", since));
    }
    if let Some(at) = listed.recalled_at {
        fields.push(("recalled", moment(at)));
    }
    if !detail.msgid.is_empty() {
        fields.push(("msgid", printable(&detail.msgid)));
    }
    if !detail.invalid_recipients.is_empty() {
        fields.push(("invalid recipients", printable(&detail.invalid_recipients)));
    }
    fields.push(("summary", printable(&listed.summary)));
    fields.push(("attempts", attempts(detail.attempts.len(), listed.attempts)));
    fields
}

fn attempts(made: usize, counted: u32) -> String {
    if made == counted as usize {
        return made.to_string();
    }
    let count = if counted == 1 { "counts" } else { "count" };
    format!(
        "{made}, of which {counted} {count}: attempts before a requeue, and failures of the app or of WeCom, do not"
    )
}

fn state(listed: &Listed, is_held: bool) -> String {
    let name = listed.state.name();
    match (listed.state, listed.due_at, listed.settled_at) {
        (State::Queued, ..) => format!("{name} behind an earlier delivery of its group"),
        (State::Ready, ..) if is_held => format!("{name}, and waits until its app is released"),
        (State::Ready, Some(due), _) => format!("{name}, due {}", moment(due)),
        (_, _, Some(settled)) => format!("{name} since {}", moment(settled)),
        _ => name.to_owned(),
    }
}
