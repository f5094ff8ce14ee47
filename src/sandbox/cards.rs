//! Cards that call back: the task id of each, and the response codes that allow an update of one.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;

use super::random::random_text;
use super::reply::ErrorReply;
use super::time::later;
use super::token::TokenOwner;

/// WeCom documents 72 hours; older texts say 24.
const CODE_LIVES: Duration = Duration::from_secs(72 * 3_600);

/// A card: corp id, agent id and task id.
type CardKey = (String, u64, String);

#[derive(Default)]
pub(super) struct Cards {
    /// The msgid of each card.
    sent: HashMap<CardKey, String>,
    codes: HashMap<String, ResponseCode>,
}

struct ResponseCode {
    card: CardKey,
    ends: Timestamp,
    is_spent: bool,
}

impl Cards {
    /// True if the app has sent a card with this task id. A task id is never free again.
    pub(super) fn has(&self, owner: &TokenOwner, task_id: &str) -> bool {
        self.sent.contains_key(&key(&owner.corp_id, owner.agent_id, task_id))
    }

    pub(super) fn add(&mut self, owner: &TokenOwner, task_id: &str, msgid: &str) {
        self.sent.insert(key(&owner.corp_id, owner.agent_id, task_id), msgid.to_owned());
    }

    /// A new response code for a card of the app.
    pub(super) fn grant(
        &mut self,
        corp_id: &str,
        agent_id: u64,
        task_id: &str,
        now: Timestamp,
        rng: &mut impl Rng,
    ) -> String {
        let code = random_text(rng, 43);
        let card = key(corp_id, agent_id, task_id);
        let granted = ResponseCode { card, ends: later(now, CODE_LIVES), is_spent: false };
        self.codes.insert(code.clone(), granted);
        code
    }

    /// The msgid of the card that this code allows to update.
    pub(super) fn updatable(
        &self,
        code: &str,
        owner: &TokenOwner,
        now: Timestamp,
    ) -> Result<String, ErrorReply> {
        let code = self.codes.get(code).ok_or(ErrorReply::new(60140))?;
        let (corp_id, agent_id, _) = &code.card;
        if *corp_id != owner.corp_id || *agent_id != owner.agent_id {
            return Err(ErrorReply::new(42015));
        }
        if code.is_spent || code.ends <= now {
            return Err(ErrorReply::new(60140));
        }
        self.sent.get(&code.card).cloned().ok_or(ErrorReply::new(42016))
    }

    pub(super) fn spend(&mut self, code: &str) {
        if let Some(code) = self.codes.get_mut(code) {
            code.is_spent = true;
        }
    }
}

fn key(corp_id: &str, agent_id: u64, task_id: &str) -> CardKey {
    (corp_id.to_owned(), agent_id, task_id.to_owned())
}
