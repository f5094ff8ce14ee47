//! The last line of a text that was shortened: it counts what is not shown, and links to it.

use super::spans::Markup;
use crate::{
    alertmanager::SEVERITY_RANKS,
    language::Language,
    render::{markdown, rendered::AlertKind},
    text::ELLIPSIS,
};

/// Where a reader finds the alerts that a message does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest<'a> {
    /// A URL that shows all alerts, or empty.
    pub link: &'a str,
    pub language: Language,
}

/// The last line of a text.
pub(super) struct LastLine<'a> {
    pub(super) rest: Rest<'a>,
    pub(super) markup: Markup,
    /// All alerts of the notification.
    pub(super) alerts: usize,
    pub(super) max_link_bytes: usize,
}

/// The word for the severities of each rank, in English and Chinese.
const RANKS: [(&str, &str); SEVERITY_RANKS] = [
    ("emergency", "紧急"),
    ("critical", "严重"),
    ("error", "重要"),
    ("warning", "警告"),
    ("low", "一般"),
    ("info", "提示"),
];

impl LastLine<'_> {
    /// Says how many alerts of which kind are hidden, with the link unless it is too long.
    pub(super) fn text(&self, hidden: impl Iterator<Item = AlertKind>) -> String {
        let words = self.words(hidden);
        match self.linked(&words) {
            Some(linked) if linked.len() <= self.max_link_bytes && !linked.contains('\n') => linked,
            _ => format!("{ELLIPSIS} {words}"),
        }
    }

    fn words(&self, hidden: impl Iterator<Item = AlertKind>) -> String {
        let mut firing = [0; SEVERITY_RANKS + 1];
        let mut resolved = 0;
        for kind in hidden {
            match kind {
                AlertKind::Resolved => resolved += 1,
                AlertKind::Firing { rank } => {
                    if let Some(count) = firing.get_mut(rank) {
                        *count += 1;
                    }
                }
            }
        }
        let (all, language) = (self.alerts, self.rest.language);
        let total = firing.iter().sum::<usize>() + resolved;
        if total == 0 {
            return language.choose("some of the text is not shown", "部分内容未显示").to_owned();
        }
        let kinds = RANKS.into_iter().chain([("firing", "告警")]).map(|(en, zh)| language.choose(en, zh));
        let mut kinds: Vec<(usize, &str)> = firing.into_iter().zip(kinds).collect();
        kinds.push((resolved, language.choose("resolved", "恢复")));
        kinds.retain(|(count, _)| *count > 0);
        match language {
            Language::En => {
                let kinds: Vec<_> = kinds.iter().map(|(count, kind)| format!("{count} {kind}")).collect();
                let verb = if total == 1 { "is" } else { "are" };
                format!("{total} of {all} alerts {verb} not shown ({})", kinds.join(", "))
            }
            Language::Zh => {
                let kinds: Vec<_> = kinds.iter().map(|(count, kind)| format!("{kind} {count}")).collect();
                format!("共 {all} 条告警，{total} 条未显示（{}）", kinds.join("、"))
            }
        }
    }

    fn linked(&self, words: &str) -> Option<String> {
        let Rest { link, language } = self.rest;
        match self.markup {
            Markup::Plain => {
                let colon = language.choose(": ", "：");
                (!link.is_empty()).then(|| format!("{ELLIPSIS} {words}{colon}{link}"))
            }
            Markup::Markdown => {
                let url = markdown::url(link);
                (!url.is_empty()).then(|| format!("{ELLIPSIS} [{words}]({url})"))
            }
        }
    }
}
