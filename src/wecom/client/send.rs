//! [`Client`]: sends the messages of one app.

use std::sync::Arc;

use serde_json::json;

use super::{call::Caller, settings::AppSettings};
use crate::http_client::SetupError;
use crate::wecom::{
    Api, Message, Outcome, WeCom, WecomError, errcode,
    message::request_body,
    reply::TokenGrant,
    token::{RefreshResult, Token, TokenCache, TokenCaches, TokenObserver},
};

/// Sends the messages of one app. Clones share connections and token.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) caller: Arc<Caller>,
    app: Arc<AppSettings>,
    pub(super) tokens: Arc<TokenCache>,
    observer: Option<Arc<dyn TokenObserver>>,
}

impl Client {
    /// A client that shares its token with the other clients of `caches` that have the same corp and secret.
    ///
    /// # Errors
    /// [`SetupError`] when TLS or the proxy cannot be set up.
    pub fn new(app: AppSettings, caches: &TokenCaches) -> Result<Self, SetupError> {
        let tokens = caches.cache(&app.connection.api_url, &app.corp_id, &app.api_secret);
        let caller = Arc::new(Caller::new(app.connection.clone(), &app.api_secret)?);
        Ok(Self { caller, app: Arc::new(app), tokens, observer: None })
    }

    /// The same client, whose calls of `gettoken` are reported to `observer`.
    pub fn observed_by(&self, observer: Arc<dyn TokenObserver>) -> Self {
        Self { observer: Some(observer), ..self.clone() }
    }

    /// The cached access token, or a new one.
    ///
    /// # Errors
    /// [`WecomError`] when WeCom grants none.
    pub async fn token(&self) -> Result<Token, WecomError> {
        let fetch = || fetch_token(Arc::clone(&self.caller), Arc::clone(&self.app), self.observer.clone());
        self.tokens.token(fetch).await
    }
}

async fn fetch_token(
    caller: Arc<Caller>,
    app: Arc<AppSettings>,
    observer: Option<Arc<dyn TokenObserver>>,
) -> Result<TokenGrant, WecomError> {
    let granted = caller.get_token(&app).await;
    if let Some(observer) = observer {
        observer.token_refreshed(RefreshResult::of(&granted));
    }
    granted
}

impl WeCom for Client {
    async fn send(&self, message: &Message) -> Outcome {
        self.post(message.api(), request_body(Some(self.app.agent_id), message)).await
    }
}

impl Client {
    /// Takes back a message that this app has sent.
    ///
    /// # Errors
    /// [`WecomError`] when WeCom refuses or does not answer. The message may have been taken back without an answer.
    pub async fn recall(&self, msgid: &str) -> Result<(), WecomError> {
        let body = json!({ "msgid": msgid }).to_string();
        match self.post(Api::MessageRecall, body).await {
            Outcome::Accepted(_) => Ok(()),
            Outcome::Rejected(error) => Err(WecomError::Rejected(error)),
            Outcome::NotSent(error) | Outcome::Unknown(error) => Err(WecomError::Transport(error)),
        }
    }

    /// Calls with the cached token, and again with a new one if WeCom refuses it.
    async fn post(&self, api: Api, body: String) -> Outcome {
        let token = match self.token().await {
            Ok(token) => token,
            Err(error) => return error.into(),
        };
        let outcome = self.post_with(&token, api, body.clone()).await;
        if !is_token_refused(&outcome) {
            return outcome;
        }
        let renewing = self.tokens.renewing.lock().await;
        let refused_in_row = self.tokens.refused_in_row();
        if refused_in_row > 1 {
            // WeCom refused a renewed token, too. Another one is granted after a pause.
            return outcome;
        }
        if refused_in_row == 0 {
            // WeCom has accepted the renewed token.
            drop(renewing);
        }
        match self.token().await {
            Ok(token) => self.post_with(&token, api, body).await,
            Err(error) => error.into(),
        }
    }

    async fn post_with(&self, token: &Token, api: Api, body: String) -> Outcome {
        let url = self.caller.url(api, ("access_token", token.secret().expose()));
        let outcome = self.caller.send(api, url, body, Some(token)).await;
        match &outcome {
            Outcome::Rejected(_) if is_token_refused(&outcome) => self.tokens.refused(token),
            Outcome::Accepted(_) | Outcome::Rejected(_) => self.tokens.accepted(token),
            Outcome::NotSent(_) | Outcome::Unknown(_) => {}
        }
        outcome
    }
}

fn is_token_refused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Rejected(error) if errcode::is_token_refused(error))
}

impl From<WecomError> for Outcome {
    fn from(error: WecomError) -> Self {
        match error {
            WecomError::Rejected(error) => Self::Rejected(error),
            WecomError::Transport(error) => Self::NotSent(error),
        }
    }
}
