//! A template that somebody edits: rendered as the relay would render it, without the rest of the configuration.
//!
//! A [`Draft`] has everything that rendering needs, and no secret. So another process can render it, and end when the
//! template does not.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    actions::{Actions, ButtonEffect},
    failure::TemplateFailure,
    parse::{Intake, Parsed, Settings},
    receiver::{Address, JsonTemplate, MentionList, Mentions, MessageType, Receiver},
};
use crate::{
    alertmanager::PayloadMemory,
    language::{Bilingual, Language},
    outbox::{NewDelivery, ReceiverName, SenderName},
    render::{CompileError, Position, Source, TemplateLanguage, Templates},
    wecom::{ChatId, Content, Recipients},
};

/// A receiver with the template that somebody edits, and a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub receiver: DraftReceiver,
    /// All templates that the receiver may use.
    pub sources: Vec<DraftSource>,
    /// A name of the time zone database; UTC if it is unknown.
    pub timezone: String,
    pub now_ms: i64,
    pub payload: String,
}

/// The properties of a receiver that decide how its messages look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftReceiver {
    pub name: String,
    pub audience: DraftAudience,
    /// `en` or `zh`
    pub language: String,
    pub max_parts: u16,
    pub plain_copy: bool,
    pub kind: DraftKind,
    pub actions: Option<Actions<String>>,
    /// The name of the template of the text.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DraftAudience {
    Members,
    Robot,
    Chat,
}

/// The message type, with the names of its templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DraftKind {
    Text,
    Markdown,
    MarkdownV2,
    TextCard {
        title: String,
        description: String,
        url: String,
        btntxt: String,
    },
    /// Each text is the name of a template.
    TemplateCard(Value),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftSource {
    pub name: String,
    pub origin: String,
    pub text: String,
    pub is_go: bool,
}

/// The messages that the draft writes, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DraftOutcome {
    pub messages: Vec<DraftMessage>,
    pub problems: Vec<DraftProblem>,
    /// The reason why the payload causes no message.
    pub nothing: Option<String>,
}

/// The reason why a draft has no outcome.
#[derive(Debug)]
pub enum DraftError {
    Busy,
    TimedOut(Duration),
    Failed(Bilingual<String>),
}

