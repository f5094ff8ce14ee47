//! What can be set about the sandbox, and WeCom's own values.

use std::time::Duration;

use super::Expired;

/// How the sandbox behaves; [`Settings::default`] is WeCom as it is documented.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where tokens, msgids and hints come from: the same seed gives the same ones.
    pub seed: u64,
    /// How long a token is said to live (`expires_in`). Default: 7,200 s.
    pub expires_in: Duration,
    /// How long it lives in truth, where WeCom ends it early. Default: as long as it is said.
    pub token_lives: Option<Duration>,
    /// How an expired token is refused; both answers have been seen. Default: 42001.
    pub expired_answer: Expired,
    /// Every `gettoken` gives another token, the older ones stay good. Default: the same token until it expires.
    pub new_token_each_call: bool,
    /// So many wrong secrets from one address within [`Settings::ban`] ban it from `gettoken`. WeCom does not tell its
    /// number. Default: 10.
    pub wrong_secrets_to_ban: usize,
    /// How long an address is banned. Default: an hour.
    pub ban: Duration,
    /// What one member gets from one app at most; what is over is dropped in silence. Default: 30 in a minute and 1,000
    /// in an hour.
    pub member_limits: Vec<Limit>,
    /// What becomes of markdown over 2,048 bytes; undocumented. Default: refused.
    pub long_markdown: LongMarkdown,
    /// A broken body whose fields can be recovered is taken with a warning in `errmsg`, as WeCom does. Otherwise it is
    /// refused with 40058. Default: true.
    pub recover_json: bool,
    /// Numbers must be numbers: `"agentid":"1000002"` is refused with 40058. Default: false.
    pub strict: bool,
    /// Empty lists are in the reply as `"invaliduser":""`, as they were up to 2021. Default: false.
    pub legacy: bool,
    /// So many messages, and calls, are kept at most; the oldest go first. Default: 100,000.
    pub history: usize,
}

/// At most `messages` in any span of `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many are let through.
    pub messages: usize,
    /// The length of the sliding window.
    pub window: Duration,
}

/// What becomes of markdown that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongMarkdown {
    /// 40058, as a group robot answers.
    Refuse,
    /// errcode 0, and shown cut like text.
    Cut,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            expires_in: Duration::from_secs(7_200),
            token_lives: None,
            expired_answer: Expired::With42001,
            new_token_each_call: false,
            wrong_secrets_to_ban: 10,
            ban: Duration::from_secs(3_600),
            member_limits: vec![
                Limit { messages: 30, window: Duration::from_secs(60) },
                Limit { messages: 1_000, window: Duration::from_secs(3_600) },
            ],
            long_markdown: LongMarkdown::Refuse,
            recover_json: true,
            strict: false,
            legacy: false,
            history: 100_000,
        }
    }
}
