//! Prints each message and each failed call when it arrives.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    cli::output::Output,
    sandbox::{Arrival, CallResponse, MemberOutcome, Message, MessageChange},
    text::shorten_columns,
};

/// Prints until the sandbox or the reader of standard output is gone.
/// Times are in the zone of `TZ` or of the system, as in `outbox list`.
pub(super) fn print(mut arrivals: Receiver<Arrival>, mut output: Output) {
    let zone = TimeZone::system();
    loop {
        let text = match arrivals.blocking_recv() {
            Ok(arrival) => described(&arrival, &zone),
            Err(RecvError::Lagged(missed)) => {
                Some(format!("{missed} calls came too fast to be printed; see GET /sandbox/messages"))
            }
            Err(RecvError::Closed) => return,
        };
        if text.is_some_and(|text| output.line(&text).is_err()) {
            return;
        }
    }
}

/// `None` for a call without a message that succeeded.
fn described(arrival: &Arrival, zone: &TimeZone) -> Option<String> {
    let Arrival { call, message, .. } = arrival;
    let time = call.at.to_zoned(zone.clone()).strftime("%H:%M:%S");
    let failure = failure(arrival);
    let Some(message) = message else {
        let api = call.api.name();
        return match &arrival.change {
            Some(change) => Some(format!("{time} {}", changed(change, failure.as_deref()))),
            None => failure.map(|failure| format!("{time} {api}: {failure}")),
        };
    };
    let note = failure.map(|failure| format!(", and {failure}")).unwrap_or_default();
    let origin = match (&message.group, message.agent_id) {
        (Some(group), 0) => format!("{} of the robot in {group}", message.msgtype),
        (Some(chat), app) => format!("{} of app {app} to chat {chat}", message.msgtype),
        (None, app) => format!("{} of app {app}", message.msgtype),
    };
    let mut text = format!("{time} {}{note} ({origin})", outcomes(message));
    let is_shown = message.members.iter().any(|(_, outcome)| *outcome == MemberOutcome::Shown);
    if is_shown {
        for line in message.text.lines() {
            _ = write!(text, "\n    {line}");
        }
    } else {
        let first = message.text.lines().next().unwrap_or_default();
        _ = write!(text, ": {}", shorten_columns(first, 60));
    }
    Some(text)
}

/// The new form of a card, or a recall.
fn changed(change: &MessageChange, failure: Option<&str>) -> String {
    let (members, note) = (change.members.join(", "), failure.map(|text| format!(", and {text}")));
    let note = note.unwrap_or_default();
    let Some(text) = &change.text else { return format!("{members}: a message was recalled{note}") };
    let mut described = format!("{members}: a card was updated{note}");
    for line in text.lines() {
        _ = write!(described, "\n    {line}");
    }
    described
}

/// The result for each member: `zhangsan, lisi: shown; wangwu: dropped by the rate limit`.
fn outcomes(message: &Message) -> String {
    let results = [
        (MemberOutcome::Shown, "shown"),
        (MemberOutcome::Dropped, "dropped by WeCom's rate limit"),
        (MemberOutcome::Duplicate, "duplicate, not shown again"),
    ];
    let with = |(outcome, result): (MemberOutcome, &str)| {
        let members = message.members.iter().filter(|(_, one)| *one == outcome);
        let members: Vec<&str> = members.map(|(userid, _)| userid.as_str()).collect();
        (!members.is_empty()).then(|| format!("{}: {result}", members.join(", ")))
    };
    let results: Vec<String> = results.into_iter().filter_map(with).collect();
    if results.is_empty() { "nobody: no member has a licence".to_owned() } else { results.join("; ") }
}

