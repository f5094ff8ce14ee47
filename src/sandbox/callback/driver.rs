//! Presses: from the button to the answer of the server.

use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::envelope::EventRequest;
use super::event::CardEvent;
use super::exchange;
use super::presses::{Attempt, AttemptResult, Press, PressError, PressFault, PressId};
use crate::sandbox::card_buttons::pressable;
use crate::sandbox::instance::Sandbox;
use crate::sandbox::record::Delivered;
use crate::sandbox::state::State;

/// The longest time for which [`PressFault::AfterNext`] waits.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Sandbox {
    /// A member presses a button of a card. The event is sent in the background; [`Sandbox::pressed`] waits for it.
    ///
    /// # Errors
    /// The member sees no such button, or the app has no callback.
    pub fn press(
        &self,
        member: &str,
        task_id: &str,
        key: &str,
        fault: Option<PressFault>,
    ) -> Result<PressId, PressError> {
        let client = self.client().ok_or(PressError::NoClient)?;
        let now = self.now();
        let (press, event) = self.change(|state| {
            let card = pressed_card(state, member, task_id, key)?;
            let Delivered { corp_id, agent_id, .. } = card;
            if state.callbacks.of(&corp_id, agent_id).is_none() {
                return Err(PressError::NoCallback { agent_id });
            }
            let card_type =
                card.content.get("card_type").and_then(Value::as_str).unwrap_or_default().to_owned();
            let response_code = state.cards.grant(&corp_id, agent_id, task_id, now, &mut state.rng);
            let event = CardEvent {
                corp_id: corp_id.clone(),
                agent_id,
                member: member.to_lowercase(),
                at: now,
                key: key.to_owned(),
                task_id: task_id.to_owned(),
                card_type,
                response_code: response_code.clone(),
            };
            let press = Press {
                id: state.presses.next_id(),
                at: now,
                corp_id,
                agent_id,
                member: event.member.clone(),
                task_id: event.task_id.clone(),
                key: event.key.clone(),
                response_code,
                fault,
                attempts: Vec::new(),
                is_settled: false,
            };
            state.presses.add(press.clone());
            Ok((press, event))
        })?;
        let id = press.id;
        self.spawn(tell(self.clone(), client, press, event));
        Ok(id)
    }

    /// Waits until the server has answered, or WeCom has given up.
    pub async fn pressed(&self, id: PressId) -> Option<Press> {
        let is_settled =
            |sandbox: &Self| sandbox.state().presses.get(id).is_none_or(|press| press.is_settled);
        self.wait_until(is_settled).await;
        self.state().presses.get(id).cloned()
    }

    /// Every press, oldest first.
    pub fn presses(&self) -> Vec<Press> {
        self.state().presses.all()
    }
}

/// The card as the member sees it, if it has such a button.
fn pressed_card(state: &State, member: &str, task_id: &str, key: &str) -> Result<Delivered, PressError> {
    let userid = member.to_lowercase();
    let card = state.record.screen(&userid).find(|shown| shown.task_id.as_deref() == Some(task_id));
    let card =
        card.ok_or_else(|| PressError::NoCard { member: userid.clone(), task_id: task_id.to_owned() })?;
    if card.recalled_at.is_some() {
        return Err(PressError::Recalled);
    }
    let known = pressable(&card.content);
    if !known.iter().any(|button| button == key) {
        return Err(PressError::NoButton { key: key.to_owned(), known });
    }
    Ok(card.clone())
}

/// Tells the server of the app, as often as WeCom does.
async fn tell(sandbox: Sandbox, client: Client, press: Press, event: CardEvent) {
    match press.fault {
        Some(PressFault::Late(time)) => sleep(time).await,
        Some(PressFault::AfterNext) => {
            let next = sandbox.wait_until(|sandbox| sandbox.state().presses.has_settled_after(&press));
            // Without another press it comes nevertheless.
            _ = timeout(LONGEST_WAIT, next).await;
        }
        _ => {}
    }
    let attempts = match press.fault {
        Some(PressFault::WrongSignature) => 1,
        _ => 1 + sandbox.settings().callbacks.resends,
    };
    for number in 0..attempts {
        if number > 0 {
            sleep(sandbox.settings().callbacks.pause).await;
        }
        if attempt(&sandbox, &client, &press, &event, number).await {
            break;
        }
    }
    sandbox.change(|state| state.presses.settle(press.id));
}

/// One request, or two for [`PressFault::Twice`]. True if the server took the event.
async fn attempt(
    sandbox: &Sandbox,
    client: &Client,
    press: &Press,
    event: &CardEvent,
    number: usize,
) -> bool {
    let now = sandbox.now();
    let limit = sandbox.settings().callbacks.answer;
    // The callback may have another URL by now.
    let request = sandbox.change(|state| {
        let callback = state.callbacks.of(&event.corp_id, event.agent_id)?;
        Some(EventRequest::new(callback, event, now, &mut state.rng))
    });
    let Some(mut request) = request else { return false };
    if press.fault == Some(PressFault::WrongSignature) {
        request = request.with_wrong_signature();
    }
    let mut result = exchange::post(client, &request, limit).await;
    if let (Some(PressFault::LostAnswer), 0, AttemptResult::Answered { status, .. }) =
        (press.fault, number, &result)
    {
        result = AttemptResult::Lost { status: *status };
    }
    let is_taken = matches!(result, AttemptResult::Answered { status: 200, .. });
    record(sandbox, press.id, result);
    if is_taken && press.fault == Some(PressFault::Twice) {
        let result = exchange::post(client, &request, limit).await;
        record(sandbox, press.id, result);
    }
    is_taken
}

fn record(sandbox: &Sandbox, id: PressId, result: AttemptResult) {
    let attempt = Attempt { at: sandbox.now(), result };
    sandbox.change(|state| state.presses.attempted(id, attempt));
}
