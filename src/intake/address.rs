//! Whom a notification is for, when templates say so.
//!
//! A label must not be able to write to everybody, by `@all`, by the root department or by naming thousands, and one
//! that is empty or no id must not lose an alert: all lead to the receiver's fallback, or to a dead letter that a person can see.

use super::{Address, Receiver};
use crate::{
    outbox::SenderName,
    render::{RenderError, Rendering},
    wecom::{BadId, BadRecipients, Recipients},
};

/// Whom a notification is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressed {
    /// Them.
    To(Recipients),
    /// Nobody, for this reason.
    Nobody(Unaddressed),
}

/// Why there is nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unaddressed {
    /// Nothing was left of the three.
    #[error("to_user, to_party and to_tag came out empty")]
    Empty,
    /// `@all` did not stand in the configuration.
    #[error("to_user came out as @all, which counts only when it is written so in the configuration")]
    Everybody,
    /// A template failed.
    #[error("a template of the recipients failed: {0}")]
    Template(#[from] RenderError),
    /// The templates did not end in time.
    #[error("the templates of the recipients did not end in time")]
    Late,
    /// The templates were not tried.
    #[error("the templates of the recipients were not tried: earlier ones of this receiver still run")]
    Hanging,
    /// The root department did not stand in the configuration.
    #[error(
        "to_party came out as 1, the department of everybody, which counts only when it is written so in the \
         configuration"
    )]
    Root,
    /// A department is named by what is no id.
    #[error("to_party came out with {0}")]
    Party(BadId),
    /// A tag is.
    #[error("to_tag came out with {0}")]
    Tag(BadId),
    /// There are too many.
    #[error("{0} recipients came out, and templates may name {MAX_TEMPLATED}")]
    TooMany(usize),
}

/// As many recipients as one call of `message/send` takes: more would be a mistake, or somebody's prank.
const MAX_TEMPLATED: usize = 1000;
/// The id of the department that all others are in.
const ROOT: &str = "1";

/// What `address` comes to.
pub(super) fn addressed(address: &Address<String>, rendering: &Rendering<'_>) -> Addressed {
    match address {
        Address::Literal(recipients) => Addressed::To(recipients.clone()),
        Address::Template { to_user, to_party, to_tag } => {
            named(rendering, [to_user, to_party, to_tag]).map_or_else(Addressed::Nobody, Addressed::To)
        }
    }
}

fn named(rendering: &Rendering<'_>, [user, party, tag]: [&String; 3]) -> Result<Recipients, Unaddressed> {
    let (user, party, tag) = (rendering.render(user)?, rendering.render(party)?, rendering.render(tag)?);
    match Recipients::checked(&user, &party, &tag) {
        Ok(Recipients::All) => Err(Unaddressed::Everybody),
        Ok(recipients) if recipients.has_party(ROOT) => Err(Unaddressed::Root),
        Ok(recipients) if recipients.count() > MAX_TEMPLATED => Err(Unaddressed::TooMany(recipients.count())),
        Ok(recipients) => Ok(recipients),
        Err(BadRecipients::Nobody(_)) => Err(Unaddressed::Empty),
        Err(BadRecipients::Party(bad)) => Err(Unaddressed::Party(bad)),
        Err(BadRecipients::Tag(bad)) => Err(Unaddressed::Tag(bad)),
    }
}

/// Where a notification goes.
pub(super) struct Way {
    pub(super) sender: SenderName,
    pub(super) recipients: Recipients,
    /// What its reader must know first.
    pub(super) note: Option<String>,
    /// Why it goes nowhere.
    pub(super) dead: Option<String>,
}

pub(super) fn way(receiver: &Receiver, addressed: &Addressed) -> Way {
    let (why, fallback) = match (addressed, &receiver.fallback) {
        (Addressed::To(recipients), _) => {
            let (sender, recipients) = (receiver.sender.clone(), recipients.clone());
            return Way { sender, recipients, note: None, dead: None };
        }
        (Addressed::Nobody(why), fallback) => (why, fallback),
    };
    let Some(fallback) = fallback else {
        let dead = Some(format!("nobody to send to: {why}"));
        return Way { sender: receiver.sender.clone(), recipients: Recipients::Nobody, note: None, dead };
    };
    let note = format!("[wecom-relay: for receiver {}, which has nobody to send to: {why}]", receiver.name);
    Way {
        sender: fallback.sender.clone(),
        recipients: fallback.recipients.clone(),
        note: Some(note),
        dead: None,
    }
}
