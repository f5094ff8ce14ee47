//! Long text as numbered parts, because WeCom shows 2,048 bytes of a message and cuts off the rest.
//!
//! Each part begins with a line `(1/3)`. At its end the number would be read last, and inside the first line it
//! would change a line that people search for.
//!
//! - While the text fits in [`Limits::max_parts`], nothing is lost. The parts without their numbers are the text, but
//!   for one line break between two parts.
//! - A part ends after an alert if it can, else after a line, a space, a grapheme cluster, a character.
//! - If the text does not fit, whole alerts are left out: resolved ones first, those with the worst severity last. The
//!   last line counts them and links to them.
//! - In markdown, links and tags stay whole. A tag that is open where a part ends is closed there and opened again.
//!
//! Two alerts of two lines each, and parts of 55 bytes (the real minimum is 256). The first part has room for one line
//! of the second alert, but not for both, so that the alert begins a new part:
//!
//! ```text
//! [FIRING:2] Down              (1/2)                   (2/2)
//! a is down                    [FIRING:2] Down         b is down
//! since 9:30           ──▶     a is down               since 9:41
//! b is down                    since 9:30
//! since 9:41
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `parts` | splits the whole text if it fits, else a selection, and numbers the parts |
//! | `select` | chooses the alerts to show when there is not room for all |
//! | `last_line` | counts the alerts that are not shown |
//! | `cut` | finds the offsets at which a text is cut |
//! | `spans` | finds the links and tags that a cut must respect |

mod cut;
mod last_line;
mod parts;
mod select;
mod spans;

pub use last_line::Rest;
pub use parts::{Limits, parts, shortened};
pub use spans::Markup;

#[cfg(test)]
mod tests;
