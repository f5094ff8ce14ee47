//! The buttons of a receiver's cards, and the key by which WeCom reports a press.

use std::{fmt, str::FromStr, time::Duration};

use jiff::civil::Time;
use serde::{Deserialize, Serialize};

use crate::language::Language;

/// The key `actions` of a receiver, without who may press.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actions<T> {
    /// At least one of them is an action.
    pub buttons: Vec<Button<T>>,
    pub repeats: Repeats,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button<T> {
    /// `None` for the built-in text of the receiver's language.
    pub text: Option<String>,
    /// WeCom's style, from 1 to 4.
    pub style: Option<u8>,
    pub effect: ButtonEffect<T>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ButtonEffect<T> {
    Action(ButtonAction),
    /// A template of a URL. The button is left out if it is empty after rendering.
    Link(T),
}

/// The action of a pressed button. `Display` writes the key of the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ButtonAction {
    Acknowledge,
    /// In whole seconds.
    Silence(Duration),
    /// Until the next such time of day that is at least an hour away.
    SilenceUntil(Time),
}

/// The form in which a repeated notification of a firing group is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Repeats {
    /// As a new card.
    #[default]
    New,
    /// The open card is changed.
    Update,
}

/// A text is not the key of a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the key of a button")]
pub struct UnknownButton;

const LANGUAGES: [Language; 2] = [Language::En, Language::Zh];

const ACKNOWLEDGE: &str = "ack";
const SILENCE: &str = "silence:";
const UNTIL: &str = "until:";

impl fmt::Display for ButtonAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acknowledge => f.write_str(ACKNOWLEDGE),
            Self::Silence(length) => write!(f, "{SILENCE}{}", length.as_secs()),
            Self::SilenceUntil(time) => write!(f, "{UNTIL}{:02}:{:02}", time.hour(), time.minute()),
        }
    }
}

impl FromStr for ButtonAction {
    type Err = UnknownButton;

    fn from_str(key: &str) -> Result<Self, UnknownButton> {
        if key == ACKNOWLEDGE {
            return Ok(Self::Acknowledge);
        }
        if let Some(secs) = key.strip_prefix(SILENCE) {
            let secs: u32 = secs.parse().map_err(|_| UnknownButton)?;
            return Ok(Self::Silence(Duration::from_secs(secs.into())));
        }
        let time = key.strip_prefix(UNTIL).ok_or(UnknownButton)?;
        Time::strptime("%H:%M", time).map(Self::SilenceUntil).map_err(|_| UnknownButton)
    }
}

impl From<ButtonAction> for String {
    fn from(action: ButtonAction) -> Self {
        action.to_string()
    }
}

impl TryFrom<String> for ButtonAction {
    type Error = UnknownButton;

    fn try_from(key: String) -> Result<Self, UnknownButton> {
        key.parse()
    }
}

impl ButtonAction {
    /// The built-in text of the button, in at most 10 characters.
    pub(super) fn text(self, language: Language) -> String {
        match (self, language) {
            (Self::Acknowledge, Language::En) => "Ack".to_owned(),
            (Self::Acknowledge, Language::Zh) => "认领".to_owned(),
            (Self::Silence(length), Language::En) => {
                let length = length_text(length, ["d", "h", "m"], "");
                let text = format!("Silence {length}");
                if text.len() > 10 { format!("Mute {length}") } else { text }
            }
            (Self::Silence(length), Language::Zh) => {
                format!("静默 {}", length_text(length, ["天", "小时", "分钟"], " "))
            }
            (Self::SilenceUntil(time), Language::En) if time.hour() < 10 => {
                format!("Until {}:{:02}", time.hour(), time.minute())
            }
            (Self::SilenceUntil(time), Language::En) => format!("To {}:{:02}", time.hour(), time.minute()),
            (Self::SilenceUntil(time), Language::Zh) => {
                format!("静默至 {}:{:02}", time.hour(), time.minute())
            }
        }
    }

    /// The text of a button with the key `key` for the console, which knows the `text` on the card. A built-in text is in
    /// `language`.
    pub fn label(key: &str, text: Option<String>, language: Language) -> String {
        let action = key.parse::<Self>().ok();
        let is_built_in = |text: &str| {
            action.is_some_and(|action| LANGUAGES.iter().any(|language| action.text(*language) == text))
        };
        match (action, text) {
            (_, Some(text)) if !text.is_empty() && !is_built_in(&text) => text,
            (Some(action), _) => action.text(language),
            (None, _) => key.to_owned(),
        }
    }

    pub(super) fn style(self) -> u8 {
        match self {
            Self::Acknowledge => 1,
            Self::Silence(_) | Self::SilenceUntil(_) => 2,
        }
    }
}

/// In the largest unit that divides `length`.
fn length_text(length: Duration, [days, hours, minutes]: [&str; 3], space: &str) -> String {
    let secs = length.as_secs();
    let (count, unit) = match secs {
        _ if secs.is_multiple_of(86_400) => (secs / 86_400, days),
        _ if secs.is_multiple_of(3600) => (secs / 3600, hours),
        _ => (secs.div_ceil(60), minutes),
    };
    format!("{count}{space}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: [ButtonAction; 6] = [
        ButtonAction::Acknowledge,
        ButtonAction::Silence(Duration::from_secs(3600)),
        ButtonAction::Silence(Duration::from_secs(90 * 60)),
        ButtonAction::Silence(Duration::from_secs(30 * 86_400)),
        ButtonAction::SilenceUntil(Time::constant(9, 0, 0, 0)),
        ButtonAction::SilenceUntil(Time::constant(18, 30, 0, 0)),
    ];

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let keys = TIMES.map(|action| action.to_string());
        assert_eq!(
            keys,
            ["ack", "silence:3600", "silence:5400", "silence:2592000", "until:09:00", "until:18:30"]
        );
        assert_eq!(keys.map(|key| key.parse::<ButtonAction>().unwrap()), TIMES);
        for key in [
            "",
            "Ack",
            "silence:",
            "silence:-1",
            "silence:1h",
            "until:24:00",
            "until:9",
            "silence:99999999999",
        ] {
            assert_eq!(key.parse::<ButtonAction>(), Err(UnknownButton), "{key}");
        }
    }

    #[test]
    fn a_built_in_text_is_shown_in_the_language_of_the_page() {
        let label = |key, text: &str| ButtonAction::label(key, Some(text.to_owned()), Language::Zh);
        assert_eq!(label("ack", "Ack"), "认领");
        assert_eq!(label("ack", "I look"), "I look");
        assert_eq!(ButtonAction::label("silence:3600", None, Language::En), "Silence 1h");
        assert_eq!(ButtonAction::label("odd", None, Language::En), "odd");
    }

    #[test]
    fn built_in_texts_fit_into_a_button() {
        let en = TIMES.map(|action| action.text(Language::En));
        assert_eq!(
            en,
            ["Ack", "Silence 1h", "Mute 90m", "Mute 30d", "Until 9:00", "To 18:30"].map(str::to_owned)
        );
        let zh = TIMES.map(|action| action.text(Language::Zh));
        assert_eq!(
            zh,
            ["认领", "静默 1 小时", "静默 90 分钟", "静默 30 天", "静默至 9:00", "静默至 18:30"]
                .map(str::to_owned)
        );
        assert!(en.iter().chain(&zh).all(|text| text.chars().count() <= 10));
    }
}
