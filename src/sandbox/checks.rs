//! The checks of a message by its msgtype, and the text that members see.

use serde_json::{Map, Value, json};

use super::card;
use super::fields::{Fields, Shown};
use super::reply::ErrorReply;
use super::settings::{LongMarkdown, Settings};
use crate::text::{prefix, prefix_chars};

// These limits are not shared with the relay, because no test would find a mistake in a shared limit.
const MAX_CONTENT_BYTES: usize = 2_048;
const MAX_URL_BYTES: usize = 2_048;

const MSGTYPES: [&str; 11] = [
    "text",
    "image",
    "voice",
    "video",
    "file",
    "textcard",
    "news",
    "mpnews",
    "markdown",
    "miniprogram_notice",
    "template_card",
];

pub(super) fn msgtype(name: &str) -> Option<&'static str> {
    MSGTYPES.into_iter().find(|known| *known == name)
}

/// Checks the object under the key that the msgtype names. `callback` is true if the app has a callback URL.
pub(super) fn content(
    msgtype: &str,
    value: Option<&Value>,
    callback: bool,
    settings: &Settings,
) -> Result<Shown, ErrorReply> {
    let empty = Map::new();
    let object = value.and_then(Value::as_object).unwrap_or(&empty);
    let fields = Fields { object, strict: settings.strict };
    let as_sent = || Value::Object(object.clone());
    match msgtype {
        "text" => text(&fields),
        "markdown" => markdown(&fields, settings.long_markdown),
        "textcard" => textcard(&fields),
        "template_card" => card::check(&fields, callback),
        "news" | "mpnews" => {
            let articles = fields.list("articles");
            let titles = articles.iter().map(|article| article.required("title", 41016));
            let titles = titles.collect::<Result<Vec<_>, _>>()?;
            match titles.len() {
                0 => Err(ErrorReply::new(44004)),
                1..=8 => Ok(Shown { text: titles.join("\n"), content: as_sent(), task_id: None }),
                _ => Err(ErrorReply::new(45008)),
            }
        }
        "miniprogram_notice" => {
            fields.required("appid", 42030)?;
            let title = fields.required("title", 41016)?;
            Ok(Shown { text: title.to_owned(), content: as_sent(), task_id: None })
        }
        _ => {
            let media_id = fields.required("media_id", 41006)?;
            Ok(Shown { text: format!("[{msgtype} {media_id}]"), content: as_sent(), task_id: None })
        }
    }
}

fn text(fields: &Fields<'_>) -> Result<Shown, ErrorReply> {
    let content = visible(fields.required("content", 44004)?);
    Ok(Shown { text: content.to_owned(), content: json!({ "content": content }), task_id: None })
}

fn markdown(fields: &Fields<'_>, too_long: LongMarkdown) -> Result<Shown, ErrorReply> {
    let content = fields.required("content", 44004)?;
    if content.len() > MAX_CONTENT_BYTES && too_long == LongMarkdown::Refuse {
        let text =
            format!("markdown.content exceed max length {MAX_CONTENT_BYTES}. invalid Request Parameter");
        return Err(ErrorReply::parameter(text));
    }
    let content = visible(content);
    Ok(Shown { text: content.to_owned(), content: json!({ "content": content }), task_id: None })
}

fn textcard(fields: &Fields<'_>) -> Result<Shown, ErrorReply> {
    let title = prefix_chars(fields.required("title", 41016)?, 128);
    let description = prefix_chars(fields.required("description", 41033)?, 512);
    let url = fields.required("url", 41010)?;
    if url.len() > MAX_URL_BYTES {
        return Err(ErrorReply::new(40039));
    }
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(ErrorReply::new(45034));
    }
    let btntxt = match prefix_chars(fields.text("btntxt")?, 4) {
        "" => "详情",
        btntxt => btntxt,
    };
    Ok(Shown {
        text: format!("{title}\n{description}\n{btntxt}"),
        content: json!({ "title": title, "description": description, "url": url, "btntxt": btntxt }),
        task_id: None,
    })
}

/// The part of `text` that members see. It ends between characters, because half of one could not be shown.
fn visible(text: &str) -> &str {
    prefix(text, MAX_CONTENT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_before_the_character_that_does_not_fit() {
        assert_eq!(visible(&"a".repeat(2_048)).len(), 2_048);
        assert_eq!(visible(&"告".repeat(700)).len(), 2_046);
    }
}
