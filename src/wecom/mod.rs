//! WeCom as this program sees it: whom a message is for, what it says, and what a send came to.
//!
//! The port is [`WeCom`]. Its answer tells apart what was surely not taken from what may have been
//! ([`Outcome`]), because that decides whether a resend can make a double. A `Result` with one error type was
//! rejected: it hides that difference in error kinds that a caller forgets to match.

pub mod client;
mod content;
pub mod endpoint;
pub mod errcode;
pub mod limits;
pub mod message;
pub mod token;

use std::{collections::HashSet, fmt, future::Future, time::Duration};

pub use content::{Card, Content};

/// The most users, departments and tags that one `message/send` takes.
pub const MAX_USERS: usize = 1000;
/// See [`MAX_USERS`].
pub const MAX_PARTIES: usize = 100;
/// See [`MAX_USERS`].
pub const MAX_TAGS: usize = 100;

/// Sends messages as one app.
pub trait WeCom: Send + Sync + 'static {
    /// Sends one message. Never fails as a call: every end that a send can have is an [`Outcome`].
    ///
    /// A refused access token (40014, 42001, 41001) is renewed and the message sent again before this returns.
    fn send(&self, message: &Message) -> impl Future<Output = Outcome> + Send;
}

/// One `message/send`: what is sent is a function of this value alone, so that a resend is byte-identical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whom it is for; within WeCom's limits for one call.
    pub recipients: Recipients,
    /// What it says.
    pub content: Content,
    /// Have WeCom suppress a copy of the same request within this time (`duplicate_check_interval`).
    pub duplicate_check: Option<Duration>,
}

/// Whom a message is for. An empty set is not read from anywhere: it is [`Recipients::Nobody`], and meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// Of a dead letter that nobody could be found for. WeCom refuses it (82001), should it be sent all the same.
    Nobody,
    /// `@all`: everybody whom the app can see.
    All,
    /// Some users, departments and tags.
    Listed(Listed),
}

/// Users, departments and tags, each in the order written and without doubles; not all empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    users: Vec<String>,
    parties: Vec<String>,
    tags: Vec<String>,
}

/// One addressee by itself: what WeCom's limit for a member is counted on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Addressee {
    /// Everybody.
    All,
    /// A member, in lower case (user ids are case-insensitive).
    User(String),
    /// A department.
    Party(String),
    /// A tag.
    Tag(String),
}

/// No recipient at all: WeCom answers 82001.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no recipient: name at least one user, department or tag")]
pub struct NoRecipient;

/// What is no id of a department or of a tag; at its first few characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?}, which is no id: a department's or a tag's id is a whole number")]
pub struct BadId(pub String);

/// What nothing can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecipients {
    /// Nobody is named.
    #[error(transparent)]
    Nobody(#[from] NoRecipient),
    /// A department is named by what is no id.
    #[error("to_party has {0}")]
    Party(BadId),
    /// A tag is.
    #[error("to_tag has {0}")]
    Tag(BadId),
}

/// Whether `list` has ids of departments or tags and nothing else, as [`Recipients::checked`] wants it.
///
/// # Errors
/// [`BadId`] for the first that is none.
pub fn check_ids(list: &str) -> Result<(), BadId> {
    all_ids(&parts(list, id_or_text))
}

fn all_ids(texts: &[String]) -> Result<(), BadId> {
    const SHOWN: usize = 40;
    match texts.iter().find(|text| id(text).is_none()) {
        Some(bad) => Err(BadId(bad.chars().take(SHOWN).collect())),
        None => Ok(()),
    }
}

