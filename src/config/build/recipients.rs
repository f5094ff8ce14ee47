//! `to_user`, `to_party` and `to_tag`: written out, or templates.

use crate::{
    config::{
        model::Located,
        problem::{Report, Reported, quoted},
        raw::{self, Field},
    },
    intake::Address,
    wecom::{self, BadId, Recipients},
};

pub(super) fn read(
    raw: &raw::Receiver<'_>,
    report: &mut Report,
) -> Result<Address<Located<String>>, Reported> {
    let texts = [&raw.to_user, &raw.to_party, &raw.to_tag].map(|field| field.text(report));
    let [to_user, to_party, to_tag] = texts;
    let texts = [to_user?, to_party?, to_tag?].map(Option::unwrap_or_default);
    let [to_user, to_party, to_tag] = texts;
    // An `@all` that is written out makes the other two mean nothing, templates or not.
    if !is_template(to_user) && Recipients::parse(to_user, "", "") == Ok(Recipients::All) {
        return Ok(Address::Literal(Recipients::All));
    }
    let party = ids(&raw.to_party, to_party, "通讯录 → the department's menu → 部门ID", report);
    let tag = ids(&raw.to_tag, to_tag, "通讯录 → 标签 → the tag's details → 标签ID", report);
    party.and(tag)?;
    if texts.into_iter().any(is_template) {
        return Ok(Address::Template {
            to_user: located(&raw.to_user, to_user),
            to_party: located(&raw.to_party, to_party),
            to_tag: located(&raw.to_tag, to_tag),
        });
    }
    Recipients::parse(to_user, to_party, to_tag).map(Address::Literal).map_err(|none| {
        let right = "to write to everybody, say so: to_user: '@all'";
        report.problem(&raw.to_user.place, none.to_string(), right)
    })
}

/// Refuses ids that are none where they are written out. `found` says where WeCom shows them.
fn ids(field: &Field<'_>, text: &str, found: &str, report: &mut Report) -> Result<(), Reported> {
    if is_template(text) {
        return Ok(());
    }
    let Err(BadId(bad)) = wecom::check_ids(text) else { return Ok(()) };
    let wrong = format!("{} is no id", quoted(&bad));
    Err(report.problem(&field.place, wrong, format!("write the number that the console shows: {found}")))
}

fn located(field: &Field<'_>, text: &str) -> Located<String> {
    Located { value: text.to_owned(), place: field.place.clone() }
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|open| text.contains(open))
}
