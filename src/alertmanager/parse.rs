//! Parses a request body as a [`Payload`].

use std::str;

use jiff::Timestamp;

use super::{
    diagnosis::{PayloadError, diagnose},
    json_repair::repaired,
    payload::Payload,
    reader::{self, PayloadMemory},
    repairs::Repairs,
    stand_in, status,
};

/// Reads a body without a memory limit. See [`parse_within`].
///
/// # Errors
/// As [`parse_within`].
pub fn parse(body: &[u8], now: Timestamp) -> Result<Payload, PayloadError> {
    parse_within(body, PayloadMemory::UNLIMITED, now)
}

/// Reads the body of a webhook request. `now` decides if an alert without a status has ended.
///
/// Alerts that do not fit `memory` are only counted. Labels and fields that do not fit are ignored. Long texts are cut.
///
/// Every alert of the result has the status `firing` or `resolved`. Wrong values are corrected or ignored, see
/// [`Payload::repairs`].
///
/// # Errors
/// [`PayloadError`] says what the body looks like and what the relay expects.
pub fn parse_within(body: &[u8], memory: PayloadMemory, now: Timestamp) -> Result<Payload, PayloadError> {
    // One check of the whole body is faster than a check of each string in it.
    if let Ok(text) = str::from_utf8(body)
        && let Ok(Some(payload)) = reader::read(text, memory)
    {
        return Ok(finish(payload, now));
    }
    let mut repairs = Repairs::default();
    let json = repaired(body, &mut repairs);
    match reader::read(&json, memory) {
        Ok(Some(mut payload)) => {
            payload.repairs.add_all(repairs);
            Ok(finish(payload, now))
        }
        _ => Err(diagnose(body, &json)),
    }
}

fn finish(mut payload: Payload, now: Timestamp) -> Payload {
    let mut repairs = payload.repairs;
    status::normalize(&mut payload, now, &mut repairs);
    payload.repairs = repairs;
    stand_in::add(&mut payload);
    payload.add_common();
    payload
}
