//! Random texts for tokens and ids.

use rand::{Rng, RngExt};

/// A random text with the characters of WeCom's tokens and ids.
pub(super) fn random_text(rng: &mut impl Rng, length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let pick = |_| ALPHABET.get(rng.random_range(0..ALPHABET.len())).map_or('A', |byte| char::from(*byte));
    (0..length).map(pick).collect()
}
