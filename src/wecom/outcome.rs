//! The outcome of a send, and what WeCom or the transport said.

use std::fmt;

/// WeCom's `errcode`; 0 or missing is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errcode(pub i64);

impl fmt::Display for Errcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A call of WeCom's API: those that send a message, and those that an operator needs before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    GetToken,
    MessageSend,
    /// To a group chat of an app.
    AppchatSend,
    /// By a robot.
    WebhookSend,
    UpdateTemplateCard,
    MessageRecall,
    AgentGet,
    UserGet,
    DepartmentGet,
    TagGet,
    AppchatCreate,
    AppchatGet,
}

impl Api {
    const ALL: [Self; 12] = [
        Self::GetToken,
        Self::MessageSend,
        Self::AppchatSend,
        Self::WebhookSend,
        Self::UpdateTemplateCard,
        Self::MessageRecall,
        Self::AgentGet,
        Self::UserGet,
        Self::DepartmentGet,
        Self::TagGet,
        Self::AppchatCreate,
        Self::AppchatGet,
    ];

    /// The call with this [`Self::name`].
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == name)
    }

    /// WeCom's name of the call: the path after `/cgi-bin/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetToken => "gettoken",
            Self::MessageSend => "message/send",
            Self::AppchatSend => "appchat/send",
            Self::WebhookSend => "webhook/send",
            Self::UpdateTemplateCard => "message/update_template_card",
            Self::MessageRecall => "message/recall",
            Self::AgentGet => "agent/get",
            Self::UserGet => "user/get",
            Self::DepartmentGet => "department/get",
            Self::TagGet => "tag/get",
            Self::AppchatCreate => "appchat/create",
            Self::AppchatGet => "appchat/get",
        }
    }

    /// True if the call sends or changes a message.
    pub fn sends(self) -> bool {
        matches!(self, Self::MessageSend | Self::AppchatSend | Self::WebhookSend | Self::UpdateTemplateCard)
    }
}

/// The outcome of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// WeCom accepted the message.
    Accepted(Receipt),
    /// WeCom answered with another errcode than 0: it surely did not accept the message.
    Rejected(ApiError),
    /// The message did not reach WeCom: it was surely not accepted.
    NotSent(TransportError),
    /// The request was written, but no usable reply came: WeCom may have accepted the message.
    Unknown(TransportError),
}

/// WeCom's reply for a message that it accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// `msgid`, the key to recall a message. Empty if the reply has none.
    pub msgid: String,
    /// `response_code`, the key to update a card. Empty if the reply has none.
    pub response_code: String,
    /// Recipients that did not get the message although the errcode is 0.
    pub invalid: InvalidRecipients,
}

/// Recipients that WeCom skipped in a reply with errcode 0.
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
    /// True if WeCom skipped nobody.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// WeCom refused a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub api: Api,
    pub errcode: Errcode,
    /// WeCom's text, at most a few hundred bytes. No code depends on it.
    pub errmsg: String,
}

/// A call got no usable reply of WeCom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    pub api: Api,
    pub kind: TransportErrorKind,
    /// Details for a person, without any secret.
    pub detail: String,
}

/// A call without success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WecomError {
    Rejected(ApiError),
    Transport(TransportError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportErrorKind {
    /// No connection: DNS, TCP, TLS or the proxy.
    Connect,
    /// No reply in time.
    Timeout,
    /// The connection ended before the reply was complete.
    Lost,
    /// An HTTP status other than 200.
    Status(u16),
    /// A reply that is not WeCom's JSON, or is too long to be.
    InvalidReply,
}
