//! The page as its template sees it.

use serde::Serialize;

use super::{
    asked::{Asked, Data, field_name},
    paths::{PathView, paths},
};
use crate::{
    intake::{DraftError, DraftMessage, DraftOutcome, DraftProblem},
    language::Language,
    pages::{Moment, Moments},
    render::samples,
    wecom::{
        limits::{self, BytesUsed},
        look::{self, Appearance, Viewer},
    },
    yaml_text,
};

/// The largest payload that a form carries along.
const MAX_PASTED_BYTES: usize = 256 << 10;

/// The editor is as high as its text within these bounds, so that the preview is near. `editor.js` has the same.
const MIN_ROWS: usize = 3;
const MAX_ROWS: usize = 18;

#[derive(Serialize)]
pub(super) struct PlaygroundView {
    pub(super) receivers: Vec<String>,
    pub(super) receiver: String,
    pub(super) fields: Vec<Choice>,
    pub(super) is_go: bool,
    pub(super) text: String,
    /// The lines of the editor.
    pub(super) rows: usize,
    pub(super) in_use: String,
    pub(super) origin: String,
    pub(super) samples: Vec<Choice>,
    pub(super) received: Vec<ReceivedView>,
    pub(super) is_pasted: bool,
    pub(super) payload: String,
    pub(super) paths: Vec<PathView>,
    /// The lines for config.yml.
    pub(super) yaml: String,
    pub(super) result: ResultView,
    /// The reader may send the draft to members.
    pub(super) can_send: bool,
    pub(super) to: String,
}

/// An option of a list.
#[derive(Serialize)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) name: String,
    pub(super) is_current: bool,
}

#[derive(Serialize)]
pub(super) struct ReceivedView {
    pub(super) value: String,
    pub(super) receiver: String,
    pub(super) at: Moment,
    pub(super) is_current: bool,
}

/// The messages, or the reasons why there are none.
#[derive(Serialize, Default)]
pub(super) struct ResultView {
    pub(super) messages: Vec<MessageView>,
    pub(super) problems: Vec<ProblemView>,
    pub(super) nothing: Option<String>,
    pub(super) error: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ProblemView {
    /// The place is in the template that is edited.
    pub(super) is_here: bool,
    #[serde(flatten)]
    pub(super) problem: DraftProblem,
}

#[derive(Serialize)]
pub(super) struct MessageView {
    pub(super) number: usize,
    pub(super) total: usize,
    pub(super) usage: String,
    pub(super) bytes: Option<BytesUsed>,
    pub(super) text: String,
    /// Escaped by `wecom::look`.
    pub(super) wecom: String,
    pub(super) wechat: String,
}

pub(super) fn view(
    asked: &Asked,
    receivers: Vec<String>,
    outcome: Result<DraftOutcome, DraftError>,
    moments: &Moments,
) -> PlaygroundView {
    let Asked { draft, template, data, payloads, in_use } = asked;
    let source = asked.source();
    let is_go = source.is_some_and(|source| source.is_go);
    let text = source.map(|source| source.text.clone()).unwrap_or_default();
    let field = |name: &&str| Choice {
        value: field_name(name).to_owned(),
        name: field_name(name).to_owned(),
        is_current: name == template,
    };
    let sample = |(name, _): &(&'static str, &str)| Choice {
        value: (*name).to_owned(),
        name: (*name).to_owned(),
        is_current: *data == Data::Sample(name),
    };
    let received = payloads.iter().map(|kept| ReceivedView {
        value: format!("received-{}", kept.id),
        receiver: kept.receiver.clone(),
        at: moments.at(kept.at),
        is_current: *data == Data::Received(kept.id),
    });
    let payload = if draft.payload.len() > MAX_PASTED_BYTES { String::new() } else { draft.payload.clone() };
    PlaygroundView {
        receivers,
        receiver: draft.receiver.name.clone(),
        fields: draft.receiver.templates().iter().map(field).collect(),
        is_go,
        yaml: yaml(field_name(template), &text),
        in_use: in_use.clone(),
        origin: source.map(|source| source.origin.clone()).unwrap_or_default(),
        samples: samples::ALL.iter().map(sample).collect(),
        received: received.collect(),
        is_pasted: *data == Data::Pasted,
        paths: paths(&asked.payload(), is_go),
        payload,
        rows: (text.lines().count() + 1).clamp(MIN_ROWS, MAX_ROWS),
        text,
        can_send: false,
        to: String::new(),
        result: result(asked, outcome, moments.language),
    }
}

fn result(asked: &Asked, outcome: Result<DraftOutcome, DraftError>, language: Language) -> ResultView {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return ResultView { error: Some(error.text(language)), ..ResultView::default() },
    };
    let total = outcome.messages.len();
    let messages = outcome.messages.iter().zip(1..);
    let messages = messages.map(|(message, number)| message_view(asked, message, number, total, language));
    ResultView {
        messages: messages.collect(),
        problems: outcome.problems.into_iter().map(|problem| problem_view(asked, problem)).collect(),
        nothing: outcome.nothing,
        error: None,
    }
}

fn problem_view(asked: &Asked, problem: DraftProblem) -> ProblemView {
    // A mistake of the syntax names the place of the template, and one of the data its name.
    let names = [Some(asked.template.as_str()), asked.source().map(|source| source.origin.as_str())];
    ProblemView { is_here: problem.line > 0 && names.contains(&Some(problem.origin.as_str())), problem }
}

fn message_view(
    asked: &Asked,
    message: &DraftMessage,
    number: usize,
    total: usize,
    language: Language,
) -> MessageView {
    let recipients = asked.draft.receiver.audience.recipients();
    let content = message.content();
    let figure = |viewer| {
        let content = content.as_ref()?;
        Some(look::figure(&Appearance::of(content, &recipients, viewer), language))
    };
    let usage = content.as_ref().map(|content| limits::usage(content, &recipients, language));
    MessageView {
        number,
        total,
        usage: usage.unwrap_or_default(),
        bytes: content.as_ref().and_then(|content| limits::bytes_used(content, &recipients)),
        text: message.text.clone(),
        wecom: figure(Viewer::Wecom).unwrap_or_default(),
        wechat: figure(Viewer::Wechat).unwrap_or_default(),
    }
}

/// The line of a receiver in config.yml. It is read back as exactly `text`.
fn yaml(field: &str, text: &str) -> String {
    const INDENT: usize = 4;
    let key = field.rsplit_once('.').map_or(field, |(_, key)| key);
    format!("{}{key}: {}\n", " ".repeat(INDENT), yaml_text::value(text, INDENT))
}
