//! A WeCom for tests, demonstrations and staging that runs on your own machine.
//!
//! It serves `gettoken`, `message/send`, `message/update_template_card`, `message/recall` and the read calls `agent/get`,
//! `user/get`, `department/get` and `tag/get` under `/cgi-bin/`, `webhook/send` for robots, and `appchat/create`,
//! `appchat/get` and `appchat/send`. It calls the server of an app back when a member presses a button. It makes WeCom's checks in WeCom's order, with the same errcodes, replies and headers. It records what
//! every member of its [`Directory`] was *shown*, because a reply does not show that:
//!
//! - More than 30 messages a minute or 1,000 an hour from one app to one member are answered with errcode 0 and dropped.
//! - A text over 2,048 bytes is answered with errcode 0 and shown cut.
//! - More than 20 messages a minute of one robot are answered with 45009, and the robot is blocked for a minute.
//! - A repeated request with `enable_duplicate_check` is answered with errcode 0 and not shown again.
//!
//! So a test should check [`Sandbox::delivered_to`] and [`Sandbox::delivered_to_group`]. Where we do not know WeCom's behaviour, the stricter choice is the
//! default and a field of [`Settings`] selects the other one.
//!
//! # Control
//!
//! The control API offers the same over HTTP, in JSON. An unknown field is an error that says what would be right.
//!
//! | request | effect |
//! |---|---|
//! | `GET /` | shows the phones of the members to a browser, and explains all of this to other programs |
//! | `GET /help` | explains all of this in plain text |
//! | `GET /sandbox/members/{userid}/messages` | lists the messages that the member was shown, oldest first |
//! | `GET /sandbox/groups/{name}/messages` | lists the messages that the group of a robot, or a chat, was shown |
//! | `GET /sandbox/messages` | lists every accepted message with `shown`, `dropped` or `duplicate` for each member |
//! | `DELETE /sandbox/messages` | deletes all messages, but keeps limits, duplicates and counts |
//! | `GET /sandbox/calls` | counts the calls by API and errcode, or `http_500`, or `none` without a complete response |
//! | `GET /sandbox/faults` | lists the active faults |
//! | `POST /sandbox/faults` | adds a [`Fault`]: `{"api":"message/send","fault":{"errcode":45009},"count":3}` |
//! | `DELETE /sandbox/faults` | ends all faults |
//! | `POST /sandbox/tokens/expire` | expires all granted tokens, with `{"errcode":42001}` or `{"errcode":40014}` |
//! | `POST /sandbox/presses` | lets a member press a button: `{"member":"zhangsan","task_id":"…","key":"ack"}`, with a [`PressFault`] if wanted |
//! | `GET /sandbox/presses` | lists the presses, with each attempt to call back |
//! | `PUT /sandbox/callbacks/{agent_id}` | verifies and sets the callback of an app: `{"url":"…"}` |
//! | `GET /sandbox/callbacks` | lists the apps with a callback |
//! | `GET /sandbox/directory` | shows the directory with its secrets, which are of no use elsewhere |
//! | `PUT /sandbox/directory` | replaces the directory by another one in YAML |
//!
//! A fault is one of `{"errcode":N,"errmsg":"…"}`, `{"http_status":N,"body":"…"}`, `{"hang":true}`,
//! `{"drop":"before"|"after"}`, `{"truncate":true}`, `{"latency_ms":N}` and `{"clock_skew_s":N}`, which changes the header
//! `Date`. With `"taken":true` the first three still deliver the message. A fault lasts for `"count"` calls,
//! `"for_ms"` milliseconds or until it is cleared. It applies to one `"api"` (a name such as `"message/send"`, or `"*"`),
//! and can be limited to an `"app"` (agent id), a `"member"` (named in `touser`), or messages with a `"text"`.

mod appchat;
mod arrival;
mod auth;
mod ban;
mod callback;
mod calls;
mod card;
mod card_buttons;
mod cards;
mod chats;
mod checks;
mod control;
mod control_answer;
mod control_callbacks;
mod directory;
mod duplicate;
mod fault_json;
mod faults;
mod fields;
mod handle;
mod instance;
mod json;
mod limit;
mod phone;
mod random;
mod reads;
mod recall;
mod record;
mod reply;
mod request;
mod response;
mod router;
mod send;
mod serve;
mod settings;
mod state;
mod time;
mod token;
mod update;
mod webhook;

pub use arrival::Arrival;
pub use callback::{
    Attempt, AttemptResult, Callback, CallbackError, Press, PressError, PressFault, PressId,
    VerificationError,
};
pub use calls::{Call, CallResponse};
pub use control::FAULTS_HELP;
pub use directory::{BUILTIN_YAML, Directory, DirectoryError};
pub use faults::{Effect, Fault, FaultDuration, Moment};
pub use instance::Sandbox;
pub use phone::{DemoPress, PhoneExtras};
pub use record::{Delivered, EarlierForm, MemberOutcome, Message, MessageChange};
pub use request::Api;
pub use settings::{CallbackTimes, Expired, Limit, LongMarkdown, RepeatedCard, Settings};