/// The number of a department or a tag. WeCom's have 32 bits, and what is cut down to them may be the number of another.
fn id(text: &str) -> Option<u32> {
    // `parse` takes a sign too.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// An id in its one spelling; another text as it is.
fn id_or_text(text: &str) -> String {
    id(text).map_or_else(|| text.to_owned(), |id| id.to_string())
}

impl Recipients {
    /// Reads whom a new message is for: [`Self::parse`], with ids of departments and tags and nothing else. A number
    /// has one spelling, so that the root department is known and that what is counted by id is counted once.
    ///
    /// # Errors
    /// [`BadRecipients`] when nothing is left, or an id is none.
    pub fn checked(to_user: &str, to_party: &str, to_tag: &str) -> Result<Self, BadRecipients> {
        let recipients = Self::parse(to_user, to_party, to_tag)?;
        if let Self::Listed(Listed { parties, tags, .. }) = &recipients {
            all_ids(parties).map_err(BadRecipients::Party)?;
            all_ids(tags).map_err(BadRecipients::Tag)?;
        }
        Ok(recipients)
    }

    /// Reads `touser`, `toparty` and `totag` as Alertmanager's `to_user`, `to_party` and `to_tag` are written:
    /// parts divided by `|`, spaces around them, empty parts and doubles without meaning. What is no id stays as it
    /// is: what an outbox has must be readable.
    ///
    /// # Errors
    /// [`NoRecipient`] when nothing is left.
    pub fn parse(to_user: &str, to_party: &str, to_tag: &str) -> Result<Self, NoRecipient> {
        let users = parts(to_user, str::to_lowercase);
        if users.iter().any(|user| user.eq_ignore_ascii_case("@all")) {
            return Ok(Self::All);
        }
        let written = |list| parts(list, id_or_text).iter().map(|id| id_or_text(id)).collect();
        let listed = Listed { users, parties: written(to_party), tags: written(to_tag) };
        if listed.users.is_empty() && listed.parties.is_empty() && listed.tags.is_empty() {
            return Err(NoRecipient);
        }
        Ok(Self::Listed(listed))
    }

    /// How many are named.
    pub fn count(&self) -> usize {
        match self {
            Self::Nobody | Self::All => 0,
            Self::Listed(listed) => listed.users.len() + listed.parties.len() + listed.tags.len(),
        }
    }

    /// Whether the department of this id is named.
    pub fn has_party(&self, id: &str) -> bool {
        matches!(self, Self::Listed(listed) if listed.parties.iter().any(|party| party == id))
    }

    /// `touser` as it is sent; empty when no user is named.
    pub fn touser(&self) -> String {
        match self {
            Self::Nobody => String::new(),
            Self::All => "@all".to_owned(),
            Self::Listed(listed) => listed.users.join("|"),
        }
    }

    /// `toparty` as it is sent.
    pub fn toparty(&self) -> String {
        match self {
            Self::Nobody | Self::All => String::new(),
            Self::Listed(listed) => listed.parties.join("|"),
        }
    }

    /// `totag` as it is sent.
    pub fn totag(&self) -> String {
        match self {
            Self::Nobody | Self::All => String::new(),
            Self::Listed(listed) => listed.tags.join("|"),
        }
    }

    /// The same recipients in as few calls as WeCom's limits allow.
    pub fn batches(&self) -> Vec<Self> {
        let Self::Listed(listed) = self else { return vec![self.clone()] };
        let mut users = listed.users.chunks(MAX_USERS);
        let mut parties = listed.parties.chunks(MAX_PARTIES);
        let mut tags = listed.tags.chunks(MAX_TAGS);
        let mut batches = Vec::new();
        loop {
            let batch = Listed {
                users: users.next().unwrap_or_default().to_vec(),
                parties: parties.next().unwrap_or_default().to_vec(),
                tags: tags.next().unwrap_or_default().to_vec(),
            };
            if batch == Listed::default() {
                return batches;
            }
            batches.push(Self::Listed(batch));
        }
    }

    /// Everyone named, each by itself.
    pub fn addressees(&self) -> Vec<Addressee> {
        let listed = match self {
            Self::Nobody => return Vec::new(),
            Self::All => return vec![Addressee::All],
            Self::Listed(listed) => listed,
        };
        let users = listed.users.iter().map(|user| Addressee::User(user.to_lowercase()));
        let parties = listed.parties.iter().cloned().map(Addressee::Party);
        let tags = listed.tags.iter().cloned().map(Addressee::Tag);
        users.chain(parties).chain(tags).collect()
    }

    /// A text that is equal for equal sets, however they were written.
    pub fn canonical(&self) -> String {
        let mut addressees = self.addressees();
        addressees.sort_unstable();
        let mut text = String::new();
        for addressee in addressees {
            let (kind, id) = match &addressee {
                Addressee::All => ("@all", ""),
                Addressee::User(id) => ("u:", id.as_str()),
                Addressee::Party(id) => ("p:", id.as_str()),
                Addressee::Tag(id) => ("t:", id.as_str()),
            };
            text.push_str(kind);
            text.push_str(id);
            text.push('|');
        }
        text
    }
}

impl fmt::Display for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::Nobody {
            return f.write_str("nobody");
        }
        let named = [("user", self.touser()), ("party", self.toparty()), ("tag", self.totag())];
        let mut first = true;
        for (kind, ids) in named.iter().filter(|(_, ids)| !ids.is_empty()) {
            write!(f, "{}{kind} {ids}", if first { "" } else { ", " })?;
            first = false;
        }
        Ok(())
    }
}

