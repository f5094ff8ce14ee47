//! `to_user`, `to_party` and `to_tag`: fixed ids, or templates. Or `chat_id`, or the group of a robot.

use super::message::Audience;
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, quoted},
        model::{Located, Template},
        raw::{self, Field},
    },
    intake::Address,
    render::TemplateLanguage,
    text::named_char,
    wecom::{self, BadId, ChatId, Recipients},
};

pub(super) fn read(
    raw: &raw::Receiver<'_>,
    audience: Audience,
    language: TemplateLanguage,
    diagnostics: &mut Diagnostics,
) -> Result<Address<Located<Template>>, ErrorGuaranteed> {
    match audience {
        Audience::Members => members(raw, language, diagnostics),
        Audience::Robot => {
            let help = "remove it, because a robot sends to its group; mentioned_list names members there";
            no_members(raw, "this key needs an app, and this receiver has a robot", help, diagnostics)?;
            if raw.chat_id.is_set() {
                let message = "a robot has one group, which its key decides";
                return Err(diagnostics.error(
                    &raw.chat_id.location,
                    message,
                    "remove chat_id, or name an app",
                ));
            }
            Ok(Address::Literal(Recipients::Group))
        }
        Audience::Chat => {
            let help = "remove it, or use two receivers and name one in also of the other";
            no_members(
                raw,
                "a receiver sends to members or to a chat, and this one has chat_id",
                help,
                diagnostics,
            )?;
            let help =
                "write the id that `wecom-relay chat create` shows, as in wrOgQhDgAAMYQiS5ol9G7gK9JVAAAA";
            let written = raw.chat_id.required_text(help, diagnostics)?;
            let chat = ChatId::parse(written).map(|chat| Address::Literal(Recipients::Chat(chat)));
            chat.ok_or_else(|| {
                let message = format!("{} is not the id of a chat", quoted(written));
                diagnostics.error(&raw.chat_id.location, message, help)
            })
        }
    }
}

/// Refuses `to_user`, `to_party` and `to_tag`.
fn no_members(
    raw: &raw::Receiver<'_>,
    message: &str,
    help: &str,
    diagnostics: &mut Diagnostics,
) -> Result<(), ErrorGuaranteed> {
    let set = [&raw.to_user, &raw.to_party, &raw.to_tag].into_iter().find(|field| field.is_set());
    set.map_or(Ok(()), |field| Err(diagnostics.error(&field.location, message, help)))
}

fn members(
    raw: &raw::Receiver<'_>,
    language: TemplateLanguage,
    diagnostics: &mut Diagnostics,
) -> Result<Address<Located<Template>>, ErrorGuaranteed> {
    let texts = [&raw.to_user, &raw.to_party, &raw.to_tag].map(|field| field.joined("|", diagnostics));
    let [to_user, to_party, to_tag] = texts;
    let texts = [to_user?, to_party?, to_tag?].map(Option::unwrap_or_default);
    let [to_user, to_party, to_tag] = texts.each_ref().map(AsRef::as_ref);
    // A fixed `@all` includes everybody, so the other two keys do not matter.
    if !is_template(to_user) && Recipients::parse(to_user, "", "") == Ok(Recipients::All) {
        return Ok(Address::Literal(Recipients::All));
    }
    let user = users(&raw.to_user, to_user, diagnostics);
    let party = ids(&raw.to_party, to_party, "通讯录 → the department's menu → 部门ID", diagnostics);
    let tag = ids(&raw.to_tag, to_tag, "通讯录 → 标签 → the tag's details → 标签ID", diagnostics);
    user.and(party).and(tag)?;
    if [to_user, to_party, to_tag].into_iter().any(is_template) {
        return Ok(Address::Template {
            to_user: located(&raw.to_user, to_user, language),
            to_party: located(&raw.to_party, to_party, language),
            to_tag: located(&raw.to_tag, to_tag, language),
        });
    }
    Recipients::parse(to_user, to_party, to_tag).map(Address::Literal).map_err(|error| {
        let help = "to address everybody, write to_user: '@all'";
        diagnostics.error(&raw.to_user.location, error.to_string(), help)
    })
}

/// Refuses fixed texts that cannot be user ids.
fn users(field: &Field<'_>, text: &str, diagnostics: &mut Diagnostics) -> Result<(), ErrorGuaranteed> {
    if is_template(text) {
        return Ok(());
    }
    wecom::check_user_ids(text).map_err(|bad| {
        let message = format!("{} is not a user id, because it {}", quoted(&bad.text), bad.reason);
        let help =
            "write the account that the console shows at 通讯录 → the member → 账号; separate several with |";
        diagnostics.error(&field.location, message, help)
    })?;
    if text.trim().eq_ignore_ascii_case("all") {
        let message = "this is the member with the account all";
        diagnostics.warn(&field.location, message, "to address everybody, write '@all'");
    }
    warn_of_separators(field, text, diagnostics);
    Ok(())
}

/// Refuses fixed ids that are not numbers. `found` says where WeCom's console shows the numbers.
fn ids(
    field: &Field<'_>,
    text: &str,
    found: &str,
    diagnostics: &mut Diagnostics,
) -> Result<(), ErrorGuaranteed> {
    if is_template(text) {
        return Ok(());
    }
    wecom::check_ids(text).map_err(|BadId(bad)| {
        let message = format!("{} is not an id", quoted(&bad));
        let help = format!("write the number that the console shows at {found}; separate several with |");
        diagnostics.error(&field.location, message, help)
    })?;
    warn_of_separators(field, text, diagnostics);
    Ok(())
}

/// Warns of commas and the like. They are read as meant, but WeCom and Alertmanager would not do so.
fn warn_of_separators(field: &Field<'_>, text: &str, diagnostics: &mut Diagnostics) {
    let other = |c: char| c != '|' && !c.is_whitespace() && wecom::is_separator(c);
    if let Some(separator) = text.chars().find(|c| other(*c)) {
        let message = format!("the character {} separates ids here", named_char(separator));
        let help = "write | between ids, as Alertmanager and WeCom do";
        diagnostics.warn(&field.location, message, help);
    }
}

fn located(field: &Field<'_>, text: &str, language: TemplateLanguage) -> Located<Template> {
    Located { value: Template { text: text.to_owned(), language }, location: field.location.clone() }
}

pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|open| text.contains(open))
}
