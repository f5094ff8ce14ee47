//! A server of an app that takes the callbacks of the sandbox. It is not the relay, so it finds mistakes that both share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use aes::{
    Aes256,
    cipher::{Array, BlockCipherDecrypt, KeyInit},
};
use axum::{
    Router,
    body::Bytes,
    extract::{Query, State},
    http::{Method, StatusCode},
    routing::any,
};
use base64::{
    Engine, alphabet,
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD},
};
use tokio::{net::TcpListener, task::JoinSet};
use wecom_relay::sandbox::Callback;

use super::CORP;

/// It ends when it is dropped.
pub(crate) struct EventServer {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    /// The statuses of the next answers; then 200.
    answers: Mutex<Vec<u16>>,
    seen: Mutex<Vec<SeenEvent>>,
}

/// A request with an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeenEvent {
    pub(crate) has_right_signature: bool,
    pub(crate) query: HashMap<String, String>,
    pub(crate) xml: String,
}

impl SeenEvent {
    /// The text of an element of the event.
    pub(crate) fn element(&self, name: &str) -> &str {
        element(&self.xml, name)
    }
}

impl EventServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/callback/ops?from=wecom", listener.local_addr().unwrap());
        let shared = Arc::<Shared>::default();
        let router = Router::new().route("/callback/ops", any(answer)).with_state(shared.clone());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, _server: server }
    }

    pub(crate) fn callback(&self) -> Callback {
        Callback::sample(&self.url).unwrap()
    }

    /// The next requests are answered with these statuses.
    pub(crate) fn answer_with(&self, statuses: &[u16]) {
        *self.shared.answers.lock().unwrap() = statuses.iter().rev().copied().collect();
    }

    pub(crate) fn seen(&self) -> Vec<SeenEvent> {
        self.shared.seen.lock().unwrap().clone()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> (StatusCode, String) {
    let status = shared.answers.lock().unwrap().pop().unwrap_or(200);
    let status = StatusCode::from_u16(status).unwrap();
    let body = std::str::from_utf8(&body).unwrap();
    let encrypted = if method == Method::GET { &query["echostr"] } else { element(body, "Encrypt") };
    let has_right_signature = signature(&query, encrypted) == query["msg_signature"];
    let message = decrypted(encrypted);
    if method == Method::GET {
        return (status, message);
    }
    assert_eq!((element(body, "ToUserName"), element(body, "AgentID")), (CORP, "1000002"));
    shared.seen.lock().unwrap().push(SeenEvent { has_right_signature, query, xml: message });
    (status, String::new())
}

fn element<'x>(xml: &'x str, name: &str) -> &'x str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} in {xml}"));
    let (text, _) = rest.split_once(&format!("</{name}>")).unwrap();
    text.strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>")).unwrap_or(text)
}

fn signature(query: &HashMap<String, String>, encrypted: &str) -> String {
    use sha1::{Digest, Sha1};
    let mut values = [Callback::SAMPLE_TOKEN, &query["timestamp"], &query["nonce"], encrypted];
    values.sort_unstable();
    Sha1::digest(values.concat()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The message, whose frame must be right.
fn decrypted(encrypted: &str) -> String {
    let tolerant = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let tolerant = GeneralPurpose::new(&alphabet::STANDARD, tolerant);
    let key: [u8; 32] =
        tolerant.decode(format!("{}=", Callback::SAMPLE_AES_KEY)).unwrap().try_into().unwrap();
    let aes = Aes256::new(&Array::from(key));
    let cipher = STANDARD.decode(encrypted).unwrap();
    assert_eq!(cipher.len() % 32, 0, "the padding has blocks of 32 bytes");
    let mut previous = key[..16].to_vec();
    let mut plain = Vec::new();
    for block in cipher.chunks_exact(16) {
        let mut decrypted = Array::<u8, _>::default();
        decrypted.copy_from_slice(block);
        aes.decrypt_block(&mut decrypted);
        plain.extend(decrypted.iter().zip(&previous).map(|(byte, mixed)| byte ^ mixed));
        previous = block.to_vec();
    }
    let padding = usize::from(*plain.last().unwrap());
    assert!(
        (1..=32).contains(&padding)
            && plain[plain.len() - padding..].iter().all(|byte| usize::from(*byte) == padding)
    );
    plain.truncate(plain.len() - padding);
    let length: [u8; 4] = plain[16..20].try_into().unwrap();
    let end = 20 + usize::try_from(u32::from_be_bytes(length)).unwrap();
    assert_eq!(&plain[end..], CORP.as_bytes());
    String::from_utf8(plain[20..end].to_vec()).unwrap()
}
