//! Compressed bodies.

use std::io::{self, Read};

use axum::http::{HeaderMap, header::CONTENT_ENCODING};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use tokio::task::yield_now;

use super::memory::{GrowingReservation, MAX_BODY_BYTES, MemoryError};

/// A mistake of the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum EncodingError {
    #[error("the compressed body is damaged")]
    Damaged,
    #[error("the body is compressed with zstd; send it with gzip, deflate or uncompressed")]
    Zstd,
    #[error("the body is compressed with br; send it with gzip, deflate or uncompressed")]
    Brotli,
}

/// The reason why a body is not unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnpackError {
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    #[error("the compressed data end early")]
    Incomplete,
    #[error("no memory")]
    Memory(MemoryError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
    Zlib,
    Deflate,
}

impl Encoding {
    /// The encoding of `body`. Its first bytes decide, because proxies leave the header on a body that they unpacked, or
    /// the reverse. A body of JSON is never mistaken.
    fn of(body: &[u8], headers: &HeaderMap) -> Result<Self, EncodingError> {
        let header = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let header = header.trim().to_ascii_lowercase();
        match body {
            [0x1F, 0x8B, ..] => Ok(Self::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Err(EncodingError::Zstd),
            [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..] => Ok(Self::Zlib),
            _ if looks_like_json(body) => Ok(Self::Plain),
            _ if header == "deflate" => Ok(Self::Deflate),
            _ if header == "br" => Err(EncodingError::Brotli),
            _ => Ok(Self::Plain),
        }
    }
}

fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), None | Some(b'{' | b'[' | 0xEF | 0xFE | 0xFF))
}

/// Unpacks `body`. Reserves the memory step by step, because a small body may become a large one.
pub(super) async fn unpack(
    body: Vec<u8>,
    headers: &HeaderMap,
    reserved: &mut GrowingReservation,
) -> Result<Vec<u8>, UnpackError> {
    const STEP: usize = 64 << 10;
    let mut unpacker: Box<dyn Read + Send + '_> = match Encoding::of(&body, headers)? {
        Encoding::Plain => return Ok(body),
        Encoding::Gzip => Box::new(MultiGzDecoder::new(body.as_slice())),
        Encoding::Zlib => Box::new(ZlibDecoder::new(body.as_slice())),
        Encoding::Deflate => Box::new(DeflateDecoder::new(body.as_slice())),
    };
    let mut unpacked = Vec::new();
    loop {
        reserved.grow_to(body.len() + unpacked.len() + STEP).map_err(UnpackError::Memory)?;
        let mut step = unpacker.by_ref().take(STEP as u64);
        let read = step.read_to_end(&mut unpacked).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => UnpackError::Incomplete,
            _ => EncodingError::Damaged.into(),
        })?;
        if unpacked.len() > MAX_BODY_BYTES {
            return Err(UnpackError::Memory(MemoryError::TooLarge));
        }
        if read == 0 {
            return Ok(unpacked);
        }
        // Other requests must not wait until a large body is unpacked.
        yield_now().await;
    }
}
