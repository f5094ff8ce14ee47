//! The silence of a press. Its comment has a marker, by which it is found again.

use jiff::Timestamp;

use super::{failure::PressFailure, rules::marker};
use crate::{
    alertmanager::{NewSilence, Silence, Silences},
    outbox::{Press, StoredCard},
    text::{one_line, shorten},
};

/// The bytes of an alert's summary in the comment of a silence.
const SUMMARY_BYTES: usize = 300;

/// The silence that an earlier attempt of `press` created.
pub(super) async fn created_before(
    silences: &impl Silences,
    press: &Press,
    card: &StoredCard,
) -> Result<Option<Silence>, PressFailure> {
    Ok(silences.find(&card.labels.0, &marker(press.id)).await?)
}

/// Creates the silence of `press`, from `now` until `until`.
pub(super) async fn create(
    silences: &impl Silences,
    press: &Press,
    card: &StoredCard,
    now: Timestamp,
    until: Timestamp,
) -> Result<Silence, PressFailure> {
    let summary = one_line(&card.summary);
    let comment = format!("Silenced from WeCom: {} {}", shorten(&summary, SUMMARY_BYTES), marker(press.id));
    let new = NewSilence {
        matchers: card.labels.0.clone(),
        starts_at: now,
        ends_at: until,
        created_by: press.user.clone(),
        comment,
    };
    let id = silences.create(&new).await?;
    Ok(Silence { id, ends_at: until })
}
