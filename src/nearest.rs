//! Suggestions for mistyped words: "did you mean".

use strsim::osa_distance;

/// The candidate that `word` most likely means. `None` if no candidate is similar enough.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = normalized(word);
    let distances =
        candidates.into_iter().map(|candidate| (osa_distance(&word, &normalized(candidate)), candidate));
    let (distance, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    let longest_distance = (candidate.chars().count() / 3).clamp(1, 3);
    (distance <= longest_distance).then_some(candidate)
}

/// Advice for a name that does not exist: the nearest of the `known` names, else all of them.
pub fn suggestion(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the known names are {}", known.join(", ")),
    }
}

/// Case and the choice between `-` and `_` do not count as mistakes.
fn normalized(text: &str) -> String {
    text.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = ["listen", "api_secret", "api_secret_file", "to_user"];

    #[test]
    fn a_mistyped_word_finds_the_similar_one() {
        assert_eq!(nearest("lisen", KEYS), Some("listen"));
        assert_eq!(nearest("api-secret", KEYS), Some("api_secret"));
        assert_eq!(nearest("apisecretfile", KEYS), Some("api_secret_file"));
        assert_eq!(nearest("touser", KEYS), Some("to_user"));
    }

    #[test]
    fn a_different_word_finds_nothing() {
        assert_eq!(nearest("timezone", KEYS), None);
        assert_eq!(nearest("", KEYS), None);
        assert_eq!(nearest("listen", []), None);
    }

    #[test]
    fn distances_are_counted_in_characters() {
        assert_eq!(nearest("值班组", ["值班"]), Some("值班"));
        assert_eq!(nearest("值班一组", ["值班"]), None);
    }
}
