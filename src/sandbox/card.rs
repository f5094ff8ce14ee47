//! The checks of `template_card`. WeCom documents the checks, but not all errcodes: 42028 was seen, 42045 is documented,
//! and the others follow the order of the documented table.

use serde_json::Value;

use super::card_buttons;
use super::fields::{Fields, Shown};
use super::reply::ErrorReply;

/// Checks a new card. `callback` is true if the app has a callback URL.
pub(super) fn check(card: &Fields<'_>, callback: bool) -> Result<Shown, ErrorReply> {
    let calls_back = is_interactive(card)? || card.inner("action_menu").is_some();
    if calls_back && !callback {
        return Err(ErrorReply::new(43012));
    }
    task_id(card.text("task_id")?, calls_back)?;
    body(card)?;
    let task_id = calls_back.then(|| card.text("task_id")).transpose()?.map(str::to_owned);
    Ok(Shown { text: screen(card), content: Value::Object(card.object.clone()), task_id })
}

/// Checks the new form of a card that calls back. It keeps its task id.
pub(super) fn check_update(card: &Fields<'_>) -> Result<Shown, ErrorReply> {
    is_interactive(card)?;
    task_id(card.text("task_id")?, false)?;
    card.text("replace_text")?;
    body(card)?;
    Ok(Shown { text: screen(card), content: Value::Object(card.object.clone()), task_id: None })
}

fn is_interactive(card: &Fields<'_>) -> Result<bool, ErrorReply> {
    match card.text("card_type")? {
        "text_notice" | "news_notice" => Ok(false),
        "button_interaction" | "vote_interaction" | "multiple_interaction" => Ok(true),
        _ => Err(ErrorReply::new(42031)),
    }
}

/// The checks that do not depend on what the card is for.
fn body(card: &Fields<'_>) -> Result<(), ErrorReply> {
    let (card_type, interactive) = (card.text("card_type")?, is_interactive(card)?);
    let main_title = title(card)?;
    match card_type {
        "text_notice" if main_title.is_empty() => {
            card.required("sub_title_text", 42033)?;
        }
        "news_notice" if card.inner("image_text_area").is_none() => {
            let image = card.inner("card_image").ok_or(ErrorReply::new(42044))?;
            image.required("url", 42044)?;
        }
        _ => {}
    }
    if let Some(quote) = card.inner("quote_area") {
        target(&quote)?;
    }
    horizontal(card)?;
    jumps(card)?;
    if card_type == "button_interaction" {
        card_buttons::check(card)?;
    }
    match card.inner("card_action") {
        Some(action) if interactive || matches!(action.number("type", 0..=2)?, Some(1 | 2)) => {
            target(&action)?;
        }
        None if interactive => {}
        _ => return Err(ErrorReply::new(42045)),
    }
    Ok(())
}

fn task_id(id: &str, required: bool) -> Result<(), ErrorReply> {
    let fits = id.chars().all(|c| c.is_ascii_alphanumeric() || "_-@".contains(c)) && id.len() <= 128;
    if !fits || (required && id.is_empty()) {
        return Err(ErrorReply::new(42014));
    }
    Ok(())
}

fn title<'a>(card: &Fields<'a>) -> Result<&'a str, ErrorReply> {
    card.inner("main_title").map_or(Ok(""), |title| title.text("title"))
}

/// The target of a click: none (0), a URL (1) or a mini program (2).
fn target(fields: &Fields<'_>) -> Result<(), ErrorReply> {
    match fields.number("type", 0..=2)? {
        Some(1) => fields.required("url", 42028).map(|_| ()),
        Some(2) => fields.required("appid", 42030).map(|_| ()),
        _ => Ok(()),
    }
}

fn horizontal(card: &Fields<'_>) -> Result<(), ErrorReply> {
    let rows = card.list("horizontal_content_list");
    if rows.len() > 6 {
        return Err(ErrorReply::new(42035));
    }
    for row in rows {
        row.required("keyname", 42027)?;
        match row.number("type", 0..=3)? {
            Some(1) => row.required("url", 42028)?,
            Some(2) => row.required("media_id", 42029)?,
            Some(3) => row.required("userid", 42049)?,
            _ => row.text("value")?,
        };
    }
    Ok(())
}

fn jumps(card: &Fields<'_>) -> Result<(), ErrorReply> {
    let jumps = card.list("jump_list");
    if jumps.len() > 3 {
        return Err(ErrorReply::new(42035));
    }
    for jump in jumps {
        jump.required("title", 42033)?;
        target(&jump)?;
    }
    Ok(())
}

/// The card as lines of text, from top to bottom. WeCom's client may shorten them further.
pub(super) fn screen(card: &Fields<'_>) -> String {
    let inner = |object: &str, key: &str| card.inner(object).and_then(|inner| inner.text(key).ok());
    let fixed = [
        inner("source", "desc"),
        inner("main_title", "title"),
        inner("main_title", "desc"),
        inner("emphasis_content", "title"),
        inner("emphasis_content", "desc"),
        inner("quote_area", "title"),
        inner("quote_area", "quote_text"),
        card.text("sub_title_text").ok(),
    ];
    let mut lines: Vec<String> =
        fixed.into_iter().flatten().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let pairs = [("horizontal_content_list", "keyname", "value"), ("vertical_content_list", "title", "desc")];
    for (list, name, value) in pairs {
        for row in card.list(list) {
            lines.push(format!(
                "{}: {}",
                row.text(name).unwrap_or_default(),
                row.text(value).unwrap_or_default()
            ));
        }
    }
    lines.extend(card.list("jump_list").iter().filter_map(|jump| jump.text("title").ok()).map(str::to_owned));
    lines.extend(card_buttons::lines(card));
    lines.join("\n")
}
