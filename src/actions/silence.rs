//! Creates the silence of a press, once.

use jiff::Timestamp;

use super::{failure::Failure, rules::marker};
use crate::{
    alertmanager::{NewSilence, Silence, Silences},
    outbox::{PressId, StoredCard},
    text::{one_line, shorten},
};

/// The bytes of an alert's summary in the comment of a silence.
const SUMMARY_BYTES: usize = 300;

/// The silence of a press: the one that an earlier attempt created, else a new one from `now` until `until`.
pub(super) async fn silence(
    silences: &impl Silences,
    press: PressId,
    card: &StoredCard,
    user: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Silence, Failure> {
    let matchers = &card.labels.0;
    let marker = marker(press);
    if let Some(created) = silences.find(matchers, &marker).await? {
        return Ok(created);
    }
    let summary = one_line(&card.summary);
    let comment = format!("Silenced from WeCom: {} {marker}", shorten(&summary, SUMMARY_BYTES));
    let new = NewSilence {
        matchers: matchers.clone(),
        starts_at: now,
        ends_at: until,
        created_by: user.to_owned(),
        comment,
    };
    let id = silences.create(&new).await?;
    Ok(Silence { id, ends_at: until })
}
