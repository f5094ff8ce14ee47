//! The reason why a delivery waits, in a sentence.

use jiff::Timestamp;

use crate::{
    language::Language,
    outbox::{Hold, Listed, State},
};

/// `None` if it does not wait, or if the page shows the reason in another way: the time of the next attempt, or a digest.
pub(super) fn wait(listed: &Listed, holds: &[Hold], now: Timestamp, language: Language) -> Option<String> {
    let sender = &listed.sender;
    match listed.state {
        State::Queued => Some(
            language
                .choose("It waits behind an earlier message of its group.", "排在同一分组较早的消息之后。")
                .to_owned(),
        ),
        State::Ready if listed.due_at.is_some_and(|due| due > now) => None,
        State::Ready if holds.iter().any(|hold| hold.sender == *sender) => Some(language.choose(
            format!("It waits because {sender} is held."),
            format!("{sender} 已暂停，所以在等待。"),
        )),
        State::Ready => Some(
            language
                .choose(
                    "It waits for its turn. A member gets a limited number of messages per minute and per hour.",
                    "在等待名额：每个成员每分钟、每小时能收到的消息有上限。",
                )
                .to_owned(),
        ),
        State::InFlight | State::Folded | State::Delivered | State::Dead | State::Discarded => None,
    }
}

/// The time between two events of a delivery, if it is long enough for a person.
pub(super) fn pause(from: Timestamp, to: Timestamp) -> Option<String> {
    let millis = to.duration_since(from).as_millis();
    (millis >= 1000).then(|| format!("+{:.1} s", millis as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_pause_is_shown() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        assert_eq!(pause(at(0), at(4_120)).as_deref(), Some("+4.1 s"));
        assert_eq!(pause(at(0), at(999)), None);
        assert_eq!(pause(at(5_000), at(0)), None);
    }
}
