//! WeCom's replies: compact JSON, an errmsg with hint and link, and nginx's headers.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use jiff::Timestamp;
use rand::{Rng, RngExt};
use serde::Serialize;
use serde_json::{Map, Value};

use super::record::MessageChange;

/// The fields of a reply, in WeCom's order.
#[derive(Clone, Default, Serialize)]
pub(super) struct Reply {
    pub(super) errcode: i64,
    pub(super) errmsg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invaliduser: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invalidparty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invalidtag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unlicenseduser: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) msgid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) chatid: Option<String>,
    /// The result of a read call.
    #[serde(flatten)]
    pub(super) found: Map<String, Value>,
    /// The number of the message that was recorded. Only `message/send` answers with it.
    #[serde(skip)]
    pub(super) recorded: Option<String>,
    /// The change of an earlier message.
    #[serde(skip)]
    pub(super) change: Option<MessageChange>,
}

/// An error: the errcode and the first part of its errmsg.
pub(super) struct ErrorReply {
    errcode: i64,
    text: Cow<'static, str>,
    /// The lists of invalid recipients of an 81013.
    lists: Option<Box<Reply>>,
}

/// WeCom's warning for a body that is not valid JSON.
pub(super) const WRONG_JSON: &str = "Warning: wrong json format. ";

impl ErrorReply {
    /// An error with WeCom's own text.
    pub(super) fn new(errcode: i64) -> Self {
        Self { errcode, text: Cow::Borrowed(text(errcode)), lists: None }
    }

    /// 40058 with a text that names the parameter.
    pub(super) fn parameter(text: impl Into<Cow<'static, str>>) -> Self {
        Self { errcode: 40058, text: text.into(), lists: None }
    }

    pub(super) fn with_lists(self, lists: Reply) -> Self {
        Self { lists: Some(Box::new(lists)), ..self }
    }

    /// The lists that the API has in each reply, unless the error has its own.
    pub(super) fn or_lists(self, lists: Reply) -> Self {
        Self { lists: self.lists.or_else(|| Some(Box::new(lists))), ..self }
    }

    pub(super) fn after_wrong_json(self) -> Self {
        Self { text: Cow::Owned(format!("{WRONG_JSON}{}", self.text)), ..self }
    }

    pub(super) fn into_reply(self, from: Option<IpAddr>, at: Timestamp, rng: &mut impl Rng) -> Reply {
        let errcode = self.errcode;
        // In 2026 the real service answered this one without hint and link.
        let errmsg = if errcode == 40014 {
            self.text.into_owned()
        } else {
            let from = from.map(|ip| ip.to_string()).unwrap_or_default();
            let hint =
                format!("{:010}{:015}", at.as_second(), rng.random_range(0..1_000_000_000_000_000_u64));
            format!(
                "{}, hint: [{hint}], from ip: {from}, more info at https://open.work.weixin.qq.com/devtool/query?e={errcode}",
                self.text
            )
        };
        Reply { errcode, errmsg, ..self.lists.map(|lists| *lists).unwrap_or_default() }
    }
}

impl Reply {
    pub(super) fn ok() -> Self {
        Self { errmsg: "ok".to_owned(), ..Self::default() }
    }

    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.json()));
        self.write_headers(&mut response);
        response
    }

    pub(super) fn write_headers(&self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        headers.insert(header::SERVER, HeaderValue::from_static("nginx"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        headers.insert("Error-Code", HeaderValue::from(self.errcode));
        // The errmsg of a fault may contain characters that a header cannot.
        if let Ok(errmsg) = HeaderValue::from_str(&self.errmsg) {
            headers.insert("Error-Msg", errmsg);
        }
    }
}

/// The errmsg of an errcode: as the real service answers it, or written in the same style.
pub(super) fn text(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system busy",
        40001 => "invalid credential",
        40008 => "invalid message type",
        40013 => "invalid corpid",
        40014 => "invalid access_token",
        40032 => "invalid userid list size",
        40039 => "invalid url size",
        40050 => "invalid chatid",
        40056 => "invalid agentid",
        40058 => "invalid Request Parameter",
        40068 => "invalid tagid",
        41001 => "access_token missing",
        41002 => "corpid missing",
        41004 => "corpsecret missing",
        41006 => "media_id missing",
        41010 => "url missing",
        41011 => "agentid missing",
        41016 => "title missing",
        41033 => "description missing",
        42001 => "access_token expired",
        42014 => "invalid task_id",
        42015 => "the card was sent by other agent",
        42016 => "task_id is not exist",
        42020 => "Missing button name",
        42027 => "Missing keyname",
        42028 => "Missing Url",
        42029 => "Missing media_id",
        42030 => "Missing appid",
        42031 => "Invalid card_type",
        42033 => "Missing title",
        42035 => "Invalid list size",
        42037 => "Invalid option_list size",
        42038 => "Missing button text",
        42039 => "Invalid button key",
        42040 => "Invalid option id",
        42041 => "Missing option text",
        42043 => "Invalid question_key",
        42044 => "Missing card_image.url",
        42045 => "Missing card_action",
        42049 => "Missing userid",
        42051 => "button key is repeated",
        42052 => "msgid is expired",
        43012 => "callback url is not configured",
        44004 => "empty content",
        45008 => "article size out of limit",
        45009 => "api freq out of limit",
        45033 => "api concurrent out of limit",
        45034 => "url without scheme",
        48002 => "api forbidden",
        50003 => "agent is disabled",
        60011 => "no privilege to access/modify contact/party/agent ",
        60020 => "not allow to access from your ip",
        60111 => "userid not found",
        60123 => "invalid party id",
        60140 => "invalid response_code",
        81013 => "user & party & tag all invalid",
        82001 => "All touser & toparty & totag invalid",
        82002 => "party list size out of limit",
        82003 => "tag list size out of limit",
        86003 => "chatid missing",
        86008 => "you has no privilege to access this chat, which is created by other agent.",
        93000 => "invalid webhook url",
        93004 => "webhook is disabled",
        93008 => "webhook is not in the group",
        301002 => "not allow operate another agent with this accesstoken.",
        _ => "invalid request",
    }
}
