//! Callbacks: WeCom's requests to the server of an app, when a member presses a button.
//!
//! ```text
//! press ─▶ event (XML) ─▶ encrypted and signed ─▶ POST ─▶ 200 within 5 s, or it is sent again, 3 times
//! ```
//!
//! The cryptography is written a second time here, because a mistake in shared code would fit itself.

mod cipher;
mod driver;
mod envelope;
mod event;
mod exchange;
mod presses;
mod registry;
mod verification;

pub use presses::{Attempt, AttemptResult, Press, PressError, PressFault, PressId};
pub use registry::{Callback, CallbackError};
pub use verification::VerificationError;

pub(super) use presses::Presses;
pub(super) use registry::Callbacks;