/// The parts of a `|`-divided list; `fold` says which parts are the same.
fn parts(list: &str, fold: impl Fn(&str) -> String) -> Vec<String> {
    let mut seen = HashSet::new();
    let parts = list.split('|').map(str::trim).filter(|part| !part.is_empty());
    parts.filter(|part| seen.insert(fold(part))).map(str::to_owned).collect()
}

/// WeCom's `errcode`; 0 or missing is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errcode(pub i64);

impl fmt::Display for Errcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The calls that a send is made of, and those that look whether it would succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// `gettoken`
    GetToken,
    /// `message/send`
    MessageSend,
    /// `agent/get`
    AgentGet,
    /// `user/get`
    UserGet,
    /// `department/get`
    DepartmentGet,
    /// `tag/get`
    TagGet,
}

impl Api {
    /// WeCom's name of the call.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetToken => "gettoken",
            Self::MessageSend => "message/send",
            Self::AgentGet => "agent/get",
            Self::UserGet => "user/get",
            Self::DepartmentGet => "department/get",
            Self::TagGet => "tag/get",
        }
    }
}

/// How a send ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// WeCom took the message.
    Accepted(Receipt),
    /// WeCom said no with an errcode: the message was surely not taken.
    Rejected(ApiError),
    /// The message did not get to WeCom: it was surely not taken.
    NotSent(TransportError),
    /// The request was written and no usable answer came: the message may have been taken.
    Unknown(TransportError),
}

/// What WeCom says of a message that it took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// `msgid`, by which a message can be recalled; empty when the reply had none.
    pub msgid: String,
    /// `response_code`, by which a card can be updated; empty when the reply had none.
    pub response_code: String,
    /// Those who did not get the message although the errcode was 0.
    pub invalid: InvalidRecipients,
}

/// Recipients that WeCom passed over in an errcode-0 answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InvalidRecipients {
    /// `invaliduser`
    pub users: Vec<String>,
    /// `invalidparty`
    pub parties: Vec<String>,
    /// `invalidtag`
    pub tags: Vec<String>,
    /// `unlicenseduser`
    pub unlicensed: Vec<String>,
}

impl InvalidRecipients {
    /// Whether everybody got the message.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// WeCom's own no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The call that was refused.
    pub api: Api,
    /// Why, as a number.
    pub errcode: Errcode,
    /// Why, in WeCom's words; at most a few hundred bytes, never matched on.
    pub errmsg: String,
}

/// An end without WeCom's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    /// The call that failed.
    pub api: Api,
    /// What kind of failure.
    pub kind: TransportErrorKind,
    /// The details for a person, without any secret.
    pub detail: String,
}

