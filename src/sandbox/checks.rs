//! The checks of a message by its msgtype, and the text that members see.

use serde_json::{Map, Value, json};

use super::card;
use super::directory::App;
use super::fields::{Fields, Shown};
use super::reply::ErrorReply;
use super::settings::{LongMarkdown, Settings};

/// The limit for text and markdown, in UTF-8.
const MAX_CONTENT_BYTES: usize = 2_048;

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

/// Checks the object whose key is the msgtype.
pub(super) fn content(
    msgtype: &str,
    value: Option<&Value>,
    app: &App,
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
        "template_card" => card::check(&fields, app),
        "news" | "mpnews" => {
            let articles = fields.list("articles");
            let titles = articles.iter().map(|article| article.required("title", 41016));
            let titles = titles.collect::<Result<Vec<_>, _>>()?;
            match titles.len() {
                0 => Err(ErrorReply::new(44004)),
                1..=8 => Ok(Shown { text: titles.join("\n"), content: as_sent(), calls_back: false }),
                _ => Err(ErrorReply::new(45008)),
            }
        }
        "miniprogram_notice" => {
            fields.required("appid", 42030)?;
            let title = fields.required("title", 41016)?;
            Ok(Shown { text: title.to_owned(), content: as_sent(), calls_back: false })
        }
        _ => {
            let media_id = fields.required("media_id", 41006)?;
            Ok(Shown { text: format!("[{msgtype} {media_id}]"), content: as_sent(), calls_back: false })
        }
    }
}

fn text(fields: &Fields<'_>) -> Result<Shown, ErrorReply> {
    let content = cut_bytes(fields.required("content", 44004)?);
    Ok(Shown { text: content.to_owned(), content: json!({ "content": content }), calls_back: false })
}

fn markdown(fields: &Fields<'_>, too_long: LongMarkdown) -> Result<Shown, ErrorReply> {
    let content = fields.required("content", 44004)?;
    if content.len() > MAX_CONTENT_BYTES && too_long == LongMarkdown::Refuse {
        let text =
            format!("markdown.content exceed max length {MAX_CONTENT_BYTES}. invalid Request Parameter");
        return Err(ErrorReply::parameter(text));
    }
    let content = cut_bytes(content);
    Ok(Shown { text: content.to_owned(), content: json!({ "content": content }), calls_back: false })
}

fn textcard(fields: &Fields<'_>) -> Result<Shown, ErrorReply> {
    let title = cut_chars(fields.required("title", 41016)?, 128);
    let description = cut_chars(fields.required("description", 41033)?, 512);
    let url = fields.required("url", 41010)?;
    if url.len() > 2_048 {
        return Err(ErrorReply::new(40039));
    }
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(ErrorReply::new(45034));
    }
    let btntxt = match cut_chars(fields.text("btntxt")?, 4) {
        "" => "详情",
        btntxt => btntxt,
    };
    Ok(Shown {
        text: format!("{title}\n{description}\n{btntxt}"),
        content: json!({ "title": title, "description": description, "url": url, "btntxt": btntxt }),
        calls_back: false,
    })
}

// We do not know if WeCom cuts within a character. Half a character could not be shown anyway.
fn cut_bytes(text: &str) -> &str {
    let end = (0..=MAX_CONTENT_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or(text)
}

fn cut_chars(text: &str, max: usize) -> &str {
    let end = text.char_indices().nth(max).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_before_the_character_that_does_not_fit() {
        assert_eq!(cut_bytes(&"a".repeat(2_048)).len(), 2_048);
        assert_eq!(cut_bytes(&"告".repeat(700)).len(), 2_046);
        assert_eq!(cut_chars("告警信息", 2), "告警");
    }
}
