//! The cards of the overview, as a pure function. A card stands for one problem: its cause, its fix, and one button.

use std::{cmp::Reverse, net::IpAddr};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    snapshot::{MAX_DEAD, Snapshot},
    status::{ConfigStatus, Refused, SenderStatus},
};
use crate::{
    delivery::stored_reason,
    language::Language,
    outbox::{Hold, Listed, SenderName, State, rules::stored::DISCARDED},
    pages::{Moment, Moments},
    text::{percent_encode, shorten},
};

/// Silence of this time is shown, because it may have a cause before the relay.
const SILENCE: SignedDuration = SignedDuration::from_hours(24);
/// A refused webhook of a longer time ago needs nobody: a sender that is still wrong tries again sooner.
const REFUSED_FOR: SignedDuration = SignedDuration::from_hours(1);
/// Per cent of `outbox.max_size`.
const NEARLY_FULL: u64 = 80;
/// Reasons of dead letters that one card lists.
const MAX_REASONS: usize = 5;
const MAX_TEXT_BYTES: usize = 300;

/// The severity of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Warn,
    Bad,
}

/// One thing that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Card {
    /// Names the kind of the card for scripts.
    pub(super) kind: &'static str,
    pub(super) level: Level,
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// A value to paste elsewhere, such as the IP address that WeCom saw.
    pub(super) copy: Option<String>,
    pub(super) since: Option<Moment>,
    pub(super) next_try: Option<Moment>,
    /// Pages of the console, relative to the root.
    pub(super) look: Option<String>,
    pub(super) requeue: Option<String>,
    pub(super) probe: Option<String>,
}

impl Card {
    fn new(kind: &'static str, level: Level, title: String) -> Self {
        Self {
            kind,
            level,
            title,
            lines: Vec::new(),
            copy: None,
            since: None,
            next_try: None,
            look: None,
            requeue: None,
            probe: None,
        }
    }
}

/// The state of the relay, as far as it decides about cards.
pub(super) struct Seen<'a> {
    pub(super) snapshot: Result<&'a Snapshot, String>,
    pub(super) senders: &'a [SenderStatus],
    pub(super) config: &'a ConfigStatus,
    pub(super) refused: &'a Refused,
}

/// All cards, the worst first.
pub(super) fn cards(seen: &Seen<'_>, moments: &Moments) -> Vec<Card> {
    let language = moments.language;
    let mut cards = Vec::new();
    match &seen.snapshot {
        Err(error) => cards.push(outbox_fails(error, language)),
        Ok(snapshot) => {
            cards.extend(snapshot.holds.iter().map(|hold| held(hold, snapshot, moments)));
            cards.extend(gone(snapshot, seen.senders, language));
            cards.extend(dead(&snapshot.dead, moments));
            cards.extend(nearly_full(snapshot, language));
            cards.extend(silent(snapshot, seen.config, moments));
        }
    }
    cards.extend(reload_failed(seen.config, language));
    cards.extend(refused(seen.refused, moments));
    cards.sort_by_key(|card| Reverse(card.level));
    cards
}

fn outbox_fails(error: &str, language: Language) -> Card {
    let title = language.choose("The outbox does not answer", "outbox 没有响应");
    let fix = language.choose(
        "New webhooks are answered with 503, and Alertmanager sends them again. Check the disk or the database.",
        "新的 webhook 返回 503，Alertmanager 会重试。请检查磁盘或数据库。",
    );
    let lines = vec![error.to_owned(), fix.to_owned()];
    Card { lines, ..Card::new("outbox", Level::Bad, title.to_owned()) }
}

