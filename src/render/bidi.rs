//! Characters that decide in which direction text is shown, and are not seen themselves.

/// Whether `c` is one of Unicode's bidirectional controls (`Bidi_Control`). In a line that a reader takes at its
/// word, one of them can show the end before the beginning: `db1 is down` as `nwod si 1bd`. Right-to-left scripts
/// have their direction without them.
pub const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bidirectional_controls_are_unicodes_twelve() {
        let all: String = ('\0'..=char::MAX).collect();
        let property = regex::Regex::new(r"\p{Bidi_Control}").unwrap();
        let unicodes: String = property.find_iter(&all).map(|found| found.as_str()).collect();
        assert_eq!(all.chars().filter(|c| is_bidi_control(*c)).collect::<String>(), unicodes);
        assert_eq!(unicodes.chars().count(), 12);
    }
}
