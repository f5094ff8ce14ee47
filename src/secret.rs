//! Secrets as a type: what is one cannot be printed, compared in passing or serialized.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A secret text: an app's secret, an access token, a password.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes `text` as a secret. Trailing line breaks, as editors leave them in a secret file, are no part of it.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        while text.ends_with(['\n', '\r']) {
            text.pop();
        }
        Self(SecretString::from(text))
    }

    /// The text itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// A digest by which a changed secret is recognized, and from which the secret cannot be had.
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
    fn a_secret_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Secret::new("s3cr3t")), "[secret]");
    }

    #[test]
    fn trailing_line_breaks_are_no_part_of_a_secret() {
        assert_eq!(Secret::new("s3cr3t\r\n").expose(), "s3cr3t");
    }

    #[test]
    fn a_fingerprint_tells_secrets_apart() {
        assert_eq!(Secret::new("a").fingerprint(), Secret::new("a\n").fingerprint());
        assert_ne!(Secret::new("a").fingerprint(), Secret::new("b").fingerprint());
    }
}
