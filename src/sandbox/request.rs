//! A request to one of WeCom's calls.

use std::{collections::HashMap, net::IpAddr};

use axum::{
    body::Bytes,
    extract::Query,
    http::{Method, request::Parts},
};
use jiff::Timestamp;

/// A call of WeCom's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    Gettoken,
    MessageSend,
    AgentGet,
    UserGet,
    DepartmentGet,
    TagGet,
    WebhookSend,
    AppchatCreate,
    AppchatGet,
    AppchatSend,
    UpdateTemplateCard,
    MessageRecall,
}

impl Api {
    pub const ALL: [Self; 12] = [
        Self::Gettoken,
        Self::MessageSend,
        Self::AgentGet,
        Self::UserGet,
        Self::DepartmentGet,
        Self::TagGet,
        Self::WebhookSend,
        Self::AppchatCreate,
        Self::AppchatGet,
        Self::AppchatSend,
        Self::UpdateTemplateCard,
        Self::MessageRecall,
    ];

    /// The path after `/cgi-bin/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gettoken => "gettoken",
            Self::MessageSend => "message/send",
            Self::AgentGet => "agent/get",
            Self::UserGet => "user/get",
            Self::DepartmentGet => "department/get",
            Self::TagGet => "tag/get",
            Self::WebhookSend => "webhook/send",
            Self::AppchatCreate => "appchat/create",
            Self::AppchatGet => "appchat/get",
            Self::AppchatSend => "appchat/send",
            Self::UpdateTemplateCard => "message/update_template_card",
            Self::MessageRecall => "message/recall",
        }
    }

    /// True if a call has a message, or the new form of one.
    pub fn has_message(self) -> bool {
        matches!(self, Self::MessageSend | Self::WebhookSend | Self::AppchatSend | Self::UpdateTemplateCard)
    }
}

/// The address that a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller(pub(super) IpAddr);

/// A complete request.
pub(super) struct ApiRequest {
    pub(super) api: Api,
    pub(super) at: Timestamp,
    pub(super) from: Option<IpAddr>,
    pub(super) method: Method,
    pub(super) body: Bytes,
    query: HashMap<String, String>,
}

impl ApiRequest {
    pub(super) fn new(api: Api, at: Timestamp, parts: Parts, body: Bytes) -> Self {
        let query = Query::try_from_uri(&parts.uri).map(|Query(query)| query).unwrap_or_default();
        let from = parts.extensions.get::<Caller>().map(|caller| caller.0);
        Self { api, at, from, method: parts.method, body, query }
    }

    /// A query parameter, `None` if it is missing or empty.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
