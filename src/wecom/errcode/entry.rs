//! One row of the table of errcodes.

use crate::{language::Bilingual, wecom::Errcode};

/// The reaction to an errcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Renew the access token and send again.
    Token,
    /// Send again after a while.
    Transient,
    /// Wait until WeCom's limit has passed: a minute, then longer.
    RateLimited,
    /// Hold the sender until an operator has fixed its configuration.
    Configuration,
    /// The message becomes a dead letter, because no retry can help.
    Message,
    /// The message becomes a dead letter, because none of its recipients can get it.
    Recipient,
    /// Not in the table. Three attempts for one message among others that succeed; else a problem of the sender.
    Unknown,
}

impl Class {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Transient => "transient",
            Self::RateLimited => "rate-limited",
            Self::Configuration => "configuration",
            Self::Message => "message",
            Self::Recipient => "recipient",
            Self::Unknown => "unknown",
        }
    }
}

/// The evidence for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// WeCom's list of global errcodes, <https://developer.work.weixin.qq.com/document/path/90313>.
    Documented,
    /// Documented, and seen in replies of the real service.
    Seen,
    /// Documented for another call. We assume that a send can get it.
    Inferred,
}

/// One errcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub errcode: Errcode,
    pub class: Class,
    /// A clause without a full stop.
    pub meaning: Bilingual<&'static str>,
    /// Instructions for an operator: a sentence in the imperative without a full stop.
    pub fix: Option<Bilingual<&'static str>>,
    pub source: Source,
}

/// This machine's IP is not trusted. The errmsg contains the IP.
pub const NOT_TRUSTED: Errcode = Errcode(60020);

/// The secret is wrong, or the access token is not valid.
pub(super) const INVALID_CREDENTIAL: Errcode = Errcode(40001);
