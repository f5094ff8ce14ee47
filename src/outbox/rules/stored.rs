//! The stored form of values of the port, which every engine shares. A stored value that no version of this program writes
//! is reported and never replaced by a guess.

use std::{fmt::Display, time::Duration};

use jiff::Timestamp;

use crate::{
    language::Bilingual,
    outbox::{Kind, State, Status},
    wecom::{Content, InvalidRecipients, Recipients},
};

// The number of a variant is its place in the type, and in these lists.
const KINDS: [Kind; 3] = [Kind::Alert, Kind::Digest, Kind::Notice];
const STATUSES: [Status; 2] = [Status::Firing, Status::Resolved];

/// The reason of a delivery that an operator discarded.
pub const DISCARDED: &str = "discarded";
/// The reason of a member of a discarded digest.
pub const DIGEST_DISCARDED: Bilingual<&str> =
    Bilingual::new("digest {} was discarded", "汇总消息 {} 已被丢弃");
/// The reason of a delivery or press that is set aside.
pub const DAMAGED: Bilingual<&str> = Bilingual::new("a row cannot be read: {}", "有一行数据无法读取：{}");

/// A stored value that no version of this program writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} cannot be {value}")]
pub struct Unreadable {
    name: String,
    value: String,
}

impl Unreadable {
    pub fn new(name: &str, value: impl Display) -> Self {
        Self { name: name.to_owned(), value: value.to_string() }
    }
}

pub fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// # Errors
/// The time is out of range.
pub fn timestamp(millis: i64) -> Result<Timestamp, Unreadable> {
    Timestamp::from_millisecond(millis).map_err(|_| Unreadable::new("a time", millis))
}

pub fn duration_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

pub fn state_number(state: State) -> i64 {
    state as i64
}

pub fn kind_number(kind: Kind) -> i64 {
    kind as i64
}

pub fn status_number(status: Status) -> i64 {
    status as i64
}

/// # Errors
/// No state has this number.
pub fn state(number: i64) -> Result<State, Unreadable> {
    variant(&State::ALL, "state", number)
}

/// # Errors
/// No kind has this number.
pub fn kind(number: i64) -> Result<Kind, Unreadable> {
    variant(&KINDS, "kind", number)
}

/// # Errors
/// No status has this number.
pub fn status(number: i64) -> Result<Status, Unreadable> {
    variant(&STATUSES, "status", number)
}

fn variant<T: Copy>(all: &[T], name: &str, number: i64) -> Result<T, Unreadable> {
    let found = usize::try_from(number).ok().and_then(|number| all.get(number));
    found.copied().ok_or_else(|| Unreadable::new(name, number))
}

/// # Errors
/// There is no such message type.
pub fn content(msgtype: &str, text: String) -> Result<Content, Unreadable> {
    Content::stored(msgtype, text).ok_or_else(|| Unreadable::new("a message type", msgtype))
}

/// # Errors
/// The lists have separators only.
pub fn recipients(users: &str, parties: &str, tags: &str) -> Result<Recipients, Unreadable> {
    Recipients::stored(users, parties, tags).ok_or_else(|| Unreadable::new("a list of recipients", "empty"))
}

/// The kinds of recipients that WeCom could not reach.
const INVALID: [Bilingual<&str>; 4] = [
    Bilingual::new("user", "成员"),
    Bilingual::new("party", "部门"),
    Bilingual::new("tag", "标签"),
    Bilingual::new("without licence", "没有接口许可"),
];

/// The recipients that WeCom could not reach, as one line.
pub fn invalid_recipients(invalid: &InvalidRecipients) -> String {
    let lists = [&invalid.users, &invalid.parties, &invalid.tags, &invalid.unlicensed];
    let named = INVALID.into_iter().zip(lists).filter(|(_, ids)| !ids.is_empty());
    named.map(|(kind, ids)| format!("{} {}", kind.en, ids.join("|"))).collect::<Vec<_>>().join(", ")
}

/// The line of [`invalid_recipients`] in Chinese.
pub fn invalid_recipients_in_chinese(line: &str) -> String {
    let translated = |part: &str| {
        let kind = INVALID.into_iter().find_map(|kind| Some((kind, part.strip_prefix(kind.en)?)));
        kind.map_or_else(|| part.to_owned(), |(kind, ids)| format!("{}{ids}", kind.zh))
    };
    line.split(", ").map(translated).collect::<Vec<_>>().join("，")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_recipients_are_translated() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let invalid = InvalidRecipients {
            users: ids(&["zhangsan", "lisi"]),
            parties: ids(&["3"]),
            tags: Vec::new(),
            unlicensed: ids(&["wangwu"]),
        };
        let line = invalid_recipients(&invalid);
        assert_eq!(line, "user zhangsan|lisi, party 3, without licence wangwu");
        let chinese = "成员 zhangsan|lisi，部门 3，没有接口许可 wangwu";
        assert_eq!(invalid_recipients_in_chinese(&line), chinese);
    }

    #[test]
    fn the_stored_numbers_are_places_in_the_lists() {
        assert!((0..).zip(State::ALL).all(|(number, state)| state_number(state) == number));
        assert!((0..).zip(KINDS).all(|(number, kind)| kind_number(kind) == number));
        assert!((0..).zip(STATUSES).all(|(number, status)| status_number(status) == number));
        assert_eq!(
            State::ALL.map(State::name).join(" "),
            "queued ready in-flight folded delivered dead discarded"
        );
    }
}
