//! The filter of a list of messages, as it stands in the address.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::fields::Fields;
use crate::{
    language::{Bilingual, Language},
    outbox::{DeliveryId, Filter, Kind, ReceiverName, SenderName, State},
    text::percent_encode,
};

/// The fields that choose messages. All other fields of an address are about the page.
pub(super) const NAMES: [&str; 8] = ["state", "receiver", "sender", "kind", "group", "since", "until", "q"];
/// The largest number of words of a search. Further words are ignored.
const MAX_WORDS: usize = 8;

/// Before a word, it lets all words be looked for in the texts of messages too.
const CONTENT: &str = "content:";

/// A filter with the fields that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UrlFilter {
    pub(super) filter: Filter,
    /// The only delivery to show: `q` was its number.
    pub(super) id: Option<DeliveryId>,
    fields: Vec<(String, String)>,
}

/// A value that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadValue {
    name: &'static str,
    value: String,
    help: Bilingual<String>,
}

impl BadValue {
    pub(super) fn text(&self, language: Language) -> String {
        let Self { name, value, help } = self;
        let help = help.get(language);
        language
            .choose(format!("{name}={value} is not valid; {help}"), format!("{name}={value} 无效；{help}"))
    }
}

impl UrlFilter {
    /// Reads the filter. Times without an offset are in `zone`.
    ///
    /// # Errors
    /// A value is not valid.
    pub(super) fn read(fields: &Fields, zone: &TimeZone) -> Result<Self, BadValue> {
        let kept = fields
            .0
            .iter()
            .filter(|(name, value)| NAMES.contains(&name.as_str()) && !value.trim().is_empty());
        let kept: Vec<_> = kept.cloned().collect();
        let q = fields.get("q").unwrap_or_default();
        let number = q.strip_prefix('#').unwrap_or(q).parse::<i64>().ok().filter(|number| *number > 0);
        let in_content = q.split_whitespace().any(|word| word.starts_with(CONTENT));
        let words = if number.is_some() { Vec::new() } else { words(q) };
        let filter = Filter {
            states: fields.all("state").map(state).collect::<Result<_, _>>()?,
            receiver: fields.get("receiver").map(|name| ReceiverName(name.to_owned())),
            sender: fields.get("sender").map(|name| SenderName(name.to_owned())),
            kind: fields.get("kind").map(kind).transpose()?,
            group_key: fields.get("group").map(str::to_owned),
            accepted_since: fields.get("since").map(|text| time("since", text, zone)).transpose()?,
            accepted_before: fields.get("until").map(|text| time("until", text, zone)).transpose()?,
            words,
            in_content,
            digest: None,
        };
        Ok(Self { filter, id: number.map(DeliveryId), fields: kept })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The query of an address with this filter and `more`; empty, or with a question mark.
    pub(super) fn query(&self, more: &[(&str, &str)]) -> String {
        let own = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        query(own.chain(more.iter().copied()))
    }

    /// [`Self::query`] with other states.
    pub(super) fn with_states(&self, states: &[State]) -> String {
        let own = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let states = states.iter().map(|state| ("state", state.name()));
        query(own.filter(|(name, _)| *name != "state").chain(states))
    }

    /// The fields for the hidden inputs of a form.
    pub(super) fn fields(&self) -> &[(String, String)] {
        &self.fields
    }
}

fn query<'f>(fields: impl Iterator<Item = (&'f str, &'f str)>) -> String {
    let pairs: Vec<_> = fields.map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// The words of a search.
fn words(q: &str) -> Vec<String> {
    let words = q.split_whitespace().map(|word| word.strip_prefix(CONTENT).unwrap_or(word));
    words.filter(|word| !word.is_empty()).take(MAX_WORDS).map(str::to_owned).collect()
}

fn state(text: &str) -> Result<State, BadValue> {
    State::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| BadValue {
        name: "state",
        value: text.to_owned(),
        help: {
            let names = State::ALL.map(State::name).join(", ");
            Bilingual::new(format!("the states are {names}"), format!("可用的状态是 {names}"))
        },
    })
}

fn kind(text: &str) -> Result<Kind, BadValue> {
    match text {
        "alert" => Ok(Kind::Alert),
        "digest" => Ok(Kind::Digest),
        "notice" => Ok(Kind::Notice),
        _ => Err(BadValue {
            name: "kind",
            value: text.to_owned(),
            help: Bilingual::new(
                "the kinds are alert, digest and notice",
                "可用的种类是 alert、digest、notice",
            )
            .into(),
        }),
    }
}

fn time(name: &'static str, text: &str, zone: &TimeZone) -> Result<Timestamp, BadValue> {
    let local = || text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>().ok().or_else(local).ok_or_else(|| BadValue {
        name,
        value: text.to_owned(),
        help: Bilingual::new(
            "write a time as 2026-11-21T03:00 or 2026-11-21T03:00:00+08:00",
            "时间应写成 2026-11-21T03:00 或 2026-11-21T03:00:00+08:00",
        )
        .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<UrlFilter, BadValue> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        UrlFilter::read(&Fields(pairs.collect()), &TimeZone::get("Asia/Shanghai").unwrap())
    }

    #[test]
    fn all_fields_of_a_filter_survive_in_the_address() {
        let pairs = [("state", "dead"), ("state", "in-flight"), ("receiver", "a b&c"), ("q", "磁盘 db1")];
        let filter = read(&pairs).unwrap();
        assert_eq!(filter.filter.states, [State::Dead, State::InFlight]);
        assert_eq!(filter.filter.words, ["磁盘", "db1"]);
        let query = filter.query(&[("after", "7")]);
        assert_eq!(
            query,
            "?state=dead&state=in-flight&receiver=a%20b%26c&q=%E7%A3%81%E7%9B%98%20db1&after=7"
        );
        assert_eq!(filter.with_states(&[]), "?receiver=a%20b%26c&q=%E7%A3%81%E7%9B%98%20db1");
        assert!(read(&[("state", ""), ("after", "7")]).unwrap().is_empty());
    }

    #[test]
    fn a_number_opens_one_message() {
        for q in ["48213", "#48213"] {
            assert_eq!(read(&[("q", q)]).unwrap().id, Some(DeliveryId(48213)));
        }
        assert_eq!(read(&[("q", "#db1")]).unwrap().id, None);
    }

    #[test]
    fn a_prefix_searches_the_texts_too() {
        for q in ["content:disk full", "content: disk full", "disk content:full"] {
            let filter = read(&[("q", q)]).unwrap().filter;
            assert_eq!((filter.words, filter.in_content), (vec!["disk".to_owned(), "full".to_owned()], true));
        }
        assert!(!read(&[("q", "disk full")]).unwrap().filter.in_content);
    }

    #[test]
    fn times_without_an_offset_are_local() {
        let since = |text| read(&[("since", text)]).unwrap().filter.accepted_since.unwrap().to_string();
        assert_eq!(since("2026-11-21T03:00"), "2026-11-20T19:00:00Z");
        assert_eq!(since("2026-11-21T03:00:00+01:00"), "2026-11-21T02:00:00Z");
    }

    #[test]
    fn wrong_values_are_named() {
        let error = |pair| read(&[pair]).unwrap_err().text(Language::En);
        assert!(error(("state", "gone")).starts_with("state=gone is not valid; the states are queued, "));
        assert!(error(("since", "today")).starts_with("since=today is not valid; write a time as "));
    }
}