impl DraftError {
    pub fn text(&self, language: Language) -> String {
        match self {
            Self::Busy => language
                .choose(
                    "too many drafts are rendered at once: try again in a second",
                    "同时渲染的草稿过多，请一秒后再试",
                )
                .to_owned(),
            Self::TimedOut(limit) => {
                let seconds = limit.as_secs_f64();
                language.choose(
                    format!(
                        "the template did not end within {seconds} s: the relay would send the built-in text"
                    ),
                    format!("模板在 {seconds} 秒内没有结束，relay 会改发内置文本"),
                )
            }
            Self::Failed(reason) => {
                let reason = reason.get(language);
                language.choose(
                    format!("the draft could not be rendered: {reason}"),
                    format!("无法渲染草稿：{reason}"),
                )
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftMessage {
    pub msgtype: String,
    /// The text, or the JSON of a card.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftProblem {
    /// The template, or the place where it is written.
    pub origin: String,
    /// From 1; 0 if it is not known.
    pub line: usize,
    /// In characters, from 1; 0 if it is not known.
    pub column: usize,
    pub message: String,
}

impl DraftAudience {
    /// The recipients that stand for the real ones.
    pub fn recipients(self) -> Recipients {
        match self {
            Self::Members => Recipients::All,
            Self::Robot => Recipients::Group,
            Self::Chat => ChatId::parse("preview").map_or(Recipients::Group, Recipients::Chat),
        }
    }
}

impl DraftMessage {
    /// `None` if it is not valid.
    pub fn content(&self) -> Option<Content> {
        Content::stored(&self.msgtype, self.text.clone())
    }
}

impl From<&Receiver> for DraftReceiver {
    fn from(receiver: &Receiver) -> Self {
        let audience = match &receiver.address {
            Address::Literal(Recipients::Group) => DraftAudience::Robot,
            Address::Literal(Recipients::Chat(_)) => DraftAudience::Chat,
            _ => DraftAudience::Members,
        };
        let kind = match &receiver.message_type {
            MessageType::Text => DraftKind::Text,
            MessageType::Markdown => DraftKind::Markdown,
            MessageType::MarkdownV2 => DraftKind::MarkdownV2,
            MessageType::TextCard { title, description, url, btntxt } => DraftKind::TextCard {
                title: title.clone(),
                description: description.clone(),
                url: url.clone(),
                btntxt: btntxt.clone(),
            },
            MessageType::TemplateCard(card) => DraftKind::TemplateCard(names(card)),
        };
        Self {
            name: receiver.name.0.clone(),
            audience,
            language: receiver.language.code().to_owned(),
            max_parts: receiver.max_parts,
            plain_copy: receiver.plain_copy,
            kind,
            actions: receiver.actions.clone(),
            message: receiver.message.clone(),
        }
    }
}

impl DraftReceiver {
    /// The names of the templates that an operator may edit, the message first.
    pub fn templates(&self) -> Vec<&str> {
        let mut found = vec![self.message.as_str()];
        match &self.kind {
            DraftKind::TextCard { title, description, url, btntxt } => {
                found.extend([title, description, url, btntxt].map(String::as_str));
            }
            DraftKind::TemplateCard(card) => texts(card, &mut found),
            DraftKind::Text | DraftKind::Markdown | DraftKind::MarkdownV2 => {}
        }
        let buttons = self.actions.iter().flat_map(|actions| &actions.buttons);
        found.extend(buttons.filter_map(|button| match &button.effect {
            ButtonEffect::Link(url) => Some(url.as_str()),
            ButtonEffect::Action(_) => None,
        }));
        found
    }

    fn receiver(&self) -> Receiver {
        let message_type = match &self.kind {
            DraftKind::Text => MessageType::Text,
            DraftKind::Markdown => MessageType::Markdown,
            DraftKind::MarkdownV2 => MessageType::MarkdownV2,
            DraftKind::TextCard { title, description, url, btntxt } => MessageType::TextCard {
                title: title.clone(),
                description: description.clone(),
                url: url.clone(),
                btntxt: btntxt.clone(),
            },
            DraftKind::TemplateCard(card) => MessageType::TemplateCard(card_of(card)),
        };
        let nobody = || MentionList { fixed: Vec::new(), templates: Vec::new() };
        Receiver {
            name: ReceiverName(self.name.clone()),
            sender: SenderName(String::new()),
            address: Address::Literal(self.audience.recipients()),
            mentions: Mentions { users: nobody(), mobiles: nobody() },
            also: Vec::new(),
            message: self.message.clone(),
            message_type,
            actions: self.actions.clone(),
            plain_copy: self.plain_copy,
            send_resolved: true,
            language: Language::parse(&self.language).unwrap_or_default(),
            max_parts: self.max_parts,
            fallback: None,
            builtin_only: false,
        }
    }
}

impl Draft {
    /// Renders the draft, however long it takes.
    pub fn render(&self) -> DraftOutcome {
        let sources: Vec<Source<'_>> = self.sources.iter().map(DraftSource::source).collect();
        let templates = match Templates::compile(&sources) {
            Ok(templates) => templates,
            Err(errors) => {
                let problems = errors.into_iter().map(DraftProblem::from).collect();
                return DraftOutcome { problems, ..DraftOutcome::default() };
            }
        };
        let timezone = TimeZone::get(&self.timezone).unwrap_or(TimeZone::UTC);
        let settings = Settings { dedupe_window: None, timezone };
        let intake = Intake::new([self.receiver.receiver()], templates, settings);
        let now = Timestamp::from_millisecond(self.now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let body = self.payload.as_bytes();
        let webhook = match intake.parse(Some(&self.receiver.name), body, PayloadMemory::UNLIMITED, now) {
            Ok(Parsed::Webhook(webhook)) => webhook,
            Ok(Parsed::Nothing { why, .. }) => {
                return DraftOutcome { nothing: Some(why.to_string()), ..DraftOutcome::default() };
            }
            Err(error) => {
                return DraftOutcome { nothing: Some(error.to_string()), ..DraftOutcome::default() };
            }
        };
        let rendered = intake.render(&webhook);
        let messages = rendered.notification.deliveries.iter().map(DraftMessage::from).collect();
        let problems = rendered.failures.into_iter().map(DraftProblem::from).collect();
        DraftOutcome { messages, problems, nothing: None }
    }
}

impl DraftSource {
    fn source(&self) -> Source<'_> {
        Source {
            name: self.name.as_str().into(),
            origin: self.origin.as_str().into(),
            text: self.text.as_str().into(),
            language: if self.is_go { TemplateLanguage::Go } else { TemplateLanguage::Tera },
        }
    }
}

impl From<&NewDelivery> for DraftMessage {
    fn from(NewDelivery { content, .. }: &NewDelivery) -> Self {
        Self { msgtype: content.msgtype().to_owned(), text: content.text().to_owned() }
    }
}

impl From<CompileError> for DraftProblem {
    fn from(CompileError { origin, at, message }: CompileError) -> Self {
        Self::at(origin, at, message)
    }
}

impl From<TemplateFailure> for DraftProblem {
    fn from(failure: TemplateFailure) -> Self {
        match failure {
            TemplateFailure::Render(error) => Self::at(error.template, error.at, error.message),
            other => Self::at(String::new(), None, other.to_string()),
        }
    }
}

impl DraftProblem {
    fn at(origin: String, at: Option<Position>, message: String) -> Self {
        let Position { line, column } = at.unwrap_or(Position { line: 0, column: 0 });
        Self { origin, line, column, message }
    }
}

/// The card with the names of its templates.
fn names(card: &JsonTemplate<String>) -> Value {
    match card {
        JsonTemplate::Text(name) => Value::String(name.clone()),
        JsonTemplate::Fixed(value) => value.clone(),
        JsonTemplate::List(items) => items.iter().map(names).collect(),
        JsonTemplate::Map(entries) => {
            entries.iter().map(|(key, value)| (key.clone(), names(value))).collect()
        }
    }
}

fn card_of(names: &Value) -> JsonTemplate<String> {
    match names {
        Value::String(name) => JsonTemplate::Text(name.clone()),
        Value::Array(items) => JsonTemplate::List(items.iter().map(card_of).collect()),
        Value::Object(entries) => {
            JsonTemplate::Map(entries.iter().map(|(key, value)| (key.clone(), card_of(value))).collect())
        }
        fixed => JsonTemplate::Fixed(fixed.clone()),
    }
}

fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(entries) => entries.values().for_each(|entry| texts(entry, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::samples::FIRING;

    fn draft(kind: DraftKind, templates: &[(&str, &str)]) -> Draft {
        let sources = templates.iter().map(|(name, text)| DraftSource {
            name: format!("receiver/wechat/{name}"),
            origin: format!("origin of {name}"),
            text: (*text).to_owned(),
            is_go: text.contains(".Alerts"),
        });
        let receiver = DraftReceiver {
            name: "wechat".to_owned(),
            audience: DraftAudience::Members,
            language: "en".to_owned(),
            max_parts: 5,
            plain_copy: false,
            kind,
            actions: None,
            message: "receiver/wechat/message".to_owned(),
        };
        Draft {
            receiver,
            sources: sources.collect(),
            timezone: "Asia/Shanghai".to_owned(),
            now_ms: 1_795_253_322_000,
            payload: FIRING.to_owned(),
        }
    }

    fn texts_of(outcome: &DraftOutcome) -> Vec<&str> {
        outcome.messages.iter().map(|message| message.text.as_str()).collect()
    }

    #[test]
    fn a_draft_of_each_engine_is_rendered() {
        let tera =
            draft(DraftKind::Text, &[("message", "{{ firing | length }} {{ alerts[0].startsAt | date }}")]);
        assert_eq!(texts_of(&tera.render()), ["1 2026-11-21 17:23:42"]);
        let go = draft(DraftKind::Text, &[("message", "{{ len .Alerts }} {{ .Status }}")]);
        assert_eq!(texts_of(&go.render()), ["1 firing"]);
    }

    #[test]
    fn a_draft_survives_the_way_to_another_process() {
        let [title, url] = ["receiver/wechat/title", "receiver/wechat/url"];
        let card = json!({ "main_title": { "title": title }, "card_action": { "type": 1, "url": url } });
        let templates = [("message", "m"), ("title", "{{ status }}"), ("url", "https://a.example")];
        let draft = draft(DraftKind::TemplateCard(card), &templates);
        assert_eq!(draft.receiver.templates(), ["receiver/wechat/message", url, title]);
        let json = serde_json::to_string(&draft).unwrap();
        let outcome = serde_json::from_str::<Draft>(&json).unwrap().render();
        assert_eq!(outcome.problems, []);
        let content = outcome.messages.first().unwrap().content().unwrap();
        assert!(content.text().contains("\"title\":\"firing\""), "{content:?}");
        assert_eq!(DraftReceiver::from(&draft.receiver.receiver()), draft.receiver);
    }

    #[test]
    fn a_failure_has_its_place_and_what_is_sent_instead() {
        let outcome = draft(DraftKind::Text, &[("message", "告警\n{{ no_such_thing }}")]).render();
        let problem = outcome.problems.first().unwrap();
        assert_eq!(
            (problem.origin.as_str(), problem.line, problem.column),
            ("receiver/wechat/message", 2, 4)
        );
        assert!(texts_of(&outcome).first().unwrap().contains("this is the built-in text"), "{outcome:?}");
    }

    #[test]
    fn a_template_that_does_not_compile_sends_nothing() {
        let outcome = draft(DraftKind::Text, &[("message", "a\n{{ b")]).render();
        assert_eq!(outcome.messages, []);
        let problem = outcome.problems.first().unwrap();
        assert_eq!((problem.origin.as_str(), problem.line), ("origin of message", 2));
    }

    #[test]
    fn a_payload_without_alerts_or_without_sense_says_so() {
        for payload in ["{}", "{", r#"{"alerts":[]}"#] {
            let draft = Draft { payload: payload.to_owned(), ..draft(DraftKind::Text, &[("message", "x")]) };
            let outcome = draft.render();
            assert!(outcome.nothing.is_some() && outcome.messages.is_empty(), "{outcome:?}");
        }
    }
}
