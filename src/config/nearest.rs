//! "Did you mean": the known word that is nearest to a mistyped one.

/// The candidate that `word` is most likely meant to be, if one is near enough to be worth saying.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let distances = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let (distance, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    let bearable = (candidate.chars().count() / 3).clamp(1, 3);
    (distance <= bearable).then_some(candidate)
}

/// How many characters must be put in, taken out or changed to make `b` of `a`; case and `-` for `_` are free.
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| text.to_lowercase().replace('-', "_").chars().collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, above) in b.iter().zip(row.windows(2)) {
            let [diagonal, above] = above else { continue };
            left = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = ["listen", "api_secret", "api_secret_file", "to_user"];

    #[test]
    fn a_slip_of_the_keyboard_finds_what_was_meant() {
        assert_eq!(nearest("lisen", KEYS), Some("listen"));
        assert_eq!(nearest("api-secret", KEYS), Some("api_secret"));
        assert_eq!(nearest("apisecretfile", KEYS), Some("api_secret_file"));
        assert_eq!(nearest("touser", KEYS), Some("to_user"));
    }

    #[test]
    fn another_word_finds_nothing() {
        assert_eq!(nearest("timezone", KEYS), None);
        assert_eq!(nearest("", KEYS), None);
        assert_eq!(nearest("listen", []), None);
    }

    #[test]
    fn distances_are_counted_in_characters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("值班", "值"), 1);
    }
}
