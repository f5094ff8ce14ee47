//! A message that has ended, on its way back to the dispatcher.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::service::Service;
use crate::{
    outbox::{Claimed, TriedCard},
    wecom::Outcome,
};

/// A message that has ended.
pub(super) struct Ended<W> {
    /// The service at the start of the message.
    pub(super) service: Arc<Service<W>>,
    pub(super) claimed: Claimed,
    pub(super) outcome: Outcome,
    /// True if it was given up, because the lease had ended or the relay stops.
    pub(super) is_cut_off: bool,
    pub(super) tried_cards: Vec<TriedCard>,
    pub(super) started_at: Timestamp,
    pub(super) duration: Duration,
}
