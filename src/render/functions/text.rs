//! `truncate_bytes`.

use tera::{Error, Kwargs, State, TeraResult};

use crate::text::{ELLIPSIS, shorten};

/// The text in at most `bytes` bytes, with `…` at its end when something is missing.
pub(super) fn truncate_bytes(text: &str, kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let bytes = kwargs.must_get::<i64>("bytes")?;
    let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes >= ELLIPSIS.len());
    let bytes = bytes.ok_or_else(|| Error::message("`bytes` must be at least 3, which `…` takes"))?;
    Ok(shorten(text, bytes).into_owned())
}
