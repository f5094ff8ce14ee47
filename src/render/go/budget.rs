//! Limits of a render: a template must neither hang nor take all memory, whatever it and the payload contain.

use std::fmt;

use crate::render::error::MAX_OUTPUT_BYTES;

const MAX_STEPS: u64 = 2_000_000;
/// The bytes of all values that functions make, also of those that are dropped again.
const MAX_VALUE_BYTES: usize = 24 << 20;
/// The bytes that regular expressions may read: enough to replace each of a million characters. A slow search of a
/// byte counts several times.
const MAX_SEARCHED_BYTES: u64 = 64 << 20;
/// Bytes that are compared or copied in the time of one step.
const BYTES_PER_STEP: u64 = 256;

/// What one render may still use.
#[derive(Debug)]
pub(super) struct Budget {
    steps: u64,
    value_bytes: usize,
    searched_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Steps,
    Text,
    Values,
    Patterns,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps => write!(f, "the template takes more than {MAX_STEPS} steps"),
            Self::Text => write!(f, "the text is longer than {MAX_OUTPUT_BYTES} bytes"),
            Self::Values => {
                write!(f, "the template makes more than {} MiB of values", MAX_VALUE_BYTES >> 20)
            }
            Self::Patterns => f.write_str("the regular expressions of the template search for too long"),
        }
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.to_string()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: MAX_STEPS, value_bytes: MAX_VALUE_BYTES, searched_bytes: MAX_SEARCHED_BYTES }
    }
}

impl Budget {
    pub(super) fn step(&mut self) -> Result<(), Limit> {
        self.steps(1)
    }

    pub(super) fn steps(&mut self, steps: u64) -> Result<(), Limit> {
        self.steps = self.steps.checked_sub(steps).ok_or(Limit::Steps)?;
        Ok(())
    }

    /// Pays for reading `bytes`.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), Limit> {
        self.steps(bytes as u64 / BYTES_PER_STEP)
    }

    /// Pays for a value of `bytes`.
    pub(super) fn value(&mut self, bytes: usize) -> Result<(), Limit> {
        self.value_bytes = self.value_bytes.checked_sub(bytes).ok_or(Limit::Values)?;
        Ok(())
    }

    /// Pays for a list of `items`.
    pub(super) fn items(&mut self, items: usize) -> Result<(), Limit> {
        self.value(items.saturating_mul(size_of::<super::value::Value>()))
    }

    /// Pays for a search in `bytes` with a pattern that costs `weight` for each byte.
    pub(super) fn search(&mut self, bytes: usize, weight: u64) -> Result<(), Limit> {
        let searched = (bytes as u64).saturating_mul(weight);
        self.searched_bytes = self.searched_bytes.checked_sub(searched).ok_or(Limit::Patterns)?;
        Ok(())
    }
}

/// A text that cannot grow over the limit of a text.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    pub(super) fn push(&mut self, text: impl AsRef<[u8]>) -> Result<(), Limit> {
        let text = text.as_ref();
        if self.bytes.len() + text.len() > MAX_OUTPUT_BYTES {
            return Err(Limit::Text);
        }
        self.bytes.extend_from_slice(text);
        Ok(())
    }

    pub(super) fn push_char(&mut self, c: char) -> Result<(), Limit> {
        self.push(c.encode_utf8(&mut [0; 4]))
    }

    /// Appends `count` times the character `c`.
    pub(super) fn fill(&mut self, c: u8, count: usize) -> Result<(), Limit> {
        if self.bytes.len() + count > MAX_OUTPUT_BYTES {
            return Err(Limit::Text);
        }
        self.bytes.extend(std::iter::repeat_n(c, count));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
