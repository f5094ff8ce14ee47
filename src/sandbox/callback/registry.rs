//! The callbacks of apps, as an administrator enters them in WeCom's console.

use std::collections::BTreeMap;

use super::cipher::AesKey;
use crate::sandbox::token::TokenOwner;

/// The address to which WeCom sends the events of an app, and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    url: String,
    token: String,
    aes_key: AesKey,
}

/// An address or a key is not one. The text says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CallbackError(String);

impl Callback {
    /// A token for relays that are tested.
    pub const SAMPLE_TOKEN: &str = "sandboxcallbacktoken";
    /// An EncodingAESKey for relays that are tested.
    pub const SAMPLE_AES_KEY: &str = "sandboxEncodingAESKeyThatIsNoSecretAtAll012";

    /// # Errors
    /// WeCom's console would not take one of the values.
    pub fn new(url: &str, token: &str, encoding_aes_key: &str) -> Result<Self, CallbackError> {
        let wrong = |text: String| Err(CallbackError(text));
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return wrong(format!(
                "the callback URL is {url:?}: write one such as http://127.0.0.1:9091/callback/ops"
            ));
        }
        let is_token =
            (1..=32).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_token {
            return wrong("the callback token must be 1 to 32 letters and digits".to_owned());
        }
        match AesKey::parse(encoding_aes_key) {
            Some(aes_key) => Ok(Self { url: url.to_owned(), token: token.to_owned(), aes_key }),
            None => wrong("the EncodingAESKey must be 43 letters and digits".to_owned()),
        }
    }

    /// [`Self::new`] with the keys of the sandbox.
    ///
    /// # Errors
    /// The URL is not one.
    pub fn sample(url: &str) -> Result<Self, CallbackError> {
        Self::new(url, Self::SAMPLE_TOKEN, Self::SAMPLE_AES_KEY)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn aes_key(&self) -> &AesKey {
        &self.aes_key
    }
}

/// The callbacks by corp and app.
#[derive(Default)]
pub(in crate::sandbox) struct Callbacks(BTreeMap<(String, u64), Callback>);

impl Callbacks {
    pub(in crate::sandbox) fn has(&self, owner: &TokenOwner) -> bool {
        self.of(&owner.corp_id, owner.agent_id).is_some()
    }

    pub(in crate::sandbox) fn of(&self, corp_id: &str, agent_id: u64) -> Option<&Callback> {
        self.0.get(&(corp_id.to_owned(), agent_id))
    }

    pub(in crate::sandbox) fn set(&mut self, corp_id: &str, agent_id: u64, callback: Callback) {
        self.0.insert((corp_id.to_owned(), agent_id), callback);
    }

    /// The app's number and its URL.
    pub(in crate::sandbox) fn all(&self) -> impl Iterator<Item = (u64, &str)> {
        self.0.iter().map(|((_, agent_id), callback)| (*agent_id, callback.url()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_refused() {
        assert!(Callback::sample("http://127.0.0.1:1/callback/ops").is_ok());
        let (url, token, key) =
            ("https://relay.example.com/", Callback::SAMPLE_TOKEN, Callback::SAMPLE_AES_KEY);
        for (url, token, key) in [
            ("relay.example.com", token, key),
            (url, "", key),
            (url, "with-dash", key),
            (url, token, "short"),
        ] {
            assert!(Callback::new(url, token, key).is_err(), "{url} {token} {key}");
        }
    }
}