fn held(hold: &Hold, snapshot: &Snapshot, moments: &Moments) -> Card {
    let language = moments.language;
    let code = hold.errcode.map(|code| format!(" ({code})")).unwrap_or_default();
    let title = language.choose(
        format!("{} is held: WeCom takes none of its messages{code}", hold.sender),
        format!("{} 已暂停：企业微信不接收它的任何消息{code}", hold.sender),
    );
    let of_sender = || snapshot.depths.iter().filter(|depth| depth.sender == hold.sender);
    let waiting: u64 = of_sender().map(|depth| depth.deliveries).sum();
    let oldest = of_sender().filter_map(|depth| depth.oldest_accepted_at).min();
    let oldest = oldest.map(|at| moments.at(at).exact).unwrap_or_default();
    let tries = hold.probes;
    let wait = match (waiting, language) {
        (0, Language::En) => format!("Nothing waits. Attempts so far: {tries}."),
        (0, Language::Zh) => format!("没有消息在等待。已尝试 {tries} 次。"),
        (_, Language::En) => {
            format!("Messages that wait: {waiting}, the oldest since {oldest}. Attempts so far: {tries}.")
        }
        (_, Language::Zh) => format!("等待 {waiting} 条，最早 {oldest}。已尝试 {tries} 次。"),
    };
    Card {
        lines: vec![reason(&hold.reason, language), wait],
        copy: address_in(&hold.reason),
        since: Some(moments.at(hold.since)),
        next_try: Some(moments.at(hold.next_probe_at)),
        look: Some(format!("messages?state=queued&state=ready&sender={}", percent_encode(&hold.sender.0))),
        probe: Some(format!("senders/{}/probe", percent_encode(&hold.sender.0))),
        ..Card::new("held", Level::Bad, title)
    }
}

/// A reason of the outbox in the reader's language.
pub(super) fn reason(text: &str, language: Language) -> String {
    shorten(&stored_reason(text, language), MAX_TEXT_BYTES).into_owned()
}

/// The reason of a delivery in the reader's language. Empty if the state alone says as much.
pub(super) fn shown_reason(listed: &Listed, language: Language) -> String {
    let is_in_state = listed.state == State::Delivered || listed.reason == DISCARDED;
    if is_in_state { String::new() } else { reason(&listed.reason, language) }
}

fn address_in(reason: &str) -> Option<String> {
    let words = reason.split([' ', ',', ';']).map(|word| word.trim_end_matches('.'));
    let found = words.into_iter().find(|word| word.parse::<IpAddr>().is_ok());
    found.map(str::to_owned)
}

/// Senders with deliveries that are not in the configuration any more.
fn gone(snapshot: &Snapshot, senders: &[SenderStatus], language: Language) -> Vec<Card> {
    let is_gone = |name: &SenderName| senders.iter().all(|sender| sender.name != *name);
    let waiting = snapshot.depths.iter().filter(|depth| depth.deliveries > 0 && is_gone(&depth.sender));
    let mut names: Vec<&SenderName> = waiting.map(|depth| &depth.sender).collect();
    names.sort();
    names.dedup();
    let card = |name: &SenderName| {
        let title = language.choose(
            format!("Messages wait for {name}, which is not in the configuration"),
            format!("有消息在等待 {name}，但它已不在配置中"),
        );
        let fix = language.choose(
            "Add it to the configuration again, or discard its messages.",
            "请把它重新加入配置，或丢弃这些消息。",
        );
        Card {
            lines: vec![fix.to_owned()],
            look: Some(format!("messages?state=queued&state=ready&sender={}", percent_encode(&name.0))),
            ..Card::new("gone", Level::Bad, title)
        }
    };
    names.into_iter().map(card).collect()
}

fn dead(dead: &[Listed], moments: &Moments) -> Option<Card> {
    let latest = dead.first()?;
    let language = moments.language;
    let more = if dead.len() >= MAX_DEAD as usize { "+" } else { "" };
    let count = format!("{}{more}", dead.len());
    let title = language
        .choose(format!("Dead letters in the last 24 h: {count}"), format!("24 小时内的死信：{count} 条"));
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for letter in dead {
        let cause = cause(&letter.reason);
        match groups.iter_mut().find(|(other, _)| *other == cause) {
            Some((_, count)) => *count += 1,
            None => groups.push((cause, 1)),
        }
    }
    groups.sort_by_key(|(_, count)| Reverse(*count));
    let lines = groups.iter().take(MAX_REASONS);
    let lines = lines.map(|(text, count)| format!("{count} × {}", reason(text, language)));
    // The buttons are about the letters of this card, not about older ones.
    let oldest = dead.iter().map(|letter| letter.accepted_at).min().unwrap_or(latest.accepted_at);
    let filter = format!("state=dead&since={}", percent_encode(&oldest.to_string()));
    Some(Card {
        lines: lines.collect(),
        since: latest.settled_at.map(|at| moments.at(at)),
        look: Some(format!("messages?{filter}")),
        requeue: Some(format!("messages/confirm?do=requeue&{filter}")),
        ..Card::new("dead", Level::Bad, title)
    })
}

