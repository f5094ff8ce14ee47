//! The calls of one send: one for a message, and one for each card of a card update.

use tokio_util::sync::CancellationToken;

use crate::{
    delivery::card_calls::{CardCall, CardOutcomes, CardsOutcome, card_calls},
    outbox::{Claimed, LeaseTerm, TriedCard},
    wecom::{Message, Outcome, TransportError, TransportErrorKind, WeCom},
};

/// The calls of one send.
pub(super) struct Calls<'a, W> {
    pub(super) wecom: &'a W,
    pub(super) term: LeaseTerm,
    /// No further card is changed after it, because a stop must not wait for many calls.
    pub(super) draining: CancellationToken,
}

/// The result of all calls.
pub(super) struct Called {
    pub(super) outcome: Outcome,
    pub(super) is_cut_off: bool,
    pub(super) tried_cards: Vec<TriedCard>,
}

impl<W: WeCom> Calls<'_, W> {
    pub(super) async fn make(&self, claimed: &Claimed) -> Called {
        let mut calls = card_calls(claimed).peekable();
        if calls.peek().is_some() {
            return self.change_cards(claimed, calls).await;
        }
        match within(&self.term, self.wecom.send(&claimed.message)).await {
            Ok(outcome) => Called { outcome, is_cut_off: false, tried_cards: Vec::new() },
            Err(has_begun) => {
                let outcome = cut_off(&claimed.message, has_begun);
                Called { outcome, is_cut_off: true, tried_cards: Vec::new() }
            }
        }
    }

    /// Changes one card after the other. A failure ends it, and the next attempt goes on with the cards that are left.
    async fn change_cards(&self, claimed: &Claimed, calls: impl Iterator<Item = CardCall>) -> Called {
        let mut outcomes = CardOutcomes::default();
        let mut is_cut_off = false;
        for (call, number) in calls.zip(0..) {
            let changed = match number {
                1.. if self.draining.is_cancelled() => Err(stopped(&call.message)),
                _ => {
                    let sent = within(&self.term, self.wecom.send(&call.message)).await;
                    sent.map_err(|has_begun| cut_off(&call.message, has_begun))
                }
            };
            is_cut_off = changed.is_err();
            let (Ok(outcome) | Err(outcome)) = changed;
            if !outcomes.add(&call, outcome) {
                break;
            }
        }
        let CardsOutcome { outcome, tried_cards, changed } = outcomes.end(claimed);
        tracing::debug!(delivery = claimed.id.0, open = claimed.open_cards.len(), changed, "cards changed");
        Called { outcome, is_cut_off, tried_cards }
    }
}

/// The outcome of a card that was not reached before the relay stops.
fn stopped(message: &Message) -> Outcome {
    let detail = "given up, because the relay stops; the next start goes on".to_owned();
    Outcome::NotSent(TransportError { api: message.api(), kind: TransportErrorKind::Lost, detail })
}

/// Sends until the lease ends: from then on another process may send the message again. The error is true if the call had
/// begun.
async fn within<T>(term: &LeaseTerm, send: impl Future<Output = T>) -> Result<T, bool> {
    let mut has_begun = false;
    let send = async {
        has_begun = true;
        send.await
    };
    let sent = tokio::select! {
        biased;
        () = term.ended() => None,
        sent = send => Some(sent),
    };
    sent.ok_or(has_begun)
}

/// The outcome of a message that was given up at the end of the lease.
fn cut_off(message: &Message, has_begun: bool) -> Outcome {
    let detail = "given up, because the lease of this sender has ended".to_owned();
    let error = TransportError { api: message.api(), kind: TransportErrorKind::Lost, detail };
    if has_begun { Outcome::Unknown(error) } else { Outcome::NotSent(error) }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use tokio::{sync::watch, time::Instant};

    use super::*;
    use crate::outbox::Validity;

    #[tokio::test(start_paused = true)]
    async fn a_message_may_be_accepted_only_if_its_call_has_begun() {
        let (validity, term) = watch::channel(Validity::Until(Instant::now() + Duration::from_secs(1)));
        let term = LeaseTerm::new(term);
        assert_eq!(within(&term, async { 7 }).await, Ok(7));
        assert_eq!(within(&term, pending::<u32>()).await, Err(true), "it ends during the call");
        assert_eq!(within(&term, async { 7 }).await, Err(false));
        drop(validity);
    }
}
