//! `wecom-relay render-draft`: renders a draft of the console in a process of its own, which can be ended if the template
//! does not end.

use std::io::{self, Read, Write};

use anyhow::Context;

use super::failure::Failure;
use crate::intake::Draft;

/// The largest draft: all template files and a payload.
const MAX_BYTES: u64 = 16 << 20;

pub(super) fn run() -> Result<(), Failure> {
    let mut json = Vec::new();
    let read = io::stdin().lock().take(MAX_BYTES).read_to_end(&mut json);
    read.context("cannot read the draft").map_err(Failure::Other)?;
    let draft: Draft =
        serde_json::from_slice(&json).context("the draft is not valid").map_err(Failure::Other)?;
    let outcome =
        serde_json::to_vec(&draft.render()).context("cannot write the outcome").map_err(Failure::Other)?;
    // A text of an alert stays as it is, because a program reads it.
    io::stdout().lock().write_all(&outcome)?;
    Ok(())
}