/// A reason without the text of WeCom, which has another number in each answer.
fn cause(reason: &str) -> &str {
    reason.split_once(" WeCom's text:").map_or(reason, |(cause, _)| cause)
}

fn nearly_full(snapshot: &Snapshot, language: Language) -> Option<Card> {
    let (bytes, max) = (snapshot.size.bytes, snapshot.size.max_bytes);
    let percent = bytes.saturating_mul(100).checked_div(max)?;
    if percent < NEARLY_FULL {
        return None;
    }
    let title = language.choose(
        format!("The outbox uses {percent} % of outbox.max_size"),
        format!("outbox 已用 outbox.max_size 的 {percent} %"),
    );
    let fix = language.choose(
        "When it is full, new webhooks are answered with 503. Find out why messages wait, or raise outbox.max_size.",
        "写满之后，新的 webhook 返回 503。请查明消息为何等待，或调大 outbox.max_size。",
    );
    Some(Card { lines: vec![fix.to_owned()], ..Card::new("size", Level::Warn, title) })
}

fn silent(snapshot: &Snapshot, config: &ConfigStatus, moments: &Moments) -> Option<Card> {
    let last = snapshot.latest.first().map(|listed| listed.accepted_at);
    let last: Timestamp = last.unwrap_or(config.started_at);
    if moments.now.duration_since(last) < SILENCE {
        return None;
    }
    let title = moments.language.choose("No webhook for more than 24 h", "超过 24 小时没有收到 webhook");
    let fix = moments.language.choose(
        "Check that Alertmanager reaches the relay. An alert that always fires (Watchdog) shows this early.",
        "请检查 Alertmanager 能否访问 relay。配置一条始终触发的告警（Watchdog）可以及早发现。",
    );
    Some(Card {
        lines: vec![fix.to_owned()],
        since: Some(moments.at(last)),
        ..Card::new("silence", Level::Warn, title.to_owned())
    })
}

fn reload_failed(config: &ConfigStatus, language: Language) -> Option<Card> {
    let problems = config.problems.as_ref()?;
    let title = language.choose(
        "The last reload failed; the old configuration stays in use",
        "上次重新加载失败，仍在使用旧配置",
    );
    let lines = problems.lines().map(|line| shorten(line, MAX_TEXT_BYTES).into_owned());
    Some(Card { lines: lines.collect(), ..Card::new("reload", Level::Warn, title.to_owned()) })
}

fn refused(refused: &Refused, moments: &Moments) -> Option<Card> {
    let last = refused.last.first()?;
    if moments.now.duration_since(last.at) > REFUSED_FOR {
        return None;
    }
    let language = moments.language;
    let title = language.choose(
        format!("Webhooks were refused since the start: {}", refused.count),
        format!("启动以来被拒绝的 webhook：{} 个", refused.count),
    );
    let answer = shorten(&last.answer, MAX_TEXT_BYTES);
    let line = language.choose(
        format!("The last one came from {} for {}: {} {answer}", last.peer, last.path, last.status),
        format!("最近一个来自 {}，路径 {}：{} {answer}", last.peer, last.path, last.status),
    );
    Some(Card {
        lines: vec![line],
        since: Some(moments.at(last.at)),
        look: Some("#refused".to_owned()),
        ..Card::new("refused", Level::Warn, title)
    })
}

#[cfg(test)]
mod tests;
