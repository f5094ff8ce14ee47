//! Acts on the buttons of interactive cards that members press: silences and acknowledgements.
//!
//! ```text
//! WeCom ── POST /callback ──▶ http ──▶ outbox.accept_press ──▶ worker ──▶ Alertmanager: one silence
//!                                                              │  who may press, which button
//!                                                              ▼
//!                                       outbox.settle_press: the card's new look, or a text to the member
//! ```
//!
//! A press acts once. Its silence has a marker in the comment, and the worker looks for the marker before it creates one. So
//! a press that was interrupted anywhere is simply handled again.
//!
//! Alertmanager reports nothing of alerts that resolve while they are silenced. [`watch`] asks for them, so that the card
//! says so.
//!
//! | file | what it does |
//! |---|---|
//! | `worker` | claims presses, handles those of different cards at the same time, and stores their results |
//! | `act` | handles one press |
//! | `rules` | decides whether a press is obeyed |
//! | `membership` | asks WeCom who belongs to departments and tags |
//! | `silence` | creates the silence of a press, and finds it again |
//! | `watch` | watches cards whose alerts are silenced; `absence` decides when they count as resolved |
//! | `card` | writes what members did on a card |
//! | `messages` | makes the notifications; `texts` and `moment` have their words and times |

mod absence;
mod act;
mod allowed;
mod card;
mod failure;
mod membership;
mod messages;
mod moment;
mod rules;
mod settings;
mod silence;
mod texts;
pub mod watch;
pub mod worker;

pub use self::{
    allowed::Allowed,
    settings::{PressSettings, ReceiverSettings, Timing},
};
