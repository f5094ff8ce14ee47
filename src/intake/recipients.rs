//! The recipients of a notification, when they are templates.
//!
//! A label must not be able to write to everybody: not by `@all`, not by the root department, not by naming thousands
//! of users. An empty label or an invalid id must not lose an alert. All these cases lead to the receiver's fallback,
//! or to a dead letter that a person sees.

use super::receiver::{Address, Receiver};
use crate::{
    language::Language,
    outbox::SenderName,
    render::{RenderError, Rendering},
    wecom::{BadId, BadRecipients, BadUserId, Recipients},
};

/// The maximum number of recipients that templates may name. One call of `message/send` accepts as many. A larger number
/// is a mistake or abuse.
const MAX_TEMPLATED: usize = 1000;
/// The id of the department that contains all others.
const ROOT: &str = "1";

/// The result of the recipient templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RenderedRecipients {
    Valid(Recipients),
    Invalid(RecipientError),
}

/// The reason why the receiver's recipients cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    #[error("to_user, to_party and to_tag are empty after rendering")]
    Empty,
    #[error(
        "to_user is @all after rendering, which is allowed only when the configuration says so literally"
    )]
    Everybody,
    #[error("a template of the recipients failed: {0}")]
    Template(#[from] RenderError),
    #[error("the templates of the recipients did not end in time")]
    TimedOut,
    #[error("the templates of the recipients were not run, because earlier ones of this receiver still run")]
    Stuck,
    #[error(
        "to_party is 1 after rendering, the department of everybody, which is allowed only when the configuration \
         says so literally"
    )]
    Root,
    #[error("to_user contains {0} after rendering")]
    User(BadUserId),
    #[error("to_party contains {0} after rendering")]
    Party(BadId),
    #[error("to_tag contains {0} after rendering")]
    Tag(BadId),
    #[error("the templates name {0} recipients; {MAX_TEMPLATED} are allowed")]
    TooMany(usize),
}

impl RecipientError {
    /// The reason in the language of the member who reads it.
    fn text(&self, language: Language) -> String {
        match (language, self) {
            (Language::En, error) => error.to_string(),
            (Language::Zh, Self::Empty) => "to_user、to_party、to_tag 渲染后均为空".to_owned(),
            (Language::Zh, Self::Everybody) => "to_user 渲染后为 @all，只有在配置中直接写明才允许".to_owned(),
            (Language::Zh, Self::Template(error)) => format!("接收人模板出错：{error}"),
            (Language::Zh, Self::TimedOut) => "接收人模板超时".to_owned(),
            (Language::Zh, Self::Stuck) => "该接收器之前的模板仍在运行，未渲染接收人".to_owned(),
            (Language::Zh, Self::Root) => {
                "to_party 渲染后为 1（全员部门），只有在配置中直接写明才允许".to_owned()
            }
            (Language::Zh, Self::User(bad)) => format!("to_user 渲染后无效：{bad}"),
            (Language::Zh, Self::Party(bad)) => format!("to_party 渲染后无效：{bad}"),
            (Language::Zh, Self::Tag(bad)) => format!("to_tag 渲染后无效：{bad}"),
            (Language::Zh, Self::TooMany(count)) => {
                format!("模板给出 {count} 个接收人，最多 {MAX_TEMPLATED} 个")
            }
        }
    }
}

/// The sender and the recipients that a notification gets.
pub(super) struct Route {
    pub(super) sender: SenderName,
    pub(super) recipients: Recipients,
    /// The first line of a notification that goes to the fallback.
    pub(super) note: Option<String>,
    /// The reason why the notification is a dead letter.
    pub(super) dead: Option<String>,
    /// The reason why the receiver's own recipients are not used.
    pub(super) error: Option<RecipientError>,
}

pub(super) fn render(address: &Address<String>, rendering: &Rendering<'_>) -> RenderedRecipients {
    let rendered = match address {
        Address::Literal(recipients) => Ok(recipients.clone()),
        Address::Template { to_user, to_party, to_tag } => {
            render_templates(rendering, to_user, to_party, to_tag)
        }
    };
    match rendered {
        Ok(recipients) => RenderedRecipients::Valid(recipients),
        Err(error) => RenderedRecipients::Invalid(error),
    }
}

fn render_templates(
    rendering: &Rendering<'_>,
    to_user: &str,
    to_party: &str,
    to_tag: &str,
) -> Result<Recipients, RecipientError> {
    let (users, parties, tags) =
        (rendering.render(to_user)?, rendering.render(to_party)?, rendering.render(to_tag)?);
    match Recipients::checked(&users, &parties, &tags) {
        Ok(Recipients::All) => Err(RecipientError::Everybody),
        Ok(recipients) if recipients.has_party(ROOT) => Err(RecipientError::Root),
        Ok(recipients) if recipients.count() > MAX_TEMPLATED => {
            Err(RecipientError::TooMany(recipients.count()))
        }
        Ok(recipients) => Ok(recipients),
        Err(BadRecipients::Nobody(_)) => Err(RecipientError::Empty),
        Err(BadRecipients::User(bad)) => Err(RecipientError::User(bad)),
        Err(BadRecipients::Party(bad)) => Err(RecipientError::Party(bad)),
        Err(BadRecipients::Tag(bad)) => Err(RecipientError::Tag(bad)),
    }
}

/// The first line of a notification that goes to the fallback.
fn fallback_note(receiver: &Receiver, language: Language, error: &RecipientError) -> String {
    let (name, reason) = (&receiver.name, error.text(language));
    match language {
        Language::En => format!("[wecom-relay: for receiver {name}, which has no recipient: {reason}]"),
        Language::Zh => format!("[wecom-relay：本应发给 {name}，但没有接收人：{reason}]"),
    }
}

/// Routes a notification to its recipients, else to the receiver's fallback, else to the dead letters.
pub(super) fn route(receiver: &Receiver, rendered: RenderedRecipients) -> Route {
    let sender = receiver.sender.clone();
    let error = match rendered {
        RenderedRecipients::Valid(recipients) => {
            return Route { sender, recipients, note: None, dead: None, error: None };
        }
        RenderedRecipients::Invalid(error) => error,
    };
    let Some(fallback) = &receiver.fallback else {
        let dead = Some(format!("no recipient: {error}"));
        return Route { sender, recipients: Recipients::Nobody, note: None, dead, error: Some(error) };
    };
    Route {
        sender: fallback.sender.clone(),
        recipients: fallback.recipients.clone(),
        note: Some(fallback_note(receiver, fallback.language, &error)),
        dead: None,
        error: Some(error),
    }
}
