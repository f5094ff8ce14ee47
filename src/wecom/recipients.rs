//! The recipients of a message: users, departments and tags.

use std::{collections::HashSet, fmt};

use crate::{
    language::Language,
    text::{named_char, prefix_chars},
};

/// The maximum number of users that one `message/send` takes.
pub const MAX_USERS: usize = 1000;
/// The maximum number of departments that one `message/send` takes.
pub const MAX_PARTIES: usize = 100;
/// The maximum number of tags that one `message/send` takes.
pub const MAX_TAGS: usize = 100;

const LONGEST_USER_ID: usize = 64;
/// WeCom's own ids have about 30 characters, and those of a caller have at most 32.
const LONGEST_CHAT_ID: usize = 64;
/// The stored text of [`Recipients::Group`], and the beginning of that of [`Recipients::Chat`]. No list of users begins
/// with a separator.
const GROUP: &str = "|group";
const CHAT: &str = "|chat:";
/// The characters of a wrong id that an error shows.
const SHOWN: usize = 40;

/// The recipients of a message. Parsing never yields an empty set: [`Recipients::Nobody`] is always intended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// A dead letter without recipients. WeCom would refuse it (82001).
    Nobody,
    /// `@all`: everybody in the app's visible range.
    All,
    /// Some users, departments and tags.
    Listed(Listed),
    /// The group of a robot.
    Group,
    /// A group chat that an app created.
    Chat(ChatId),
}

/// The id of a group chat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChatId(String);

impl ChatId {
    /// `None` if `text` cannot be the id of a chat.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (!text.is_empty() && text.len() <= LONGEST_CHAT_ID && text.chars().all(is_valid))
            .then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Users, departments and tags, in the order written and without duplicates. At least one list is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    users: Vec<String>,
    parties: Vec<String>,
    tags: Vec<String>,
}

/// One recipient. WeCom's rate limits apply to each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Addressee {
    All,
    /// The user id in lower case, because WeCom ignores its case.
    User(String),
    /// A department.
    Party(String),
    Tag(String),
    /// The group of a robot.
    Group,
    /// A group chat.
    Chat(String),
    /// All group chats of the app together, because WeCom counts the messages to a member over all of them.
    Chats,
}

/// No recipient is named. WeCom would answer 82001.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no recipient: name at least one user, department or tag")]
pub struct NoRecipient;

/// A text that is not the id of a department or tag, cut to its first characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?}, which is not an id: the id of a department or tag is a whole number")]
pub struct BadId(pub String);

/// A text that is not a user id, cut to its first characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}, which is not a user id: it {reason}")]
pub struct BadUserId {
    pub text: String,
    /// Such as "has more than 64 characters".
    pub reason: String,
}

/// Recipients that nothing can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecipients {
    #[error(transparent)]
    Nobody(#[from] NoRecipient),
    #[error("to_user has {0}")]
    User(BadUserId),
    #[error("to_party has {0}")]
    Party(BadId),
    #[error("to_tag has {0}")]
    Tag(BadId),
}

/// True if `c` separates the items of a list. WeCom uses `|`. People also write commas, semicolons and spaces, Chinese
/// ones too, and no id contains any of them.
pub fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '|' | '｜' | ',' | '，' | ';' | '；' | '、')
}

/// True if `user` is `@all`, or `all` as the markup of a mention has it.
pub(super) fn is_everybody(user: &str) -> bool {
    user.trim_start_matches('@').eq_ignore_ascii_case("all")
}

/// Checks that all items of `list` can be user ids.
///
/// # Errors
/// [`BadUserId`] for the first item that cannot be one.
pub fn check_user_ids(list: &str) -> Result<(), BadUserId> {
    parts(list, str::to_lowercase).iter().try_for_each(|user| check_user_id(user))
}

fn check_user_id(user: &str) -> Result<(), BadUserId> {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let reason = match user.chars().find(|c| !is_valid(*c)) {
        Some(odd) => format!("has the character {}", named_char(odd)),
        None if user.len() > LONGEST_USER_ID => format!("has more than {LONGEST_USER_ID} characters"),
        None => return Ok(()),
    };
    Err(BadUserId { text: prefix_chars(user, SHOWN).to_owned(), reason })
}

