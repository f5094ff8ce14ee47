//! The flags, the width and the precision of a verb, and padding.

use crate::render::go::{
    budget::{Buffer, Limit},
    runes::runes,
};

/// What stands between `%` and the letter of a verb.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    /// `%+v`
    pub(super) names_fields: bool,
    /// `%#v`
    pub(super) is_go_syntax: bool,
}

impl Flags {
    /// Appends `text`, padded to the width.
    pub(super) fn pad(&self, text: impl AsRef<[u8]>, out: &mut Buffer) -> Result<(), Limit> {
        let text = text.as_ref();
        let Some(width) = self.width else { return out.push(text) };
        let missing = width.saturating_sub(runes(text).count());
        if self.minus {
            out.push(text)?;
            return out.fill(b' ', missing);
        }
        out.fill(if self.zero { b'0' } else { b' ' }, missing)?;
        out.push(text)
    }

    /// The same flags without padding by zeros.
    pub(super) fn without_zero(self) -> Self {
        Self { zero: false, ..self }
    }
}