/// Kinds of [`TransportError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportErrorKind {
    /// No connection: DNS, TCP, TLS or the proxy.
    Connect,
    /// No answer in time.
    Timeout,
    /// The connection ended before the answer did.
    Lost,
    /// An HTTP status other than 200.
    Status(u16),
    /// An answer that is not WeCom's JSON, or is too long to be.
    NotWecom,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn joined(recipients: &[Recipients], ids: impl Fn(&Recipients) -> String) -> String {
        recipients.iter().map(ids).filter(|ids| !ids.is_empty()).collect::<Vec<_>>().join("|")
    }

    fn count(ids: &str) -> usize {
        ids.split('|').filter(|id| !id.is_empty()).count()
    }

    #[test]
    fn spaces_empty_parts_and_doubles_have_no_meaning() {
        let recipients = Recipients::parse(" ZhangSan | lisi||zhangsan ", " 1 |1", "\t").unwrap();
        assert_eq!(recipients.touser(), "ZhangSan|lisi");
        assert_eq!(recipients.toparty(), "1");
        assert_eq!(recipients.totag(), "");
        assert_eq!(recipients.to_string(), "user ZhangSan|lisi, party 1");
    }

    #[test]
    fn a_department_or_tag_is_one_however_its_number_is_written() {
        let recipients = Recipients::checked("007", "01 | 1|001|30", "00|0|007").unwrap();
        assert_eq!(recipients.to_string(), "user 007, party 1|30, tag 0|7");
        assert!(recipients.has_party("1"));
        assert_eq!(Recipients::parse("", "01|1|sales", ""), Recipients::parse("", "1|sales", ""));
    }

    #[test]
    fn what_is_no_plain_number_is_no_department_and_no_tag() {
        for id in ["+1", "-1", "1.0", "1e0", "0x1", "\u{ff11}", "sales", "4294967297"] {
            let bad = BadId(id.to_owned());
            let list = format!("2|{id}");
            assert_eq!(Recipients::checked("lisi", &list, ""), Err(BadRecipients::Party(bad.clone())));
            assert_eq!(Recipients::checked("lisi", "", &list), Err(BadRecipients::Tag(bad)));
        }
        assert_eq!(Recipients::checked("", " ", ""), Err(NoRecipient.into()));
        assert_eq!(Recipients::checked("@all", "sales", ""), Ok(Recipients::All));
    }

    #[test]
    fn nobody_is_an_error_and_all_swallows_the_rest() {
        assert_eq!(Recipients::parse(" | ", "", ""), Err(NoRecipient));
        assert_eq!(Recipients::parse("lisi|@ALL", "1", ""), Ok(Recipients::All));
        assert_eq!(Recipients::All.batches(), [Recipients::All]);
        assert_eq!(Recipients::All.addressees(), [Addressee::All]);
    }

    #[test]
    fn a_user_a_party_and_a_tag_of_one_id_are_three() {
        let canonical: BTreeSet<String> = [("7", "", ""), ("", "7", ""), ("", "", "7")]
            .iter()
            .map(|(user, party, tag)| Recipients::parse(user, party, tag).unwrap().canonical())
            .collect();
        assert_eq!(canonical.len(), 3);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn batches_are_the_whole_in_pieces_that_wecom_takes(
            users in vec("[a-z]{1,4}", 0..2500), parties in vec(0u32..2000, 0..350), tags in vec(0u32..2000, 0..350),
        ) {
            let ids = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>().join("|");
            let Ok(whole) = Recipients::parse(&users.join("|"), &ids(&parties), &ids(&tags)) else { return Ok(()) };
            let batches = whole.batches();
            prop_assert_eq!(joined(&batches, Recipients::touser), whole.touser());
            prop_assert_eq!(joined(&batches, Recipients::toparty), whole.toparty());
            prop_assert_eq!(joined(&batches, Recipients::totag), whole.totag());
            for batch in &batches {
                prop_assert!(!batch.addressees().is_empty());
                prop_assert!(count(&batch.touser()) <= MAX_USERS);
                prop_assert!(count(&batch.toparty()) <= MAX_PARTIES);
                prop_assert!(count(&batch.totag()) <= MAX_TAGS);
            }
        }

        #[test]
        fn the_canonical_form_does_not_depend_on_the_order(users in vec("[a-zA-Z]{1,3}", 1..20), turn in 0usize..20) {
            let mut turned = users.clone();
            turned.rotate_left(turn % users.len());
            turned.reverse();
            let turned = Recipients::parse(&turned.join(" | ").to_uppercase(), "2|1", "").unwrap();
            let straight = Recipients::parse(&users.join("|"), "1|2", "").unwrap();
            prop_assert_eq!(straight.canonical(), turned.canonical());
        }
    }
}