/// True if `text` can be a mobile number.
pub fn is_mobile(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (5..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Checks that `list` has only ids of departments or tags, as [`Recipients::checked`] requires.
///
/// # Errors
/// [`BadId`] for the first item that is not an id.
pub fn check_ids(list: &str) -> Result<(), BadId> {
    all_ids(&parts(list, id_or_text))
}

fn all_ids(texts: &[String]) -> Result<(), BadId> {
    match texts.iter().find(|text| id(text).is_none()) {
        Some(bad) => Err(BadId(prefix_chars(bad, SHOWN).to_owned())),
        None => Ok(()),
    }
}

/// The number of a department or tag. It must fit 32 bits, because a larger one that WeCom truncates may be the number of
/// another department.
fn id(text: &str) -> Option<u32> {
    // `parse` would also accept a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// An id without leading zeros. Another text is unchanged.
fn id_or_text(text: &str) -> String {
    id(text).map_or_else(|| text.to_owned(), |id| id.to_string())
}

impl Recipients {
    /// Parses the recipients of a new message like [`Self::parse`], and requires ids of departments and tags. Leading
    /// zeros are dropped, so that one department or tag has one spelling. An impossible user id is kept beside other
    /// recipients, because WeCom sends the message to these and names the impossible one.
    ///
    /// # Errors
    /// [`BadRecipients`] if no recipient is named, an id is not a number, or no user id is possible.
    pub fn checked(to_user: &str, to_party: &str, to_tag: &str) -> Result<Self, BadRecipients> {
        let recipients = Self::parse(to_user, to_party, to_tag)?;
        if let Self::Listed(Listed { users, parties, tags }) = &recipients {
            all_ids(parties).map_err(BadRecipients::Party)?;
            all_ids(tags).map_err(BadRecipients::Tag)?;
            let mut errors = users.iter().filter_map(|user| check_user_id(user).err());
            let count = errors.clone().count();
            if count == users.len()
                && parties.is_empty()
                && tags.is_empty()
                && let Some(error) = errors.next()
            {
                return Err(BadRecipients::User(error));
            }
        }
        Ok(recipients)
    }

    /// Parses lists as Alertmanager's `to_user`, `to_party` and `to_tag` are written: items between
    /// [separators](is_separator). Empty items and duplicates are ignored. A department or tag without an id is kept, because every
    /// delivery in the outbox must be readable.
    ///
    /// # Errors
    /// [`NoRecipient`] if no recipient is named.
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

    /// Restores recipients from the texts of [`Self::touser`], [`Self::toparty`] and [`Self::totag`]. `None` if they are
    /// not valid.
    pub fn stored(to_user: &str, to_party: &str, to_tag: &str) -> Option<Self> {
        if [to_user, to_party, to_tag].iter().all(|ids| ids.is_empty()) {
            return Some(Self::Nobody);
        }
        if to_user == GROUP {
            return Some(Self::Group);
        }
        if let Some(chat) = to_user.strip_prefix(CHAT) {
            return ChatId::parse(chat).map(Self::Chat);
        }
        Self::parse(to_user, to_party, to_tag).ok()
    }

    /// True for the group of a robot or of a chat.
    pub fn is_group(&self) -> bool {
        matches!(self, Self::Group | Self::Chat(_))
    }

    /// True if WeCom can check messages to these recipients for duplicates. It cannot for groups.
    pub fn have_duplicate_check(&self) -> bool {
        !self.is_group()
    }

    pub fn count(&self) -> usize {
        match self {
            Self::Nobody | Self::All | Self::Group | Self::Chat(_) => 0,
            Self::Listed(listed) => listed.users.len() + listed.parties.len() + listed.tags.len(),
        }
    }

    /// True if the department with this id is named.
    pub fn has_party(&self, id: &str) -> bool {
        matches!(self, Self::Listed(listed) if listed.parties.iter().any(|party| party == id))
    }

    /// The value of `touser`. Empty if no user is named. For a group it is a text that only [`Self::stored`] understands.
    pub fn touser(&self) -> String {
        match self {
            Self::Nobody => String::new(),
            Self::All => "@all".to_owned(),
            Self::Group => GROUP.to_owned(),
            Self::Chat(ChatId(id)) => format!("{CHAT}{id}"),
            Self::Listed(listed) => listed.users.join("|"),
        }
    }

    pub fn toparty(&self) -> String {
        self.listed().map(|listed| listed.parties.join("|")).unwrap_or_default()
    }

    pub fn totag(&self) -> String {
        self.listed().map(|listed| listed.tags.join("|")).unwrap_or_default()
    }

    fn listed(&self) -> Option<&Listed> {
        if let Self::Listed(listed) = self { Some(listed) } else { None }
    }

    /// The same recipients, split into as few calls as WeCom's limits allow.
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

    /// Everybody whose limits a message to these recipients uses up.
    pub fn addressees(&self) -> Vec<Addressee> {
        let listed = match self {
            Self::Nobody => return Vec::new(),
            Self::All => return vec![Addressee::All],
            Self::Group => return vec![Addressee::Group],
            Self::Chat(ChatId(id)) => return vec![Addressee::Chat(id.clone()), Addressee::Chats],
            Self::Listed(listed) => listed,
        };
        let users = listed.users.iter().map(|user| Addressee::User(user.to_lowercase()));
        let parties = listed.parties.iter().cloned().map(Addressee::Party);
        let tags = listed.tags.iter().cloned().map(Addressee::Tag);
        users.chain(parties).chain(tags).collect()
    }

    /// A text that is equal for equal sets of recipients. Order and case do not matter.
    pub fn canonical(&self) -> String {
        let mut addressees = self.addressees();
        addressees.retain(|addressee| *addressee != Addressee::Chats);
        addressees.sort_unstable();
        let mut text = String::new();
        for addressee in addressees {
            let (kind, id) = match &addressee {
                Addressee::All => ("@all", ""),
                Addressee::Chats => ("", ""),
                Addressee::User(id) => ("u:", id.as_str()),
                Addressee::Party(id) => ("p:", id.as_str()),
                Addressee::Tag(id) => ("t:", id.as_str()),
                Addressee::Group => ("g:", ""),
                Addressee::Chat(id) => ("c:", id.as_str()),
            };
            text.push_str(kind);
            text.push_str(id);
            text.push('|');
        }
        text
    }
}

impl Recipients {
    /// The recipients as a person reads them in `language`.
    pub fn text(&self, language: Language) -> String {
        match self {
            Self::Nobody => return language.choose("nobody", "无人").to_owned(),
            Self::Group => return language.choose("the robot's group", "机器人所在的群").to_owned(),
            Self::Chat(ChatId(id)) => return format!("{} {id}", language.choose("chat", "群聊")),
            Self::All | Self::Listed(_) => {}
        }
        let [user, party, tag] = language.choose(["user", "party", "tag"], ["成员", "部门", "标签"]);
        let named = [(user, self.touser()), (party, self.toparty()), (tag, self.totag())];
        let named = named.iter().filter(|(_, ids)| !ids.is_empty());
        let named: Vec<String> = named.map(|(kind, ids)| format!("{kind} {ids}")).collect();
        named.join(language.choose(", ", "，"))
    }
}

/// The recipients in English.
impl fmt::Display for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Language::En))
    }
}

