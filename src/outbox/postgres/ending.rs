//! Records attempts and what they change in their deliveries.

use jiff::Timestamp;

use super::{
    columns::{duration_millis, invalid_recipients, millis, state_number, text},
    error::EngineResult,
    session::{Param, Transaction},
};
use crate::outbox::{Attempt, BodyHash, State};
use crate::wecom::{Content, Receipt};

// Only the last attempt is in the delivery's row.
pub(super) const MOVE_LAST_ATTEMPTS: &str = "INSERT INTO wecom_relay.attempt (delivery, n, sender, started_at, ms,
     ended_at, errcode, counted, detail)
     SELECT id, tries, sender, attempt_started_at, attempt_ms, attempt_ended_at, attempt_errcode, attempt_counted,
     attempt_detail FROM wecom_relay.delivery WHERE id = ANY($1) AND tries > 0";
// The attempts with an old content do not count for a new one.
pub(super) const RECORD: &str =
    "UPDATE wecom_relay.delivery d SET state = u.state, due_at = coalesce(u.due_at, d.due_at),
     attempts = d.attempts + u.charged,
     unknown_codes = CASE WHEN u.content IS NULL THEN d.unknown_codes + u.unknown_codes ELSE 0 END,
     unconfirmed_since = CASE WHEN u.content IS NULL THEN coalesce(d.unconfirmed_since, u.unconfirmed_since) END,
     settled_at = u.settled_at, reason = u.reason, msgid = u.msgid, invalid_recipients = u.invalid_recipients,
     msgtype = coalesce(u.msgtype, d.msgtype), content = coalesce(u.content, d.content), body = coalesce(u.body, d.body),
     tries = d.tries + 1, attempt_started_at = u.started_at, attempt_ms = u.ms, attempt_ended_at = u.ended_at,
     attempt_errcode = u.errcode, attempt_counted = u.counted, attempt_detail = u.detail
     FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::integer[], $5::integer[], $6::bigint[], $7::bigint[],
     $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[],
     $16::bigint[], $17::bigint[], $18::boolean[], $19::text[])
     AS u (id, state, due_at, charged, unknown_codes, unconfirmed_since, settled_at, reason, msgid, invalid_recipients,
     msgtype, content, body, started_at, ms, ended_at, errcode, counted, detail)
     WHERE d.id = u.id";

/// Attempts that have ended, by column.
#[derive(Default)]
pub(super) struct Endings {
    id: Vec<i64>,
    state: Vec<i32>,
    due_at: Vec<Option<i64>>,
    charged: Vec<i32>,
    unknown_codes: Vec<i32>,
    unconfirmed_since: Vec<Option<i64>>,
    settled_at: Vec<Option<i64>>,
    reason: Vec<Option<String>>,
    msgid: Vec<Option<String>>,
    invalid: Vec<Option<String>>,
    msgtype: Vec<Option<String>>,
    content: Vec<Option<String>>,
    body: Vec<Option<i64>>,
    started_at: Vec<i64>,
    ms: Vec<i64>,
    ended_at: Vec<i64>,
    errcode: Vec<Option<i64>>,
    counted: Vec<bool>,
    detail: Vec<String>,
}

/// The consequence of one attempt.
pub(super) enum Ending<'a> {
    Delivered(&'a Receipt),
    /// A dead letter, or a digest that was undone.
    Given {
        state: State,
        reason: &'a str,
    },
    Retry {
        due_at: i64,
        charged: bool,
        unconfirmed: bool,
        unknown_code: bool,
    },
    Replace {
        content: &'a Content,
        body: BodyHash,
        reason: &'a str,
    },
}

impl Endings {
    pub(super) fn add(&mut self, id: i64, attempt: &Attempt, ending: &Ending<'_>, now: Timestamp) {
        let Attempt { started_at, duration, errcode, detail, counted } = attempt;
        let (started_at, ms) = (millis(*started_at), duration_millis(*duration));
        self.id.push(id);
        self.started_at.push(started_at);
        self.ms.push(ms);
        self.ended_at.push(started_at.saturating_add(ms));
        self.errcode.push(*errcode);
        self.counted.push(*counted);
        self.detail.push(text(detail));
        let new_state = match ending {
            Ending::Delivered(_) => State::Delivered,
            Ending::Given { state, .. } => *state,
            Ending::Retry { .. } | Ending::Replace { .. } => State::Ready,
        };
        self.state.push(state_number(new_state));
        self.settled_at.push(new_state.is_settled().then_some(millis(now)));
        let (msgid, invalid) = match ending {
            Ending::Delivered(receipt) => {
                (Some(text(&receipt.msgid)), Some(text(&invalid_recipients(&receipt.invalid))))
            }
            _ => (None, None),
        };
        self.msgid.push(msgid);
        self.invalid.push(invalid);
        self.reason.push(match ending {
            Ending::Given { reason, .. } | Ending::Replace { reason, .. } => Some(text(reason)),
            Ending::Delivered(_) | Ending::Retry { .. } => None,
        });
        self.due_at.push(match ending {
            Ending::Retry { due_at, .. } => Some(*due_at),
            Ending::Replace { .. } => Some(millis(now)),
            Ending::Delivered(_) | Ending::Given { .. } => None,
        });
        let (charged, since, unknown) = match ending {
            // The interval of WeCom's duplicate check begins when WeCom accepts the message, which is after the start.
            Ending::Retry { charged, unconfirmed, unknown_code, .. } => {
                (*charged, unconfirmed.then_some(started_at), *unknown_code)
            }
            _ => (true, None, false),
        };
        self.charged.push(i32::from(charged));
        self.unconfirmed_since.push(since);
        self.unknown_codes.push(i32::from(unknown));
        let (content, body) = match ending {
            Ending::Replace { content, body, .. } => (Some(*content), Some(body.0)),
            _ => (None, None),
        };
        self.msgtype.push(content.map(|content| content.msgtype().to_owned()));
        self.content.push(content.map(|content| text(content.text())));
        self.body.push(body);
    }

    /// Stores the attempts and their consequences. The caller holds the locks of the rows.
    pub(super) async fn store(&self, tx: &Transaction<'_>) -> EngineResult<()> {
        if self.id.is_empty() {
            return Ok(());
        }
        tx.prepare(&[MOVE_LAST_ATTEMPTS, RECORD]).await?;
        let params: [Param<'_>; 19] = [
            &self.id,
            &self.state,
            &self.due_at,
            &self.charged,
            &self.unknown_codes,
            &self.unconfirmed_since,
            &self.settled_at,
            &self.reason,
            &self.msgid,
            &self.invalid,
            &self.msgtype,
            &self.content,
            &self.body,
            &self.started_at,
            &self.ms,
            &self.ended_at,
            &self.errcode,
            &self.counted,
            &self.detail,
        ];
        let (moved, recorded) =
            tokio::join!(tx.run(MOVE_LAST_ATTEMPTS, &params[..1]), tx.run(RECORD, &params));
        moved.and(recorded).map(drop)
    }
}
