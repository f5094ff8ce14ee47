//! The language of the demo's own sentences.

use crate::language;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    Zh,
    En,
}

impl Language {
    /// The language of the terminal.
    pub(super) fn of_environment() -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
        match set.into_iter().find(|value| !value.is_empty()) {
            Some(value) if value.starts_with("zh") => Self::Zh,
            Some(_) | None => Self::En,
        }
    }

    /// The language of what the relay writes for members.
    pub(super) fn of_members(self) -> language::Language {
        self.pick(language::Language::Zh, language::Language::En)
    }

    pub(super) fn pick<T>(self, zh: T, en: T) -> T {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}
