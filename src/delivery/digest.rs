//! The text of digests and notices: one message that replaces many, with a line for each.
//!
//! A digest lists firing notifications before resolved ones, and those with the worst severity first. When more wait than
//! the digests of two minutes can list, a digest also replaces notifications that it does not list, and says how many. So
//! a flood of thousands ends in a handful of messages, and `wecom-relay outbox list` shows every one.

use jiff::Timestamp;

use super::digest_header::header;
use crate::{
    alertmanager::severity_rank,
    language::Language,
    outbox::{Foldable, NotificationId, Status, rules::fold},
    text::{one_line, shorten},
    wecom::limits::MAX_CONTENT_BYTES,
};

pub use crate::outbox::rules::fold::MAX_MEMBERS;

/// The maximum number of bytes of a line in a digest or notice, without the line break.
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
/// not larger than its members allow. `time` writes the time of acceptance.
pub fn digest(
    waiting: &[Foldable],
    language: Language,
    time: impl Fn(Timestamp) -> String,
) -> Option<Digest> {
    let together = fold::together(waiting.iter().map(|foldable| foldable.limit));
    let waiting = waiting.get(..together as usize)?;
    let lines: Vec<Line<'_>> =
        waiting.iter().zip(0..).map(|(member, index)| Line::of(member, index, &time)).collect();
    let bytes: usize = lines.iter().map(|line| line.text.len()).sum();
    let too_much = bytes > LISTED_DIGESTS * MAX_CONTENT_BYTES || waiting.len() >= MAX_MEMBERS as usize;
    let mut by_importance: Vec<&Line<'_>> = lines.iter().collect();
    by_importance.sort_by_key(|line| importance(line.member));
    let mut listed =
        if too_much { fitting(&by_importance) } else { fitting(&lines.iter().collect::<Vec<_>>()) };
    loop {
        let members = if too_much { waiting } else { waiting.get(..listed)? };
        if members.is_empty() {
            return None;
        }
        let header = header(members, language);
        let unlisted = members.len() - listed;
        let more = match unlisted {
            0 => String::new(),
            more => format!("\n… {}", not_listed(more, language)),
        };
        let shown = by_importance.iter().filter(|line| line.index < members.len()).take(listed);
        let body: String = shown.map(|line| line.text.as_str()).collect();
        let text = [&header, body.as_str(), &more].concat();
        if text.len() > MAX_CONTENT_BYTES {
            listed = listed.checked_sub(1)?;
            continue;
        }
        let fires = members.iter().any(|member| member.status == Status::Firing);
        return Some(Digest {
            text,
            summary: header,
            status: if fires { Status::Firing } else { Status::Resolved },
            members: members.iter().map(|member| member.notification).collect(),
        });
    }
}

/// A notification as a line, with its place in the order of acceptance.
struct Line<'a> {
    member: &'a Foldable,
    index: usize,
    text: String,
}

impl<'a> Line<'a> {
    fn of(member: &'a Foldable, index: usize, time: &impl Fn(Timestamp) -> String) -> Self {
        let text = format!("\n- {} {}", time(member.accepted_at), line(&member.summary));
        Self { member, index, text }
    }
}

/// The number of the first lines that fit in a message.
fn fitting(lines: &[&Line<'_>]) -> usize {
    let mut bytes = 0;
    let fits = |line: &&&Line<'_>| {
        bytes += line.text.len();
        bytes <= MAX_CONTENT_BYTES
    };
    lines.iter().take_while(fits).count()
}

/// The most important notifications of a digest come first.
fn importance(member: &Foldable) -> (bool, usize) {
    (member.status != Status::Firing, severity_rank(&member.severity))
}

/// A summary as a line of a digest, shortened to [`LINE_BYTES`].
pub fn line(summary: &str) -> String {
    shorten(one_line(summary).trim(), LINE_BYTES).into_owned()
}

/// The text of a notice: a heading, then as many lines as fit.
pub fn notice(
    heading: &str,
    lines: impl IntoIterator<Item = String>,
    total: usize,
    language: Language,
) -> String {
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
        text.push_str("\n… ");
        text.push_str(&not_listed(total - listed, language));
    }
    text
}

