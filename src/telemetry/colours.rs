//! The choice of colours.

use std::ffi::OsString;

/// Colours are for terminals, unless the environment refuses them: <https://no-color.org>. `variable` reads the
/// environment.
pub fn has_colours(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    is_terminal
        && variable("NO_COLOR").is_none_or(|value| value.is_empty())
        && variable("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_refuses_colours() {
        let with = |is_terminal, set: &[(&str, &str)]| {
            has_colours(is_terminal, |name| {
                set.iter().find(|(other, _)| *other == name).map(|(_, value)| OsString::from(value))
            })
        };
        assert!(with(true, &[]));
        assert!(with(true, &[("TERM", "xterm-256color"), ("NO_COLOR", "")]));
        assert!(!with(true, &[("TERM", "dumb")]));
        assert!(!with(true, &[("NO_COLOR", "1")]));
        assert!(!with(false, &[("TERM", "xterm-256color")]));
    }
}
