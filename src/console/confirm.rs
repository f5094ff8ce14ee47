//! The page that asks before something is done. It needs no scripts, and its form does what it names.

use axum::response::Response;
use serde::Serialize;

use super::{reader::Reader, refusal::Refusal, site::Place, state::ConsoleState};

#[derive(Serialize)]
pub(super) struct Question {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// The path of the form, relative to the root.
    pub(super) action: String,
    pub(super) fields: Vec<HiddenField>,
    pub(super) button: &'static str,
    /// The page of the other answer, relative to the root.
    pub(super) back: String,
}

#[derive(Serialize)]
pub(super) struct HiddenField {
    pub(super) name: String,
    pub(super) value: String,
}

impl From<&(String, String)> for HiddenField {
    fn from((name, value): &(String, String)) -> Self {
        Self { name: name.clone(), value: value.clone() }
    }
}

pub(super) fn page<O>(
    state: &ConsoleState<O>,
    reader: &Reader,
    place: Place,
    question: &Question,
) -> Response {
    if !reader.is_operator() {
        return Refusal::ViewerOnly.page(state, &reader.visitor);
    }
    let frame = reader.frame(place, question.title.clone());
    state.pages.html("confirm.html", &reader.visitor, &frame, reader.words(), question)
}
