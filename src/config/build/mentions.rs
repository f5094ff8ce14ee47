//! `mentioned_list` and `mentioned_mobile_list`: fixed ids, or templates. Only a fixed `@all` mentions everybody.

use super::{
    message::{Audience, Message},
    recipients::is_template,
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, quoted},
        model::{Located, Template},
        raw::{self, Field},
    },
    intake::{MentionList, Mentions, MessageType},
    render::TemplateLanguage,
    wecom::{self, is_mobile},
};

pub(super) fn read(
    raw: &raw::Receiver<'_>,
    audience: Audience,
    message: Option<&Message>,
    language: TemplateLanguage,
    diagnostics: &mut Diagnostics,
) -> Result<Mentions<Located<Template>>, ErrorGuaranteed> {
    let users = list(&raw.mentioned_list, language, diagnostics);
    let mobiles = list(&raw.mentioned_mobile_list, language, diagnostics);
    let (users, mobiles) = (users?, mobiles?);
    if let Some(field) =
        [&raw.mentioned_list, &raw.mentioned_mobile_list].into_iter().find(|field| field.is_set())
    {
        check_use(field, audience, message, diagnostics)?;
    }
    if raw.mentioned_mobile_list.is_set() && audience == Audience::Chat {
        let help = "use mentioned_list with user ids";
        let message = "only robots mention mobile numbers";
        return Err(diagnostics.error(&raw.mentioned_mobile_list.location, message, help));
    }
    for user in users.fixed.iter().filter(|user| *user != ALL) {
        wecom::check_user_ids(user).map_err(|bad| {
            let message = format!("{} is not a user id, because it {}", quoted(&bad.text), bad.reason);
            let help = "write the account that the console shows at 通讯录 → the member → 账号, or '@all'";
            diagnostics.error(&raw.mentioned_list.location, message, help)
        })?;
    }
    if let Some(bad) = mobiles.fixed.iter().find(|mobile| *mobile != ALL && !is_mobile(mobile)) {
        let message = format!("{} is not a mobile number", quoted(bad));
        let help = "write digits, such as 13800138000, or '@all'";
        return Err(diagnostics.error(&raw.mentioned_mobile_list.location, message, help));
    }
    Ok(Mentions { users, mobiles })
}

const ALL: &str = "@all";

/// WeCom mentions members in texts of groups only.
fn check_use(
    field: &Field<'_>,
    audience: Audience,
    message: Option<&Message>,
    diagnostics: &mut Diagnostics,
) -> Result<(), ErrorGuaranteed> {
    if audience == Audience::Members {
        let message = "only messages to groups mention members";
        let help = "name a robot with robot: NAME, or a group chat with chat_id; to_user names the recipients of an app";
        return Err(diagnostics.error(&field.location, message, help));
    }
    match message.map(|message| &message.message_type) {
        None | Some(MessageType::Text) => Ok(()),
        Some(MessageType::Markdown) => {
            let help = "remove the key, and write <@userid> into the message";
            Err(diagnostics.error(&field.location, "this key needs message_type text", help))
        }
        Some(_) => {
            let help = "remove the key, or change message_type";
            Err(diagnostics.error(&field.location, "this key needs message_type text", help))
        }
    }
}

/// The items of a list, or of a text with separators.
fn list(
    field: &Field<'_>,
    language: TemplateLanguage,
    diagnostics: &mut Diagnostics,
) -> Result<MentionList<Located<Template>>, ErrorGuaranteed> {
    let mut list = MentionList { fixed: Vec::new(), templates: Vec::new() };
    let texts = match field.text_or_items(diagnostics)? {
        Some(items) => items,
        None => return Ok(list),
    };
    for item in texts {
        let Some(text) = item.text(diagnostics)? else { continue };
        if is_template(text) {
            let value = Template { text: text.to_owned(), language };
            list.templates.push(Located { value, location: item.location.clone() });
            continue;
        }
        let ids = text.split(wecom::is_separator).filter(|id| !id.is_empty());
        list.fixed
            .extend(ids.map(|id| if id.eq_ignore_ascii_case(ALL) { ALL.to_owned() } else { id.to_owned() }));
    }
    if list.fixed.is_empty() && list.templates.is_empty() {
        let message = "this mentions nobody";
        return Err(diagnostics.error(&field.location, message, "list user ids, or remove the key"));
    }
    Ok(list)
}
