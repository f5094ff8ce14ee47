//! Interactive cards: their labels, and what members did with them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The labels of the alerts of a card. A silence of the card has them as matchers. They may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CardLabels(pub BTreeMap<String, String>);

/// An open card that can be updated once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCard {
    pub task_id: String,
    pub response_code: String,
    /// True if an earlier attempt of this update may have used the code, because its outcome is unknown. False if another
    /// update may have used it, because the card then does not show this one.
    pub may_be_used: bool,
}

/// An open card after an attempt to update it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedCard {
    pub task_id: String,
    pub code: CodeState,
}

/// The response code of a card after an attempt to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeState {
    /// The card shows the update.
    Used,
    /// WeCom refuses the code, and the card shows what it showed before.
    Refused,
    /// The card may show the update.
    Unconfirmed,
    /// The code is valid, because the earlier attempt that may have used it ended before this card.
    Unused,
}

impl CodeState {
    /// True if the code cannot be used any more.
    pub fn is_spent(self) -> bool {
        matches!(self, Self::Used | Self::Refused)
    }
}

/// An action of a member, as the card shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handled {
    pub action: HandledAction,
    /// The user id of the member.
    pub by: String,
    #[serde(with = "stored_time")]
    pub at: Timestamp,
}

/// The action of a button. Times are wall-clock times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandledAction {
    Acknowledged,
    Silenced {
        silence_id: String,
        #[serde(with = "stored_time")]
        until: Timestamp,
    },
}

/// Looks at a watched card, one after the other, at which Alertmanager did not list its alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    #[serde(with = "stored_time")]
    pub since: Timestamp,
    #[serde(with = "stored_time")]
    pub last: Timestamp,
    pub looks: u32,
}

/// Times as milliseconds.
mod stored_time {
    use serde::{Deserializer, Serializer, de::Error as _};

    use super::{Deserialize, Timestamp};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_millisecond())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::from_millisecond(i64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
