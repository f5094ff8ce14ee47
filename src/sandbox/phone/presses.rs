//! The last presses of buttons, with the answers of the server.

use super::{faults::press_fault_label, view::PressView, words::Words};
use crate::{
    pages::Moments,
    sandbox::callback::{AttemptResult, Press, Presses},
};

const MAX_PRESSES: usize = 10;

pub(super) fn press_views(presses: &Presses, moments: &Moments, words: &Words) -> Vec<PressView> {
    presses.newest_first().take(MAX_PRESSES).map(|press| press_view(press, moments, words)).collect()
}

fn press_view(press: &Press, moments: &Moments, words: &Words) -> PressView {
    let language = moments.language;
    let mut results: Vec<String> = Vec::new();
    for attempt in &press.attempts {
        results.push(match &attempt.result {
            AttemptResult::Answered { status, .. } => status.to_string(),
            AttemptResult::Lost { status } => {
                language.choose(format!("{status}, lost"), format!("{status}（应答丢失）"))
            }
            AttemptResult::NoAnswer { .. } => language.choose("no answer", "无应答").to_owned(),
        });
    }
    if !press.is_settled {
        results.push(words.on_the_way.to_owned());
    }
    PressView {
        at: moments.at(press.at),
        member: press.member.clone(),
        key: press.key.clone(),
        fault: press.fault.map(|fault| press_fault_label(fault, language)),
        results: results.join(" · "),
        is_settled: press.is_settled,
    }
}
