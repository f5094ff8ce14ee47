//! The callback: what WeCom sends to the relay, and what strangers send.

mod direct;
mod doctor;
mod listener;
mod presses;
mod refused;
mod reload;
mod verification;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use wecom_relay::{
    clock::{Clock, SystemClock},
    secret::Secret,
    text::percent_encode,
    wecom::callback::{CallbackKeys, CallbackToken, EncodingAesKey},
};

use crate::support::{AGENT, CORP, Options, Relay};

pub(crate) const TOKEN: &str = "QDG6eK";
pub(crate) const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const OTHER_KEY: &str = "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws";

/// The options of a relay whose app has a callback with [`TOKEN`] and [`KEY`].
pub(crate) fn with_callback() -> Options {
    let app = format!("    callback: {{ token: {TOKEN}, encoding_aes_key: {KEY} }}\n");
    Options { app, ..Options::default() }
}

fn keys_of(token: &str, key: &str, corp_id: &str) -> CallbackKeys {
    let token = CallbackToken::parse(Secret::new(token)).unwrap();
    CallbackKeys::new(token, EncodingAesKey::parse(&Secret::new(key)).unwrap(), corp_id)
}

/// The keys of [`with_callback`].
pub(crate) fn keys() -> CallbackKeys {
    keys_of(TOKEN, KEY, CORP)
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// A request of the callback.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// With the query.
    path: String,
    /// `None` is a GET.
    body: Option<Vec<u8>>,
}

/// The answer to a call, without what differs between any two answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

/// A signed query for an encrypted text.
fn query(keys: &CallbackKeys, encrypted: &str, at: Timestamp) -> String {
    let timestamp = at.as_second().to_string();
    let signature = keys.sign(&timestamp, "1372623149", encrypted);
    let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("msg_signature={signature}&timestamp={timestamp}&nonce=1372623149")
}

fn body_of(encrypted: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><AgentID><![CDATA[{AGENT}]]></AgentID>\
         <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    )
}

impl Call {
    /// The verification of a URL, as WeCom makes it.
    pub(crate) fn verification(keys: &CallbackKeys, text: &str) -> Self {
        Self::verification_at(keys, text, now())
    }

    fn verification_at(keys: &CallbackKeys, text: &str, at: Timestamp) -> Self {
        Self::get(&keys.encrypt(*b"c41b64491c2468d0", text.as_bytes()), keys, at)
    }

    /// A GET with this `echostr`, signed.
    fn get(echostr: &str, keys: &CallbackKeys, at: Timestamp) -> Self {
        let query = query(keys, echostr, at);
        Self { path: format!("/callback/ops?{query}&echostr={}", percent_encode(echostr)), body: None }
    }

    /// A message, as WeCom sends it.
    pub(crate) fn message(keys: &CallbackKeys, message: &str) -> Self {
        Self::message_at(keys, message, now())
    }

    fn message_at(keys: &CallbackKeys, message: &str, at: Timestamp) -> Self {
        Self::post(&keys.encrypt(*b"0960688932c47ef1", message.as_bytes()), keys, at)
    }

    /// A POST with this encrypted text, signed.
    fn post(encrypted: &str, keys: &CallbackKeys, at: Timestamp) -> Self {
        let path = format!("/callback/ops?{}", query(keys, encrypted, at));
        Self { path, body: Some(body_of(encrypted).into_bytes()) }
    }

    fn with_body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    fn with_path(self, edit: impl Fn(&str) -> String) -> Self {
        Self { path: edit(&self.path), ..self }
    }

    /// The request to a relay at `url`.
    pub(crate) fn request(&self, client: &reqwest::Client, url: &str) -> reqwest::RequestBuilder {
        let url = format!("{url}{}", self.path);
        match &self.body {
            Some(body) => client.post(url).body(body.clone()),
            None => client.get(url),
        }
    }

    pub(crate) async fn send(&self, relay: &Relay) -> Answer {
        let response = self.request(&relay.client, &relay.callback_url).send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(|(name, value)| format!("{name}: {value:?}"));
        let mut headers: Vec<_> = headers.collect();
        headers.sort();
        Answer { status, headers, body: response.text().await.unwrap() }
    }
}

/// An event that the relay does not use.
fn entered() -> String {
    format!(
        "<xml><ToUserName>{CORP}</ToUserName><FromUserName>zhangsan</FromUserName><CreateTime>{}</CreateTime>\
         <MsgType>event</MsgType><Event>enter_agent</Event><EventKey></EventKey><AgentID>{AGENT}</AgentID></xml>",
        now().as_second()
    )
}

/// A press of `button` on the card `task_id`.
pub(crate) fn press(task_id: &str, button: &str, response_code: &str) -> String {
    press_at(now(), task_id, button, response_code)
}

fn press_at(at: Timestamp, task_id: &str, button: &str, response_code: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><FromUserName><![CDATA[zhangsan]]></FromUserName>\
         <MsgType><![CDATA[event]]></MsgType><Event><![CDATA[template_card_event]]></Event><CreateTime>{}</CreateTime>\
         <AgentID>{AGENT}</AgentID><EventKey><![CDATA[{button}]]></EventKey><TaskId><![CDATA[{task_id}]]></TaskId>\
         <CardType><![CDATA[button_interaction]]></CardType><SelectedItems></SelectedItems>\
         <ResponseCode><![CDATA[{response_code}]]></ResponseCode></xml>",
        at.as_second()
    )
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

impl Relay {
    /// The callbacks that were counted with this result.
    async fn called_back(&self, app: &str, result: &str) -> u64 {
        let (_, metrics) = self.request(Method::GET, "/metrics", "").await;
        let series = format!("wecom_relay_callbacks_total{{app=\"{app}\",result=\"{result}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("{series}: {metrics}")).parse().unwrap()
    }
}
