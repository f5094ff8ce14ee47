//! The text of digests and notices: one message that replaces many, with a line for each.
//!
//! A digest lists notifications in order of acceptance. When more wait than the digests of two minutes can list, a digest
//! also replaces notifications that it does not list, and says how many. So a flood of thousands ends in a handful of
//! messages, and `wecom-relay outbox list` shows every one.

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    outbox::{Foldable, NotificationId, Status, rules::fold},
    text::{one_line, shorten},
    wecom::limits::MAX_CONTENT_BYTES,
};

pub use crate::outbox::rules::fold::MAX_MEMBERS;

/// The most bytes of a line in a digest or notice, without the line break.
pub const LINE_BYTES: usize = 100;
/// A backlog that fits into this number of digests is listed completely: those of two minutes.
const LISTED_DIGESTS: usize = 50;

/// A digest and its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The text, at most 2,048 bytes.
    pub text: String,
    /// Its summary, in case it becomes a dead letter.
    pub summary: String,
    /// Firing if any member is firing.
    pub status: Status,
    /// The notifications that it replaces, listed or counted.
    pub members: Vec<NotificationId>,
}

/// A digest of the first of `waiting`, or of all of them if they are too many to be listed. `None` if nothing waits. It is
/// not larger than its members allow.
pub fn digest(waiting: &[Foldable]) -> Option<Digest> {
    let together = fold::together(waiting.iter().map(|foldable| foldable.limit));
    let waiting = waiting.get(..together as usize)?;
    let lines: Vec<String> =
        waiting.iter().map(|foldable| format!("\n- {}", line(&foldable.summary))).collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    let too_much = bytes > LISTED_DIGESTS * MAX_CONTENT_BYTES || waiting.len() >= MAX_MEMBERS as usize;
    let mut listed = lines.len().min(MAX_CONTENT_BYTES / 4);
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
        if text_bytes > MAX_CONTENT_BYTES {
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

/// The most severities that are named for one status. The rest is "other".
const SEVERITIES: usize = 4;

/// The first line: counts by status and severity.
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
            named.map(|(severity, n)| format!("{n} {}", shorten(&one_line(severity), 16))).collect();
        let other: usize = by_count.iter().skip(SEVERITIES).map(|(_, n)| n).sum();
        if other > 0 {
            parts.push(format!("{other} other"));
        }
        let _ = write!(text, " ({})", parts.join(", "));
    }
    text
}

/// A summary as a line of a digest, shortened to [`LINE_BYTES`].
pub fn line(summary: &str) -> String {
    shorten(one_line(summary).trim(), LINE_BYTES).into_owned()
}

/// The text of a notice: a heading, then as many lines as fit.
pub fn notice(heading: &str, lines: impl IntoIterator<Item = String>, total: usize) -> String {
    let mut text = shorten(heading, 600).into_owned();
    let mut listed = 0;
    for summary in lines {
        let line = line(&summary);
        if text.len() + line.len() + 3 > MAX_CONTENT_BYTES - 80 {
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
            limit: MAX_MEMBERS,
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
            "[DIGEST] 1 notification: 1 firing (1 cri tical)\n- [FIRING:1] Down"
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
