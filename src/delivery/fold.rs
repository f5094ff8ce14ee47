//! Digests: one message in place of many, a line for each.
//!
//! A digest lists whole notifications in order of acceptance. When more wait than two minutes of digests could
//! list, it also stands for the ones that it does not list and says how many they are: a flood of thousands ends
//! in a handful of messages, and `wecom-relay outbox list` has every one.

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    outbox::{Foldable, NotificationId, Status},
    text::is_bidi_control,
};

/// A notification's line in a digest or notice, in bytes, the line break not counted.
pub const LINE_BYTES: usize = 100;
/// How many messages one digest stands for at most.
pub const MAX_MEMBERS: u32 = 1000;
/// The most bytes of a text message that WeCom shows.
const TEXT_BYTES: usize = 2048;
/// How many full digests a backlog may take and still be listed whole: those of two minutes.
const LISTED_DIGESTS: usize = 50;

/// A digest and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The text, at most 2,048 bytes.
    pub text: String,
    /// Its own line, should it become a dead letter.
    pub summary: String,
    /// Whether anything in it fires.
    pub status: Status,
    /// The notifications that it stands for, listed or counted.
    pub members: Vec<NotificationId>,
}

/// Makes a digest of the first of `waiting`, or of all of it when it is too much to be listed; `None` when there
/// is nothing.
pub fn digest(waiting: &[Foldable]) -> Option<Digest> {
    let lines: Vec<String> =
        waiting.iter().map(|foldable| format!("\n- {}", line(&foldable.summary))).collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    let too_much = bytes > LISTED_DIGESTS * TEXT_BYTES || waiting.len() >= MAX_MEMBERS as usize;
    let mut listed = lines.len().min(TEXT_BYTES / 4);
    loop {
        let members = if too_much { waiting } else { waiting.get(..listed)? };
        if members.is_empty() {
            return None;
        }
        let header = header(members);
        let unlisted = members.len() - listed;
        let more = match unlisted {
            0 => String::new(),
            more => format!("\n… and {more} more, not listed: wecom-relay outbox list"),
        };
        let body = lines.get(..listed).unwrap_or_default();
        let text_bytes = header.len() + body.iter().map(String::len).sum::<usize>() + more.len();
        if text_bytes > TEXT_BYTES {
            listed = listed.checked_sub(1)?;
            continue;
        }
        let fires = members.iter().any(|member| member.status == Status::Firing);
        return Some(Digest {
            text: [&header, body.concat().as_str(), &more].concat(),
            summary: header,
            status: if fires { Status::Firing } else { Status::Resolved },
            members: members.iter().map(|member| member.notification).collect(),
        });
    }
}

/// How many severities are named for a status; the rest is "other".
const SEVERITIES: usize = 4;

/// Counts by status and severity.
fn header(members: &[Foldable]) -> String {
    let mut text = format!("[DIGEST] {} notifications", members.len());
    if members.len() == 1 {
        text.pop();
    }
    for (status, name) in [(Status::Firing, "firing"), (Status::Resolved, "resolved")] {
        let mut by_severity: BTreeMap<&str, usize> = BTreeMap::new();
        for member in members.iter().filter(|member| member.status == status) {
            *by_severity.entry(member.severity.as_str()).or_default() += 1;
        }
        let total: usize = by_severity.values().sum();
        if total == 0 {
            continue;
        }
        let _ = write!(text, "{} {total} {name}", if text.contains(':') { "," } else { ":" });
        by_severity.remove("");
        if by_severity.is_empty() {
            continue;
        }
        let mut by_count: Vec<_> = by_severity.into_iter().collect();
        by_count.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
        let named = by_count.iter().take(SEVERITIES);
        let mut parts: Vec<_> =
            named.map(|(severity, n)| format!("{n} {}", clip(&one_line(severity), 16))).collect();
        let other: usize = by_count.iter().skip(SEVERITIES).map(|(_, n)| n).sum();
        if other > 0 {
            parts.push(format!("{other} other"));
        }
        let _ = write!(text, " ({})", parts.join(", "));
    }
    text
}

/// One summary as it stands in a digest: a single line of at most [`LINE_BYTES`], clipped visibly.
pub fn line(summary: &str) -> String {
    clip(one_line(summary).trim(), LINE_BYTES)
}

