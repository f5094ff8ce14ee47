//! `wecom-relay render-draft`: renders a draft of the console in a process of its own, which can be ended if the template
//! does not end.

use std::{
    fs,
    io::{self, Read, Write},
};

use anyhow::Context;

use super::failure::Failure;
use crate::intake::Draft;

/// The largest draft: all template files and a payload.
const MAX_BYTES: u64 = 16 << 20;

/// The most address space of the process, with its program. The relay itself is allowed more.
const MAX_MEMORY_BYTES: u64 = 256 << 20;

pub(super) fn run() -> Result<(), Failure> {
    limit_memory();
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

/// Keeps a template from taking the memory of the relay.
fn limit_memory() {
    let memory = rlimit::Resource::AS;
    // Nobody may raise the hard limit.
    let bytes = memory.get_hard().map_or(MAX_MEMORY_BYTES, |hard| hard.min(MAX_MEMORY_BYTES));
    // A sandbox may forbid it. A draft is rendered all the same, because its time is limited, too.
    _ = memory.set(bytes, bytes);
    // With this, the kernel ends this process and not the relay when memory runs out. The file may be missing or
    // read-only, and then the kernel chooses.
    _ = fs::write("/proc/self/oom_score_adj", "1000");
}
