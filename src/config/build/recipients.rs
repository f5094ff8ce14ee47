//! `to_user`, `to_party` and `to_tag`: fixed ids, or templates.

use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, quoted},
        model::{Located, Template},
        raw::{self, Field},
    },
    intake::Address,
    render::TemplateLanguage,
    text::named_char,
    wecom::{self, BadId, Recipients},
};

pub(super) fn read(
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

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|open| text.contains(open))
}
