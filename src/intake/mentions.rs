//! The members of a group that a text mentions.
//!
//! A label must not be able to mention everybody, and a mention that fails must not lose an alert.

use super::{
    failure::TemplateFailure,
    receiver::{MentionList, Mentions},
};
use crate::{
    render::Rendering,
    text::shorten,
    wecom::{
        Content, GroupText, MAX_MENTIONS, check_user_ids, is_mobile, is_separator,
        message::without_mention_of_everybody,
    },
};

/// Members to mention, and the reasons why others are not mentioned.
#[derive(Default)]
pub(super) struct Mentioned {
    users: Vec<String>,
    mobiles: Vec<String>,
    pub(super) failures: Vec<TemplateFailure>,
}

impl Mentioned {
    pub(super) fn render(mentions: &Mentions<String>, rendering: &Rendering<'_>) -> Self {
        let mut mentioned = Self::fixed(mentions);
        let is_user = |id: &str| check_user_ids(id).is_ok();
        let users = rendered("mentioned_list", &mentions.users, is_user, rendering, &mut mentioned.failures);
        let key = "mentioned_mobile_list";
        let mobiles = rendered(key, &mentions.mobiles, is_mobile, rendering, &mut mentioned.failures);
        add(&mut mentioned.users, users);
        add(&mut mentioned.mobiles, mobiles);
        mentioned
    }

    /// Without templates.
    pub(super) fn fixed(mentions: &Mentions<String>) -> Self {
        let (users, mobiles) = (mentions.users.fixed.clone(), mentions.mobiles.fixed.clone());
        Self { users, mobiles, failures: Vec::new() }
    }

    /// Adds the mentions to the first of `contents`, if that is a text. One mention is enough for all parts.
    pub(super) fn add_to(self, contents: &mut [Content]) {
        let Some(first @ Content::Text(_)) = contents.first_mut() else { return };
        let content = without_mention_of_everybody(first.text()).into_owned();
        let Self { users: mentioned_list, mobiles: mentioned_mobile_list, .. } = self;
        *first = GroupText { content, mentioned_list, mentioned_mobile_list }.into();
    }
}

fn rendered(
    key: &'static str,
    list: &MentionList<String>,
    is_valid: impl Fn(&str) -> bool,
    rendering: &Rendering<'_>,
    failures: &mut Vec<TemplateFailure>,
) -> Vec<String> {
    let mut ids = Vec::new();
    for template in &list.templates {
        let text = match rendering.render(template) {
            Ok(text) => text,
            Err(error) => {
                failures.push(error.into());
                continue;
            }
        };
        for id in text.split(is_separator).filter(|id| !id.is_empty()) {
            if id.eq_ignore_ascii_case("@all") {
                failures.push(TemplateFailure::MentionOfEverybody(key));
            } else if is_valid(id) {
                ids.push(id.to_owned());
            } else {
                failures.push(TemplateFailure::BadMention { key, id: shorten(id, 40).into_owned() });
            }
        }
    }
    // A longer list is a mistake or abuse.
    ids.truncate(MAX_MENTIONS);
    ids
}

fn add(list: &mut Vec<String>, ids: Vec<String>) {
    for id in ids {
        if !list.contains(&id) {
            list.push(id);
        }
    }
}