fn not_listed(count: usize, language: Language) -> String {
    match language {
        Language::En => format!("and {count} more, not listed: wecom-relay outbox list"),
        Language::Zh => format!("另有 {count} 条未列出：wecom-relay outbox list"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{outbox::ReceiverName, wecom::GroupMentions};

    fn foldable(id: i64, status: Status, severity: &str, summary: &str) -> Foldable {
        Foldable {
            notification: NotificationId(id),
            receiver: ReceiverName("wechat".to_owned()),
            accepted_at: Timestamp::UNIX_EPOCH,
            status,
            severity: severity.to_owned(),
            summary: summary.to_owned(),
            limit: MAX_MEMBERS,
            mentions: GroupMentions::default(),
        }
    }

    fn digest_of(waiting: &[Foldable], language: Language) -> Option<Digest> {
        digest(waiting, language, |at| at.strftime("%H:%M").to_string())
    }

    #[test]
    fn a_digest_counts_by_status_and_severity_and_lists_in_order() {
        let waiting = [
            foldable(1, Status::Firing, "critical", "[FIRING:1] Down a"),
            foldable(2, Status::Firing, "warning", "[FIRING:1] Slow\nb"),
            foldable(3, Status::Resolved, "", "[RESOLVED] Down a"),
        ];
        insta::assert_snapshot!(digest_of(&waiting, Language::En).unwrap().text, @r"
        [DIGEST] 3 notifications: 2 firing (1 critical, 1 warning), 1 resolved
        - 00:00 [FIRING:1] Down a
        - 00:00 [FIRING:1] Slow b
        - 00:00 [RESOLVED] Down a
        ");
    }

    #[test]
    fn a_digest_in_chinese_has_the_worst_first() {
        let waiting = [
            foldable(1, Status::Resolved, "critical", "【恢复】[严重] Down ×1"),
            foldable(2, Status::Firing, "warning", "【告警】[警告] Slow ×1"),
            foldable(3, Status::Firing, "critical", "【告警】[严重] Down ×2"),
            foldable(4, Status::Firing, "P7", "【告警】[P7] Odd ×1"),
        ];
        insta::assert_snapshot!(digest_of(&waiting, Language::Zh).unwrap().text, @r"
        【告警汇总】4 条通知：告警 3（严重 1、警告 1、P7 1），恢复 1（严重 1）
        - 00:00 【告警】[严重] Down ×2
        - 00:00 【告警】[警告] Slow ×1
        - 00:00 【告警】[P7] Odd ×1
        - 00:00 【恢复】[严重] Down ×1
        ");
    }

    #[test]
    fn the_worst_of_too_many_are_listed() {
        let mut many: Vec<_> =
            (0..999).map(|n| foldable(n, Status::Firing, "info", &"x".repeat(90))).collect();
        many.push(foldable(999, Status::Firing, "critical", "worst"));
        let digest = digest_of(&many, Language::Zh).unwrap();
        assert_eq!(digest.text.lines().nth(1), Some("- 00:00 worst"));
        assert!(digest.text.ends_with("条未列出：wecom-relay outbox list"), "{}", digest.text);
    }

    #[test]
    fn nothing_in_a_digest_breaks_or_turns_a_line() {
        let waiting =
            [foldable(1, Status::Firing, "cri\n\u{202E}tical", "\u{2067}[FIRING:1]\n Down\u{200F}")];
        assert_eq!(
            digest_of(&waiting, Language::En).unwrap().text,
            "[DIGEST] 1 notification: 1 firing (1 cri tical)\n- 00:00 [FIRING:1] Down"
        );
    }

    #[test]
    fn what_is_too_much_to_be_listed_is_counted() {
        let many: Vec<_> = (0..1000).map(|n| foldable(n, Status::Firing, "", "x")).collect();
        let digest = digest_of(&many, Language::En).unwrap();
        assert_eq!(digest.members.len(), 1000);
        assert!(digest.text.contains("more, not listed"), "{}", digest.text);
    }

    #[test]
    fn five_hundred_long_lines_are_all_listed() {
        let mut waiting: Vec<_> =
            (0..500).map(|n| foldable(n, Status::Firing, "critical", &"x".repeat(300))).collect();
        let mut digests = 0;
        while let Some(digest) = digest_of(&waiting, Language::En) {
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
            let digest = digest_of(&waiting, Language::En).unwrap();
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