fn failure(arrival: &Arrival) -> Option<String> {
    let call = &arrival.call;
    // A fault answers in place of WeCom, or after it.
    let is_done = arrival.message.is_some() || arrival.change.is_some();
    let by = if call.taken && !is_done { "error" } else { "fault" };
    match call.response {
        CallResponse::Errcode(0) => None,
        CallResponse::Errcode(errcode) => {
            let errmsg = arrival.errmsg.split(", hint: [").next().unwrap_or_default();
            Some(format!("{by}: errcode {errcode}, {errmsg}"))
        }
        CallResponse::Status(status) => Some(format!("{by}: HTTP {status}")),
        CallResponse::None => Some(format!("{by}: no complete answer")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::sandbox::{Api, Call};

    fn arrival(response: CallResponse, errmsg: &str, members: &[(&str, MemberOutcome)]) -> Arrival {
        let at = Timestamp::constant(1_795_248_000, 0);
        let message = Message {
            msgid: "m".to_owned(),
            at,
            corp_id: "ww1".to_owned(),
            agent_id: 1000002,
            group: None,
            msgtype: "text".to_owned(),
            text: "磁盘满\ndb-1".into(),
            request: "".into(),
            content: Arc::default(),
            task_id: None,
            members: members.iter().map(|(userid, outcome)| ((*userid).to_owned(), *outcome)).collect(),
        };
        let call = Call {
            api: Api::MessageSend,
            at,
            from: None,
            app: Some(1000002),
            request: "".into(),
            taken: !members.is_empty(),
            response,
        };
        let message = (!members.is_empty()).then_some(message);
        Arrival { call, errmsg: errmsg.to_owned(), message, change: None }
    }

    #[test]
    fn a_message_is_printed_with_its_results() {
        use MemberOutcome::{Dropped, Duplicate, Shown};
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let ok = CallResponse::Errcode(0);
        let printed = [
            arrival(ok, "ok", &[("zhangsan", Shown), ("lisi", Dropped), ("wangwu", Shown)]),
            arrival(ok, "ok", &[("zhangsan", Duplicate)]),
            arrival(CallResponse::Status(502), "", &[("zhangsan", Dropped)]),
            arrival(CallResponse::Errcode(45009), "api freq out of limit, hint: [1]", &[]),
            arrival(CallResponse::None, "", &[]),
        ];
        let printed: Vec<String> = printed.iter().filter_map(|arrival| described(arrival, &zone)).collect();
        assert_eq!(
            printed,
            [
                "16:00:00 zhangsan, wangwu: shown; lisi: dropped by WeCom's rate limit (text of app 1000002)\n    磁盘满\n    db-1",
                "16:00:00 zhangsan: duplicate, not shown again (text of app 1000002): 磁盘满",
                "16:00:00 zhangsan: dropped by WeCom's rate limit, and fault: HTTP 502 (text of app 1000002): 磁盘满",
                "16:00:00 message/send: fault: errcode 45009, api freq out of limit",
                "16:00:00 message/send: fault: no complete answer",
            ]
        );
    }

    #[test]
    fn an_update_and_a_recall_are_printed() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let change = |text: Option<&str>, response| {
            let members = vec!["zhangsan".to_owned(), "lisi".to_owned()];
            let change = MessageChange { msgid: "m".to_owned(), members, text: text.map(Into::into) };
            let arrival = Arrival { change: Some(change), ..arrival(response, "", &[]) };
            described(&arrival, &zone).unwrap()
        };
        assert_eq!(
            change(Some("磁盘满\n(已认领)"), CallResponse::Errcode(0)),
            "16:00:00 zhangsan, lisi: a card was updated\n    磁盘满\n    (已认领)"
        );
        assert_eq!(
            change(None, CallResponse::Status(502)),
            "16:00:00 zhangsan, lisi: a message was recalled, and fault: HTTP 502"
        );
    }

    #[test]
    fn a_call_that_succeeds_without_a_message_is_not_printed() {
        assert_eq!(described(&arrival(CallResponse::Errcode(0), "ok", &[]), &TimeZone::UTC), None);
    }
}
