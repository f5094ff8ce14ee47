//! Secrets as a type that cannot be printed, compared or serialized by accident.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A secret text: an app's secret, an access token, a password.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Makes a secret of `text` without trailing line breaks, because editors add them to secret files.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        while text.ends_with(['\n', '\r']) {
            text.pop();
        }
        Self(SecretString::from(text))
    }

    /// The plain text. Call this only where the text is sent.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// A digest that identifies the secret and does not reveal it.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.expose().as_bytes());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_a_secret() {
        assert_eq!(format!("{:?}", Secret::new("s3cr3t")), "[secret]");
    }

    #[test]
    fn trailing_line_breaks_are_removed() {
        assert_eq!(Secret::new("s3cr3t\r\n").expose(), "s3cr3t");
    }

    #[test]
    fn different_secrets_have_different_fingerprints() {
        assert_eq!(Secret::new("a").fingerprint(), Secret::new("a\n").fingerprint());
        assert_ne!(Secret::new("a").fingerprint(), Secret::new("b").fingerprint());
    }
}