/// `text` with spaces for line breaks and other controls, and without what would turn the direction of its line.
fn one_line(text: &str) -> String {
    let seen = text.chars().filter(|c| !is_bidi_control(*c));
    seen.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `text` in at most `bytes` bytes; what is cut is shown by `…`.
pub fn clip(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let room = bytes.saturating_sub('…'.len_utf8());
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= room).last();
    format!("{}…", text.get(..end.unwrap_or(0)).unwrap_or_default())
}

/// What a notice to a fallback receiver says: a heading, then a line for each, as many as fit.
pub fn notice(heading: &str, lines: impl IntoIterator<Item = String>, total: usize) -> String {
    let mut text = clip(heading, 600);
    let mut listed = 0;
    for summary in lines {
        let line = line(&summary);
        if text.len() + line.len() + 3 > TEXT_BYTES - 80 {
            break;
        }
        text.push_str("\n- ");
        text.push_str(&line);
        listed += 1;
    }
    if total > listed {
        let _ = write!(text, "\n… and {} more: wecom-relay outbox list", total - listed);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outbox::ReceiverName;

    fn foldable(id: i64, status: Status, severity: &str, summary: &str) -> Foldable {
        Foldable {
            notification: NotificationId(id),
            receiver: ReceiverName("wechat".to_owned()),
            status,
            severity: severity.to_owned(),
            summary: summary.to_owned(),
        }
    }

    #[test]
    fn a_digest_counts_by_status_and_severity_and_lists_in_order() {
        let waiting = [
            foldable(1, Status::Firing, "critical", "[FIRING:1] Down a"),
            foldable(2, Status::Firing, "warning", "[FIRING:1] Slow\nb"),
            foldable(3, Status::Resolved, "", "[RESOLVED] Down a"),
        ];
        insta::assert_snapshot!(digest(&waiting).unwrap().text, @r"
        [DIGEST] 3 notifications: 2 firing (1 critical, 1 warning), 1 resolved
        - [FIRING:1] Down a
        - [FIRING:1] Slow b
        - [RESOLVED] Down a
        ");
    }

    #[test]
    fn nothing_in_a_digest_breaks_or_turns_a_line() {
        let waiting =
            [foldable(1, Status::Firing, "cri\n\u{202E}tical", "\u{2067}[FIRING:1]\n Down\u{200F}")];
        assert_eq!(
            digest(&waiting).unwrap().text,
            "[DIGEST] 1 notification: 1 firing (1 cri tical)\n- [FIRING:1]  Down"
        );
    }

    #[test]
    fn what_is_too_much_to_be_listed_is_counted() {
        let many: Vec<_> = (0..1000).map(|n| foldable(n, Status::Firing, "", "x")).collect();
        let digest = digest(&many).unwrap();
        assert_eq!(digest.members.len(), 1000);
        assert!(digest.text.contains("more, not listed"), "{}", digest.text);
    }

    #[test]
    fn five_hundred_long_lines_are_all_listed() {
        let mut waiting: Vec<_> =
            (0..500).map(|n| foldable(n, Status::Firing, "critical", &"x".repeat(300))).collect();
        let mut digests = 0;
        while let Some(digest) = digest(&waiting) {
            assert_eq!(digest.text.lines().count(), digest.members.len() + 1);
            waiting.drain(..digest.members.len());
            digests += 1;
        }
        assert!(digests <= 30, "{digests}");
    }

    proptest! {
        #[test]
        fn a_digest_fits_and_lists_or_counts_every_member(
            summaries in prop::collection::vec(("\\PC{0,200}", "\\PC{0,40}", any::<bool>()), 1..60),
        ) {
            let waiting: Vec<_> = summaries.iter().enumerate().map(|(n, (summary, severity, fires))| {
                let status = if *fires { Status::Firing } else { Status::Resolved };
                foldable(n as i64, status, severity, summary)
            }).collect();
            let digest = digest(&waiting).unwrap();
            prop_assert!(digest.text.len() <= 2048);
            let listed = digest.text.matches("\n- ").count();
            prop_assert!(listed >= 1);
            prop_assert!(listed <= digest.members.len());
            prop_assert!(listed == digest.members.len() || digest.text.contains("more, not listed"));
        }

        #[test]
        fn a_line_is_one_line_and_at_most_100_bytes(summary in any::<String>()) {
            let line = line(&summary);
            prop_assert!(line.len() <= LINE_BYTES);
            prop_assert!(!line.contains(['\n', '\r']));
        }
    }
}