/// The items of a list without duplicates. Two items are duplicates if `fold` gives the same text.
fn parts(list: &str, fold: impl Fn(&str) -> String) -> Vec<String> {
    let mut seen = HashSet::new();
    let parts = list.split(is_separator).filter(|part| !part.is_empty());
    parts.filter(|part| seen.insert(fold(part))).map(str::to_owned).collect()
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
    fn groups_are_restored_and_no_list_of_users_becomes_one() {
        let chat = ChatId::parse("wrOgQhDgAAMYQiS5ol9G7gK9JVAAAA").map(Recipients::Chat).unwrap();
        for recipients in [Recipients::Group, chat, Recipients::All, Recipients::Nobody] {
            let stored = [recipients.touser(), recipients.toparty(), recipients.totag()];
            assert_eq!(Recipients::stored(&stored[0], &stored[1], &stored[2]), Some(recipients));
        }
        let many: Vec<_> = (0..MAX_USERS).map(|number| format!("user{number}")).collect();
        for odd in [":group", ":chat:x", "|group", "|chat:x", "chat:x", "group"] {
            let listed = Recipients::checked(&format!("{}|{odd}", many.join("|")), "", "").unwrap();
            for batch in listed.batches() {
                let stored = Recipients::stored(&batch.touser(), &batch.toparty(), &batch.totag());
                assert_eq!(stored, Some(batch));
            }
        }
        assert_eq!(ChatId::parse("a:b"), None);
    }

    #[test]
    fn spaces_empty_items_and_duplicates_are_ignored() {
        let recipients = Recipients::parse(" ZhangSan | lisi||zhangsan ", " 1 |1", "\t").unwrap();
        assert_eq!(recipients.touser(), "ZhangSan|lisi");
        assert_eq!(recipients.toparty(), "1");
        assert_eq!(recipients.totag(), "");
        assert_eq!(recipients.to_string(), "user ZhangSan|lisi, party 1");
    }

    #[test]
    fn commas_and_their_chinese_forms_separate_ids_too() {
        let recipients = Recipients::checked("zhangsan,lisi；wangwu、a｜b\nc", "1，2", "3;4").unwrap();
        assert_eq!(recipients.to_string(), "user zhangsan|lisi|wangwu|a|b|c, party 1|2, tag 3|4");
    }

    #[test]
    fn a_text_that_no_user_id_can_be_is_refused() {
        let error = |users: &str| Recipients::checked(users, "", "").unwrap_err().to_string();
        assert_eq!(
            error("张三"),
            "to_user has \"张三\", which is not a user id: it has the character 张 (U+5F20)"
        );
        assert_eq!(
            error("+8613800000000"),
            "to_user has \"+8613800000000\", which is not a user id: it has the character + (U+002B)"
        );
        let long = "x".repeat(65);
        assert!(error(&long).ends_with("it has more than 64 characters"), "{}", error(&long));
        // WeCom sends to the possible ones and names the others.
        assert!(Recipients::checked("张三|lisi", "", "").is_ok());
        assert!(Recipients::checked("张三", "2", "").is_ok());
        assert!(check_user_ids("zhang_san-1.a@corp.example|lisi").is_ok());
        assert!(check_user_ids("lisi|张三").is_err());
    }

    #[test]
    fn leading_zeros_of_a_department_or_tag_are_dropped() {
        let recipients = Recipients::checked("007", "01 | 1|001|30", "00|0|007").unwrap();
        assert_eq!(recipients.to_string(), "user 007, party 1|30, tag 0|7");
        assert!(recipients.has_party("1"));
        assert_eq!(Recipients::parse("", "01|1|sales", ""), Recipients::parse("", "1|sales", ""));
    }

    #[test]
    fn only_a_plain_number_is_a_department_or_tag() {
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
    fn no_recipient_is_an_error_and_all_replaces_the_rest() {
        assert_eq!(Recipients::parse(" | ", "", ""), Err(NoRecipient));
        assert_eq!(Recipients::parse("lisi|@ALL", "1", ""), Ok(Recipients::All));
        assert_eq!(Recipients::All.batches(), [Recipients::All]);
        assert_eq!(Recipients::All.addressees(), [Addressee::All]);
    }

    #[test]
    fn a_user_a_party_and_a_tag_with_one_id_differ() {
        let canonical: BTreeSet<String> = [("7", "", ""), ("", "7", ""), ("", "", "7")]
            .iter()
            .map(|(user, party, tag)| Recipients::parse(user, party, tag).unwrap().canonical())
            .collect();
        assert_eq!(canonical.len(), 3);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn batches_have_all_recipients_within_the_limits(
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
        fn the_canonical_form_ignores_order_and_case(users in vec("[a-zA-Z]{1,3}", 1..20), turn in 0usize..20) {
            let mut turned = users.clone();
            turned.rotate_left(turn % users.len());
            turned.reverse();
            let turned = Recipients::parse(&turned.join(" | ").to_uppercase(), "2|1", "").unwrap();
            let straight = Recipients::parse(&users.join("|"), "1|2", "").unwrap();
            prop_assert_eq!(straight.canonical(), turned.canonical());
        }
    }
}
