//! The query of a callback's URL.

use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::error::CallbackError;

/// The longest values that are accepted. WeCom's are much shorter.
const MAX_NONCE_BYTES: usize = 128;
const MAX_ECHO_BYTES: usize = 4096;

/// The parameters of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackQuery {
    pub signature: [u8; 20],
    /// Digits, as they are signed.
    pub timestamp: String,
    /// The moment of the timestamp.
    pub at: Timestamp,
    pub nonce: String,
    /// The encrypted text that a GET must echo.
    pub echostr: Option<String>,
}

impl CallbackQuery {
    /// Reads a query as it was sent. It is percent-decoded once, and a `+` stays a `+`, because base64 has it.
    ///
    /// Other parameters are allowed, because a proxy may add some.
    ///
    /// # Errors
    /// [`CallbackError::Parameters`]
    pub fn parse(query: &str) -> Result<Self, CallbackError> {
        let find = |name| parameter(query, name);
        let required = |name| find(name)?.ok_or(CallbackError::Parameters);
        let signature = hex(&required("msg_signature")?).ok_or(CallbackError::Parameters)?;
        let timestamp = required("timestamp")?;
        let at = moment(&timestamp).ok_or(CallbackError::Parameters)?;
        let nonce = required("nonce")?;
        let echostr = find("echostr")?;
        let is_too_long = echostr.as_ref().is_some_and(|echostr| echostr.len() > MAX_ECHO_BYTES);
        if nonce.is_empty() || nonce.len() > MAX_NONCE_BYTES || is_too_long {
            return Err(CallbackError::Parameters);
        }
        Ok(Self { signature, timestamp, at, nonce, echostr })
    }
}

/// The only value of a parameter. A repeated parameter is an error, because programs disagree on the one that counts.
fn parameter(query: &str, name: &str) -> Result<Option<String>, CallbackError> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let (Some(value), None) = (values.next(), values.next()) else {
        let is_missing = !query.split('&').any(|pair| pair.split('=').next() == Some(name));
        return if is_missing { Ok(None) } else { Err(CallbackError::Parameters) };
    };
    let decoded = percent_decode_str(value).decode_utf8().map_err(|_| CallbackError::Parameters)?;
    Ok(Some(decoded.into_owned()))
}

fn moment(timestamp: &str) -> Option<Timestamp> {
    let is_number = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return None;
    }
    Timestamp::from_second(timestamp.parse().ok()?).ok()
}

/// The bytes of a SHA-1 digest in hexadecimal.
fn hex(text: &str) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}
