//! The first line of a digest: counts by status and severity.

use std::collections::BTreeMap;

use crate::{
    alertmanager::severity_rank,
    language::Language,
    outbox::{Foldable, Status},
    text::{one_line, shorten},
};

/// The maximum number of severities that are named for one status. The rest is "other".
const SEVERITIES: usize = 4;
const MAX_SEVERITY_BYTES: usize = 16;

/// ```text
/// [DIGEST] 3 notifications: 2 firing (1 critical, 1 warning), 1 resolved
/// 【告警汇总】3 条通知：告警 2（严重 1、警告 1），恢复 1
/// ```
pub(super) fn header(members: &[Foldable], language: Language) -> String {
    let statuses = [
        (Status::Firing, language.choose("firing", "告警")),
        (Status::Resolved, language.choose("resolved", "恢复")),
    ];
    let mut counts = Vec::new();
    for (status, word) in statuses {
        let of_status: Vec<&Foldable> = members.iter().filter(|member| member.status == status).collect();
        if !of_status.is_empty() {
            counts.push(counted(of_status.len(), word, &severities(&of_status, language), language));
        }
    }
    let total = members.len();
    let counts = counts.join(language.choose(", ", "，"));
    match language {
        Language::En => {
            format!("[DIGEST] {total} notification{}: {counts}", if total == 1 { "" } else { "s" })
        }
        Language::Zh => format!("【告警汇总】{total} 条通知：{counts}"),
    }
}

/// A count, with its parts in parentheses.
fn counted(count: usize, word: &str, parts: &[String], language: Language) -> String {
    let parts = parts.join(language.choose(", ", "、"));
    match (language, parts.is_empty()) {
        (Language::En, true) => format!("{count} {word}"),
        (Language::En, false) => format!("{count} {word} ({parts})"),
        (Language::Zh, true) => format!("{word} {count}"),
        (Language::Zh, false) => format!("{word} {count}（{parts}）"),
    }
}

/// A count for each severity, the worst first.
fn severities(members: &[&Foldable], language: Language) -> Vec<String> {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for severity in members.iter().map(|member| member.severity.as_str()).filter(|text| !text.is_empty()) {
        *counts.entry((severity_rank(severity), severity)).or_default() += 1;
    }
    let mut parts = Vec::new();
    let mut others = 0;
    for ((_, severity), count) in counts {
        if parts.len() == SEVERITIES {
            others += count;
            continue;
        }
        let word = one_line(language.severity(severity));
        parts.push(counted(count, &shorten(&word, MAX_SEVERITY_BYTES), &[], language));
    }
    if others > 0 {
        parts.push(counted(others, language.choose("other", "其他"), &[], language));
    }
    parts
}
