//! The WeChat plugin: it shows texts and two lines of a textcard, and one sentence instead of anything else.

use super::{
    tree::{Bubble, CardFace, Run, TextBlock},
    visible::block_text,
};
use crate::text::{one_line, shorten_columns};

/// Two lines of a card on a phone.
const DESCRIPTION_COLUMNS: usize = 2 * 34;

pub(super) fn textcard(face: CardFace) -> Bubble {
    let lines: Vec<String> = face.description.iter().map(block_text).collect();
    let shown = shorten_columns(&one_line(&lines.join(" ")), DESCRIPTION_COLUMNS).into_owned();
    let description = vec![TextBlock::Line { runs: vec![Run::plain(shown)] }];
    Bubble::Card(Box::new(CardFace { description, ..face }))
}
