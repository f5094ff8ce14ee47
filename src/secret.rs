//! Secrets as a type that cannot be printed, compared or serialized by accident.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A secret text: an app's secret, an access token, a password.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Makes a secret of `text` without a byte order mark and trailing line breaks, because editors add them to files.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        if let Some(unmarked) = text.strip_prefix('\u{feff}') {
            text = unmarked.to_owned();
        }
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

    /// `text` with this secret replaced, also where it is percent-encoded in whole or in part, once or twice.
    pub fn hide_in(&self, text: &str) -> String {
        let secret = self.expose().as_bytes();
        if secret.is_empty() {
            return text.to_owned();
        }
        let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(first) = rest.chars().next() {
            // A match ends at the end of a character, because it begins at the start of one and the secret is valid UTF-8.
            match length_at(secret, rest.as_bytes()).and_then(|length| rest.get(length..)) {
                Some(after) => {
                    shown.push_str("[secret]");
                    rest = after;
                }
                None => {
                    shown.push(first);
                    rest = rest.get(first.len_utf8()..).unwrap_or_default();
                }
            }
        }
        shown
    }

    /// A digest that identifies the secret and does not reveal it.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.expose().as_bytes());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The number of bytes at the start of `text` that are `secret`, plain or encoded.
fn length_at(secret: &[u8], text: &[u8]) -> Option<usize> {
    let Some((byte, secret)) = secret.split_first() else { return Some(0) };
    let lengths = [plain(*byte, text), encoded(*byte, text, "%"), encoded(*byte, text, "%25")];
    lengths.into_iter().flatten().find_map(|length| Some(length + length_at(secret, text.get(length..)?)?))
}

fn plain(byte: u8, text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    (first == byte || (first == b'+' && byte == b' ')).then_some(1)
}

fn encoded(byte: u8, text: &[u8], percent: &str) -> Option<usize> {
    let digits = text.strip_prefix(percent.as_bytes())?.get(..2)?;
    let value = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (value == byte).then_some(percent.len() + 2)
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
    fn marks_and_line_breaks_of_editors_are_removed() {
        assert_eq!(Secret::new("\u{feff}s3cr3t\r\n").expose(), "s3cr3t");
        assert_eq!(Secret::new("s3cr3t\r\n").expose(), "s3cr3t");
    }

    #[test]
    fn a_secret_is_hidden_in_every_encoding() {
        let secret = Secret::new("a+/=& 密");
        for written in [
            "a+/=& 密",
            "a%2B%2F%3D%26%20%E5%AF%86",
            "a%2b%2f%3d%26+%e5%af%86",
            "a+/%3D&%20密",
            "a%252B%252F%253D%2526%2520%25E5%25AF%2586",
        ] {
            assert_eq!(secret.hide_in(&format!("告: x={written}&y")), "告: x=[secret]&y", "{written}");
        }
        for other in ["a+/=& ", "a%2", "密a%2B/", "%25", ""] {
            assert_eq!(secret.hide_in(other), other);
        }
        assert_eq!(Secret::new("").hide_in("abc"), "abc");
        assert_eq!(Secret::new("%41").hide_in("%41 %2541"), "[secret] [secret]");
    }

    #[test]
    fn different_secrets_have_different_fingerprints() {
        assert_eq!(Secret::new("a").fingerprint(), Secret::new("a\n").fingerprint());
        assert_ne!(Secret::new("a").fingerprint(), Secret::new("b").fingerprint());
    }
}
