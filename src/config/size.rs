//! Sizes in bytes, with an optional unit. `GB` is 10⁹ and `GiB` is 2³⁰.

use super::duration::split_while;

const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads `2GiB`, `500MB`, `500 MB` or `1048576`. `None` for other texts and for an overflow.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (digits, unit) = split_while(text, |c| c.is_ascii_digit());
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim_start_matches(' '))?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit_is_read() {
        assert_eq!(parse("1048576"), Some(1_048_576));
        assert_eq!(parse("100B"), Some(100));
        assert_eq!(parse("500MB"), Some(500_000_000));
        assert_eq!(parse("16 MiB"), Some(16 << 20));
        assert_eq!(parse("2GiB"), Some(2 << 30));
        assert_eq!(parse("1TiB"), Some(1 << 40));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "GiB", "2G", "1.5GiB", "-1", "2 gib", "99999999999TiB", "0x10", "1_000"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            parse(&text);
        }
    }
}
