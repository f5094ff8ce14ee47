//! The checks of a message's body, per msgtype, and what is shown of it.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::directory::App;
use super::reply::Refusal;
use super::{LongMarkdown, Settings, card};
use crate::{
    text::{prefix, prefix_chars},
    wecom::limits::{MAX_CONTENT_BYTES, MAX_URL_BYTES},
};

/// What members see of a message.
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) content: Value,
    /// A card that can call back gets a `response_code`.
    pub(super) calls_back: bool,
}

/// An object of the request, read as WeCom reads it.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) object: &'a Map<String, Value>,
    pub(super) strict: bool,
}

impl<'a> Fields<'a> {
    /// A string; missing and `null` are empty.
    pub(super) fn text(&self, key: &str) -> Result<&'a str, Refusal> {
        match self.object.get(key) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(wrong_type(key, "string")),
        }
    }

    /// An integer, or unless `strict` its digits in a string; an empty string is none.
    pub(super) fn number(&self, key: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Refusal> {
        let number = match self.object.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) if !self.strict && text.trim().is_empty() => return Ok(None),
            Some(Value::String(text)) if !self.strict => text.trim().parse().ok(),
            Some(_) => None,
        };
        let number = number.ok_or_else(|| wrong_type(key, "int"))?;
        if !range.contains(&number) {
            return Err(Refusal::parameter(format!("invalid param '{key}'")));
        }
        Ok(Some(number))
    }

    /// A nested object, if there is one.
    pub(super) fn inner(&self, key: &str) -> Option<Fields<'a>> {
        self.object.get(key).and_then(Value::as_object).map(|object| Fields { object, ..*self })
    }

    /// A list of objects; what is no object is an empty one.
    pub(super) fn list(&self, key: &str) -> Vec<Fields<'a>> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let items = self.object.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().map(|item| Fields { object: item.as_object().unwrap_or(&EMPTY), ..*self }).collect()
    }

    /// A string that may not be empty.
    pub(super) fn required(&self, key: &str, errcode: i64) -> Result<&'a str, Refusal> {
        match self.text(key)? {
            "" => Err(Refusal::new(errcode)),
            text => Ok(text),
        }
    }
}

fn wrong_type(key: &str, right: &str) -> Refusal {
    Refusal::parameter(format!("invalid param '{key}', it should be of type {right}"))
}

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

/// Checks the object under the name of the msgtype.
pub(super) fn content(
    msgtype: &str,
    value: Option<&Value>,
    app: &App,
    settings: &Settings,
) -> Result<Shown, Refusal> {
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
                0 => Err(Refusal::new(44004)),
                1..=8 => Ok(Shown { text: titles.join("\n"), content: as_sent(), calls_back: false }),
                _ => Err(Refusal::new(45008)),
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

fn text(fields: &Fields<'_>) -> Result<Shown, Refusal> {
    let content = visible(fields.required("content", 44004)?);
    Ok(Shown { text: content.to_owned(), content: json!({ "content": content }), calls_back: false })
}

fn markdown(fields: &Fields<'_>, too_long: LongMarkdown) -> Result<Shown, Refusal> {
    let content = fields.required("content", 44004)?;
    if content.len() > MAX_CONTENT_BYTES && too_long == LongMarkdown::Refuse {
        let text =
            format!("markdown.content exceed max length {MAX_CONTENT_BYTES}. invalid Request Parameter");
        return Err(Refusal::parameter(text));
    }
    let content = visible(content);
    Ok(Shown { text: content.to_owned(), content: json!({ "content": content }), calls_back: false })
}

fn textcard(fields: &Fields<'_>) -> Result<Shown, Refusal> {
    let title = prefix_chars(fields.required("title", 41016)?, 128);
    let description = prefix_chars(fields.required("description", 41033)?, 512);
    let url = fields.required("url", 41010)?;
    if url.len() > MAX_URL_BYTES {
        return Err(Refusal::new(40039));
    }
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(Refusal::new(45034));
    }
    let btntxt = match prefix_chars(fields.text("btntxt")?, 4) {
        "" => "详情",
        btntxt => btntxt,
    };
    Ok(Shown {
        text: format!("{title}\n{description}\n{btntxt}"),
        content: json!({ "title": title, "description": description, "url": url, "btntxt": btntxt }),
        calls_back: false,
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
