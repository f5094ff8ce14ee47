//! The settings of the sandbox. The defaults are WeCom's own values.

use std::time::Duration;

/// The behaviour of the sandbox. [`Settings::default`] is WeCom as it is documented.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The seed of tokens, msgids and hints.
    pub seed: u64,
    /// The lifetime of a token in the reply (`expires_in`). Default: 7,200 s.
    pub expires_in: Duration,
    /// The real lifetime of a token. WeCom may end a token early. Default: `expires_in`.
    pub token_lives: Option<Duration>,
    /// The errcode for an expired token. Both have been seen. Default: 42001.
    pub expired_answer: Expired,
    /// Every `gettoken` grants a new token, and older tokens stay valid. Default: the same token until it expires.
    pub new_token_each_call: bool,
    /// The number of wrong secrets from one address within [`Settings::ban`] that bans it from `gettoken`. WeCom does not
    /// document its number. Default: 10.
    pub wrong_secrets_to_ban: usize,
    /// The time for which an address is banned. Default: one hour.
    pub ban: Duration,
    /// The limits for messages from one app to one member. More messages are silently dropped. Default: 30 in a minute
    /// and 1,000 in an hour.
    pub member_limits: Vec<Limit>,
    /// The limit of each robot. More messages are refused with 45009. Default: 20 in a minute.
    pub robot_limit: Limit,
    /// The time for which a robot that exceeded its limit is refused. WeCom blocks a caller for as long as the window of
    /// the limit. Default: one minute.
    pub robot_block: Duration,
    /// The limits for messages from one app to one member in group chats. More messages are silently dropped. Default:
    /// 200 in a minute and 10,000 in a day.
    pub chat_limits: Vec<Limit>,
    /// The reaction to markdown over 2,048 bytes. WeCom does not document it. Default: refuse.
    pub long_markdown: LongMarkdown,
    /// The reaction to a card whose request repeats an earlier one within the interval of the duplicate check. WeCom does
    /// not document it. Default: suppress it like any duplicate.
    pub repeated_card: RepeatedCard,
    /// Accept broken JSON whose fields can be recovered, with a warning in `errmsg`, as WeCom does. If false, such a
    /// request is refused with 40058. Default: true.
    pub recover_json: bool,
    /// Refuse numbers in texts, such as `"agentid":"1000002"`, with 40058. Default: false.
    pub strict: bool,
    /// Write empty lists into the reply, such as `"invaliduser":""`, as WeCom did up to 2021. Default: false.
    pub legacy: bool,
    /// The times of callbacks.
    pub callbacks: CallbackTimes,
    /// The maximum number of messages, and of calls, that are kept. The oldest are dropped first. Default: 100,000.
    pub history: usize,
}

/// At most `messages` in any span of `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub messages: usize,
    /// The length of a sliding window.
    pub window: Duration,
}

/// The reaction to markdown that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongMarkdown {
    /// Answer 40058, as a group robot does.
    Refuse,
    /// Answer errcode 0, and show the markdown cut like a text.
    Cut,
}

/// The reaction to a card that was sent before with the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepeatedCard {
    /// Answer errcode 0, and show nothing.
    Suppress,
    /// Answer 42014, because the task id is taken.
    Refuse,
}

/// The times of callbacks. They are real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallbackTimes {
    /// The time for an answer when the URL is verified. Default: 1 s.
    pub verification: Duration,
    /// The time for an answer to an event. Default: 5 s.
    pub answer: Duration,
    /// The number of times that an event is sent again. Default: 3.
    pub resends: usize,
    /// The time before an event is sent again. WeCom does not document it. Default: 1 s.
    pub pause: Duration,
}

impl Default for CallbackTimes {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self { verification: second, answer: 5 * second, resends: 3, pause: second }
    }
}

/// The errcode for an expired token. Both have been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// "access_token expired"
    With42001,
    /// "invalid access_token", the same as for an unknown token
    With40014,
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
            robot_limit: Limit { messages: 20, window: Duration::from_secs(60) },
            robot_block: Duration::from_secs(60),
            chat_limits: vec![
                Limit { messages: 200, window: Duration::from_secs(60) },
                Limit { messages: 10_000, window: Duration::from_secs(86_400) },
            ],
            long_markdown: LongMarkdown::Refuse,
            repeated_card: RepeatedCard::Suppress,
            recover_json: true,
            strict: false,
            legacy: false,
            callbacks: CallbackTimes::default(),
            history: 100_000,
        }
    }
}
