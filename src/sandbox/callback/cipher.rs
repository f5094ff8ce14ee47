//! WeCom's encryption of callbacks: AES-256-CBC with padding to blocks of 32 bytes, and a SHA-1 signature.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

const BLOCK: usize = 16;
/// WeCom pads to this size, although AES has smaller blocks.
const PADDED: usize = 32;

/// The key that an EncodingAESKey stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AesKey([u8; 32]);

impl AesKey {
    /// `None` unless the text is an EncodingAESKey: 43 letters and digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // 43 characters have 2 bits more than the key, and nobody says that they are 0.
        const TOLERANT: GeneralPurpose =
            GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
        let fits = text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let bytes = TOLERANT.decode(format!("{text}=")).ok().filter(|_| fits)?;
        bytes.try_into().ok().map(Self)
    }

    /// Base64 of `random`, the length of `message`, `message` and `receive_id`, padded and encrypted.
    pub(super) fn encrypt(&self, random: [u8; 16], message: &str, receive_id: &str) -> String {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let mut plain =
            [&random[..], &length.to_be_bytes(), message.as_bytes(), receive_id.as_bytes()].concat();
        let padding = PADDED - plain.len() % PADDED;
        plain.extend(vec![u8::try_from(padding).unwrap_or_default(); padding]);
        STANDARD.encode(self.chained(&plain))
    }

    /// Each block is mixed with the encrypted one before it; the first one with the begin of the key.
    fn chained(&self, plain: &[u8]) -> Vec<u8> {
        let Self(key) = self;
        let aes = Aes256::new(&Array::from(*key));
        let mut previous = Array::<u8, _>::default();
        previous.copy_from_slice(key.split_at(BLOCK).0);
        let mut encrypted = Vec::with_capacity(plain.len());
        for block in plain.chunks_exact(BLOCK) {
            for (mixed, byte) in previous.iter_mut().zip(block) {
                *mixed ^= byte;
            }
            aes.encrypt_block(&mut previous);
            encrypted.extend_from_slice(&previous);
        }
        encrypted
    }
}

/// The `msg_signature` of these values.
pub(super) fn signature(token: &str, timestamp: &str, nonce: &str, encrypted: &str) -> String {
    let mut values = [token, timestamp, nonce, encrypted];
    values.sort_unstable();
    let digest = Sha1::digest(values.concat());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key, the token and the corp of WeCom's own example.
    const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    const TOKEN: &str = "QDG6eK";
    const CORP: &str = "wx5823bf96d3bd56c7";

    #[test]
    fn the_examples_of_wecom_are_reproduced() {
        let key = AesKey::parse(KEY).unwrap();
        let encrypted = key.encrypt(*b"c41b64491c2468d0", "1616140317555161061", CORP);
        assert_eq!(
            encrypted,
            "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
        );
        assert_eq!(
            signature(TOKEN, "1409659589", "263014780", &encrypted),
            "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"
        );
        let message = "<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName>\n<FromUserName><![CDATA[mycreate]]></FromUserName>\n<CreateTime>1409659813</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[hello]]></Content>\n<MsgId>4561255354251345929</MsgId>\n<AgentID>218</AgentID>\n</xml>";
        let encrypted = key.encrypt(*b"0960688932c47ef1", message, CORP);
        assert!(encrypted.starts_with("RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo"), "{encrypted}");
        assert_eq!(
            signature(TOKEN, "1409659813", "1372623149", &encrypted),
            "477715d11cdb4164915debcba66cb864d751f3e6"
        );
    }

    #[test]
    fn a_full_block_gets_another_block_of_padding() {
        let key = AesKey::parse(KEY).unwrap();
        let encrypted = key.encrypt(*b"0123456789abcdef", &"x".repeat(26), CORP);
        assert_eq!(
            signature(TOKEN, "1700000000", "nonce123", &encrypted),
            "95334a2956b2e15968405f3a7c21bfc2d944c236"
        );
    }

    #[test]
    fn other_texts_are_no_key() {
        for text in ["", KEY.trim_start_matches('j'), &format!("{KEY}a"), &KEY.replace('j', "+")] {
            assert_eq!(AesKey::parse(text), None, "{text}");
        }
    }
}
