//! The calls of a card update, and what their outcomes mean together.
//!
//! A code can be used once, and WeCom refuses a used one. The refusal counts as a success if an earlier attempt of the same
//! update, whose outcome is unknown, may have used the code. Cards are changed one after the other, so that attempt did not
//! use the codes after one that WeCom accepts.
//!
//! A card that cannot be changed for another reason still shows the old state. The notification is then sent as a message,
//! even if other cards of the group were changed.

use crate::{
    outbox::{Claimed, CodeState, TriedCard},
    wecom::{
        ApiError, CardUpdate, Content, InvalidRecipients, Message, Otherwise, Outcome, Receipt, errcode,
    },
};

/// One call of a card update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardCall {
    /// The open card that it changes. `None` for the card of a press.
    pub task_id: Option<String>,
    /// True if an earlier attempt of this update may have used the code.
    pub may_be_used: bool,
    pub message: Message,
}

/// The calls of a card update, in order. Empty for any other delivery.
pub fn card_calls(claimed: &Claimed) -> impl Iterator<Item = CardCall> {
    let update = claimed.message.content.as_card_update();
    let of_press = update.as_ref().filter(|update| update.response_code.is_some()).map(|_| CardCall {
        task_id: None,
        may_be_used: claimed.unconfirmed_since.is_some(),
        message: claimed.message.clone(),
    });
    let of_group = update.into_iter().flat_map(move |update| {
        claimed.open_cards.iter().map(move |card| {
            let update = update.of_card(&card.task_id, &card.response_code);
            CardCall {
                task_id: Some(card.task_id.clone()),
                may_be_used: card.may_be_used,
                message: Message { content: Content::card_update(&update), ..claimed.message.clone() },
            }
        })
    });
    of_press.into_iter().chain(of_group)
}

/// The message that is sent at once, because no card is open. `None` if there is a card to change, or if this is no card
/// update.
pub fn without_open_card(claimed: &Claimed) -> Option<Content> {
    let update = claimed.message.content.as_card_update()?;
    let has_card = update.response_code.is_some() || !claimed.open_cards.is_empty();
    (!has_card).then(|| instead(update, claimed.text_form.as_deref()))
}

/// The message that takes the place of a card update whose card is gone. `None` for any other refusal.
pub(super) fn replacement(claimed: &Claimed, outcome: &Outcome) -> Option<Content> {
    let update = claimed.message.content.as_card_update()?;
    is_card_gone(outcome).then(|| instead(update, claimed.text_form.as_deref()))
}

/// Without a text form the card is better than nothing.
fn instead(update: CardUpdate, text_form: Option<&str>) -> Content {
    match (update.otherwise, text_form) {
        (Otherwise::Text, Some(text)) => Content::Text(text.to_owned()),
        (Otherwise::Text, None) | (Otherwise::Card, _) => Content::TemplateCard(update.template_card),
    }
}

/// True if WeCom may suppress a repeated send of the delivery. A code protects a card update better. A text may be equal to
/// that of another group, and [`Claimed::body`] does not show that.
pub fn has_duplicate_check(claimed: &Claimed) -> bool {
    match claimed.message.content.as_card_update() {
        None => claimed.message.recipients.have_duplicate_check(),
        Some(_) => matches!(without_open_card(claimed), Some(Content::TemplateCard(_))),
    }
}

/// True if WeCom says that the card cannot be changed any more.
pub fn is_card_gone(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Rejected(error) if errcode::is_card_gone(error))
}

/// True if an earlier attempt of this delivery has sent its card, because WeCom knows the task id.
pub(super) fn is_sent_already(claimed: &Claimed, outcome: &Outcome) -> bool {
    let is_refused = matches!(outcome, Outcome::Rejected(error) if errcode::is_task_id_refused(error));
    is_refused && claimed.unconfirmed_since.is_some() && claimed.message.content.task_id().is_some()
}

/// The outcomes of the calls of one card update.
#[derive(Debug, Default)]
pub struct CardOutcomes {
    has_accepted: bool,
    changed: usize,
    /// In the order of the calls.
    tried: Vec<TriedCard>,
    gone: Option<ApiError>,
    invalid: InvalidRecipients,
    failure: Option<Outcome>,
}

/// The outcome of all calls together.
#[derive(Debug, PartialEq, Eq)]
pub struct CardsOutcome {
    pub outcome: Outcome,
    pub tried_cards: Vec<TriedCard>,
    /// The number of cards that show the new state, as far as is known.
    pub changed: usize,
}

impl CardOutcomes {
    /// Adds the outcome of a call. False if no further call may be made.
    pub fn add(&mut self, call: &CardCall, outcome: Outcome) -> bool {
        let code = match &outcome {
            Outcome::Accepted(_) => Some(CodeState::Used),
            Outcome::Rejected(error) if errcode::is_card_gone(error) => {
                let is_used = call.may_be_used && !self.has_accepted;
                Some(if is_used { CodeState::Used } else { CodeState::Refused })
            }
            Outcome::Unknown(_) => Some(CodeState::Unconfirmed),
            Outcome::Rejected(_) | Outcome::NotSent(_) => None,
        };
        if let (Some(task_id), Some(code)) = (&call.task_id, code) {
            self.tried.push(TriedCard { task_id: task_id.clone(), code });
        }
        self.changed += usize::from(code == Some(CodeState::Used));
        match (outcome, code) {
            (Outcome::Accepted(receipt), _) => {
                self.has_accepted = true;
                add_invalid(&mut self.invalid, receipt.invalid);
            }
            (_, Some(CodeState::Used)) => {}
            (Outcome::Rejected(error), Some(CodeState::Refused)) => _ = self.gone.get_or_insert(error),
            (failure, _) => self.failure = Some(failure),
        }
        self.failure.is_none()
    }

    /// A card that is gone comes first: the message that takes its place also tells about cards that were not reached.
    pub fn end(self, claimed: &Claimed) -> CardsOutcome {
        let mut tried_cards = self.tried;
        if self.has_accepted {
            let later = claimed.open_cards.iter().skip(tried_cards.len()).filter(|card| card.may_be_used);
            let unused =
                later.map(|card| TriedCard { task_id: card.task_id.clone(), code: CodeState::Unused });
            tried_cards.extend(unused.collect::<Vec<_>>());
        }
        let outcome = match (self.gone, self.failure) {
            (Some(error), _) => Outcome::Rejected(error),
            (None, Some(failure)) => failure,
            (None, None) => Outcome::Accepted(Receipt { invalid: self.invalid, ..Receipt::default() }),
        };
        CardsOutcome { outcome, tried_cards, changed: self.changed }
    }
}

fn add_invalid(all: &mut InvalidRecipients, more: InvalidRecipients) {
    for (all, more) in [
        (&mut all.users, more.users),
        (&mut all.parties, more.parties),
        (&mut all.tags, more.tags),
        (&mut all.unlicensed, more.unlicensed),
    ] {
        let new: Vec<String> = more.into_iter().filter(|id| !all.contains(id)).collect();
        all.extend(new);
    }
}

#[cfg(test)]
mod tests;
