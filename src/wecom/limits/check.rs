//! The error of a card, and the check of a URL.

use crate::text::shorten_chars;

/// The longest URL in a message.
pub const MAX_URL_BYTES: usize = 2048;

/// The reason why WeCom would refuse a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct CardError {
    /// The path of keys to the field.
    pub field: String,
    /// A clause that continues the name of the field.
    pub problem: String,
}

impl CardError {
    pub(super) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// Checks a URL of a card.
pub(super) fn url(field: &str, url: &str) -> Result<String, CardError> {
    let url = url.trim();
    if url.is_empty() {
        return Err(CardError::new(field, "is empty"));
    }
    if !["http://", "https://"].iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme)) {
        return Err(CardError::new(
            field,
            format!("does not start with http:// or https://: {}", shorten_chars(url, 60)),
        ));
    }
    if url.len() > MAX_URL_BYTES {
        return Err(CardError::new(field, format!("is longer than {MAX_URL_BYTES} bytes")));
    }
    Ok(url.to_owned())
}
