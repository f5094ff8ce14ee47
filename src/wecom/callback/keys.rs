//! Token and EncodingAESKey: signing, verifying, encrypting and decrypting.
//!
//! ```text
//! signature = sha1(token, timestamp, nonce and encrypted text, sorted and joined)
//! plain     = 16 random bytes ‖ length of the message, u32 big-endian ‖ message ‖ receive id
//! encrypted = base64(AES-256-CBC(plain padded to blocks of 32 bytes)), IV = first half of the key
//! ```

use std::fmt;

use aes::{
    Aes256,
    cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, array::Array},
};
use base64::{
    Engine, alphabet,
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD},
    },
};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::{error::CallbackError, query::CallbackQuery};
use crate::secret::Secret;

const MAX_TOKEN_CHARS: usize = 32;
const KEY_CHARS: usize = 43;
/// The random bytes at the start of a plain text.
const RANDOM_BYTES: usize = 16;
/// The block of AES.
const BLOCK_BYTES: usize = 16;
/// The padding fills blocks of this size, although that of AES is half as large.
const PADDING_BYTES: usize = 32;

/// 43 characters are two bits more than 32 bytes, and in many keys these bits are not zero.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The Token of WeCom's console.
#[derive(Debug, Clone)]
pub struct CallbackToken(Secret);

/// The EncodingAESKey of WeCom's console.
#[derive(Clone)]
pub struct EncodingAesKey([u8; 32]);

/// The reason why a token or a key is not one. It never shows a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    #[error("it has {0} characters")]
    Length(usize),
    #[error("it has characters that are neither letters nor digits")]
    Characters,
}

/// The keys of the callback of one app.
#[derive(Debug, Clone)]
pub struct CallbackKeys {
    token: CallbackToken,
    aes_key: EncodingAesKey,
    /// The corp id.
    receive_id: String,
}

impl CallbackToken {
    /// # Errors
    /// [`KeyProblem`], unless it has 1 to 32 letters and digits.
    pub fn parse(token: Secret) -> Result<Self, KeyProblem> {
        check(token.expose(), 1, MAX_TOKEN_CHARS)?;
        Ok(Self(token))
    }
}

impl EncodingAesKey {
    /// # Errors
    /// [`KeyProblem`], unless it has 43 letters and digits.
    pub fn parse(key: &Secret) -> Result<Self, KeyProblem> {
        check(key.expose(), KEY_CHARS, KEY_CHARS)?;
        let mut bytes = [0; 32];
        match KEY_BASE64.decode_slice(key.expose(), &mut bytes) {
            Ok(32) => Ok(Self(bytes)),
            _ => Err(KeyProblem::Characters),
        }
    }

    fn iv(&self) -> [u8; 16] {
        let mut iv = [0; 16];
        iv.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        iv
    }
}

impl fmt::Debug for EncodingAesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

fn check(text: &str, shortest: usize, longest: usize) -> Result<(), KeyProblem> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(KeyProblem::Characters);
    }
    if text.len() < shortest || text.len() > longest {
        return Err(KeyProblem::Length(text.len()));
    }
    Ok(())
}

impl CallbackKeys {
    pub fn new(token: CallbackToken, aes_key: EncodingAesKey, corp_id: impl Into<String>) -> Self {
        Self { token, aes_key, receive_id: corp_id.into() }
    }

    /// The signature that WeCom makes.
    pub fn sign(&self, timestamp: &str, nonce: &str, encrypted: &str) -> [u8; 20] {
        let mut signed = [self.token.0.expose(), timestamp, nonce, encrypted];
        signed.sort_unstable();
        let hash = signed.iter().fold(Sha1::new(), |hash, part| hash.chain_update(part));
        hash.finalize().into()
    }

    /// Checks the signature of an encrypted text.
    ///
    /// # Errors
    /// [`CallbackError::Signature`]
    pub fn verify(&self, query: &CallbackQuery, encrypted: &str) -> Result<(), CallbackError> {
        let expected = self.sign(&query.timestamp, &query.nonce, encrypted);
        let is_equal = bool::from(expected.ct_eq(&query.signature));
        is_equal.then_some(()).ok_or(CallbackError::Signature)
    }

    /// Decrypts a text whose signature was verified.
    ///
    /// # Errors
    /// [`CallbackError::Encryption`] or [`CallbackError::ReceiveId`]
    pub fn decrypt(&self, encrypted: &str) -> Result<Vec<u8>, CallbackError> {
        let plain = self.plain(encrypted).ok_or(CallbackError::Encryption)?;
        let (_random, rest) = plain.split_at_checked(RANDOM_BYTES).ok_or(CallbackError::Encryption)?;
        let (length, rest) = rest.split_first_chunk().ok_or(CallbackError::Encryption)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (message, receive_id) = rest.split_at_checked(length).ok_or(CallbackError::Encryption)?;
        if receive_id != self.receive_id.as_bytes() {
            return Err(CallbackError::ReceiveId);
        }
        Ok(message.to_vec())
    }

    /// The plain text without its padding.
    fn plain(&self, encrypted: &str) -> Option<Vec<u8>> {
        let mut bytes = STANDARD.decode(encrypted).ok()?;
        let (blocks, rest) = Array::slice_as_chunks_mut(&mut bytes);
        if !rest.is_empty() {
            return None;
        }
        let (key, iv) = (self.aes_key.0.into(), self.aes_key.iv().into());
        cbc::Decryptor::<Aes256>::new(&key, &iv).decrypt_blocks(blocks);
        let padding = usize::from(*bytes.last()?);
        let end = bytes.len().checked_sub(padding)?;
        let is_padding = |byte: &u8| usize::from(*byte) == padding;
        if !(1..=PADDING_BYTES).contains(&padding) || !bytes.get(end..)?.iter().all(is_padding) {
            return None;
        }
        bytes.truncate(end);
        Some(bytes)
    }

    /// Encrypts a message as WeCom does.
    pub fn encrypt(&self, random: [u8; RANDOM_BYTES], message: &[u8]) -> String {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let mut bytes =
            [&random, length.to_be_bytes().as_slice(), message, self.receive_id.as_bytes()].concat();
        let padding = PADDING_BYTES - bytes.len() % PADDING_BYTES;
        bytes.resize(bytes.len() + padding, u8::try_from(padding).unwrap_or_default());
        debug_assert_eq!(bytes.len() % BLOCK_BYTES, 0);
        let (blocks, _) = Array::slice_as_chunks_mut(&mut bytes);
        let (key, iv) = (self.aes_key.0.into(), self.aes_key.iv().into());
        cbc::Encryptor::<Aes256>::new(&key, &iv).encrypt_blocks(blocks);
        STANDARD.encode(bytes)
    }
}
