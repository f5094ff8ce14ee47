//! Parses a request body as a [`Payload`].

use std::str;

use jiff::Timestamp;

use super::{
    diagnosis::{PayloadError, diagnose},
    json_repair::repaired,
    payload::Payload,
    reader::{self, Room},
    repairs::Repairs,
    stand_in, status,
};

/// [`parse_within`] all the memory that there is.
///
/// # Errors
/// As [`parse_within`].
pub fn parse(body: &[u8], now: Timestamp) -> Result<Payload, PayloadError> {
    parse_within(body, Room::UNLIMITED, now)
}

/// Reads the body of a webhook request. `now` decides if an alert without a status has ended.
///
/// Alerts for which there is no `room` are only counted, and other labels and fields are ignored. Long texts are cut.
///
/// Every alert of the result has the status `firing` or `resolved`. Odd values are corrected or ignored, see
/// [`Payload::repairs`].
///
/// # Errors
/// [`PayloadError`] says what the body looks like and what the relay expects.
pub fn parse_within(body: &[u8], room: Room, now: Timestamp) -> Result<Payload, PayloadError> {
    // One check of the whole body is faster than a check of each string in it.
    if let Ok(text) = str::from_utf8(body)
        && let Ok(Some(payload)) = reader::read(text, room)
    {
        return Ok(finish(payload, now));
    }
    let mut repairs = Repairs::default();
    let json = repaired(body, &mut repairs);
    match reader::read(&json, room) {
        Ok(Some(mut payload)) => {
            payload.repairs.add_all(repairs);
            Ok(finish(payload, now))
        }
        _ => Err(diagnose(body, &json)),
    }
}

fn finish(mut payload: Payload, now: Timestamp) -> Payload {
    let mut repairs = payload.repairs;
    status::settle(&mut payload, now, &mut repairs);
    payload.repairs = repairs;
    stand_in::add(&mut payload);
    payload.add_common();
    payload
}
