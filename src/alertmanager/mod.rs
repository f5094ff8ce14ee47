//! Alertmanager as the relay sees it: the payload of a webhook, and the port of silences ([`Silences`]), which [`client`]
//! implements.
//!
//! The payload of a webhook is Alertmanager's (version "4"), Grafana's (version "1", with the same structure), and that of
//! Grafana's legacy alerting.
//!
//! Alerts must not be lost because of an odd value, so a payload is corrected rather than refused:
//!
//! ```text
//! body ── reader ──────────────────────▶ Payload ── status, stand_in ──▶ Payload
//!      └─ json_repair ─▶ JSON ─ reader ─▶ (if the body is not JSON; `diagnosis` names what cannot be corrected)
//! ```

pub mod client;
mod diagnosis;
mod failures;
mod json_repair;
mod legacy;
mod parse;
mod payload;
mod raw;
mod reader;
mod repairs;
mod silences;
mod stand_in;
mod status;
#[cfg(test)]
mod tests;
mod time;

pub use diagnosis::PayloadError;
pub use failures::chinese_failure;
pub use parse::{parse, parse_within};
pub use payload::{Alert, Extra, Pairs, Payload, SEVERITY_RANKS, severity_rank, unquote};
pub use raw::{ARRAY_BYTES, MAX_FIELDS, OBJECT_BYTES, VALUE_BYTES};
pub use reader::{ALERT_BYTES, FIELD_BYTES, ITEM_BYTES, MAX_DEPTH, PAIR_BYTES, PayloadMemory};
pub use repairs::{Repair, Repairs};
pub use silences::{Matchers, NewSilence, Silence, Silences, SilencesError, SilencesErrorKind};
