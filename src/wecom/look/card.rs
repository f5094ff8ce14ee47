//! A `template_card`, from top to bottom.

use serde_json::Value;

use super::{
    link,
    tree::{ButtonStyle, CardButton, CardFace, CardRow, LinkTarget, Run, RunStyle, TextBlock, TextColour},
};

pub(super) fn face(card: &Value) -> CardFace {
    let inner = |object: &str, key: &str| card.get(object).map_or("", |object| field(object, key)).to_owned();
    let source_colour = card.pointer("/source/desc_color").and_then(number);
    let images = ["/source/icon_url", "/card_image/url", "/image_text_area/image_url"];
    let images = images.into_iter().filter_map(|path| card.pointer(path)?.as_str()).map(link::host);
    let mut rows: Vec<CardRow> = items(card, "horizontal_content_list").iter().map(horizontal_row).collect();
    rows.extend(
        items(card, "vertical_content_list").iter().map(|row| CardRow {
            name: field(row, "title").to_owned(),
            value: Run::plain(field(row, "desc")),
        }),
    );
    CardFace {
        source: Run {
            style: RunStyle { colour: source_colour.and_then(source_colour_of), ..RunStyle::default() },
            ..Run::plain(inner("source", "desc"))
        },
        title: inner("main_title", "title"),
        description: description(inner("main_title", "desc")),
        emphasis_title: inner("emphasis_content", "title"),
        emphasis_description: inner("emphasis_content", "desc"),
        quote_title: inner("quote_area", "title"),
        quote: inner("quote_area", "quote_text"),
        sub_title: field(card, "sub_title_text").to_owned(),
        rows,
        images: images.filter(|host| !host.is_empty()).map(str::to_owned).collect(),
        jumps: items(card, "jump_list").iter().map(jump).collect(),
        buttons: buttons(card),
        button: String::new(),
        link: card.get("card_action").and_then(tap),
    }
}

fn description(text: String) -> Vec<TextBlock> {
    if text.is_empty() { Vec::new() } else { vec![TextBlock::Line { runs: vec![Run::plain(text)] }] }
}

/// A text of an object; empty if it is not there.
pub(super) fn field<'v>(object: &'v Value, key: &str) -> &'v str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn items<'v>(card: &'v Value, key: &str) -> &'v [Value] {
    card.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// WeCom accepts numbers in texts.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn source_colour_of(number: i64) -> Option<TextColour> {
    match number {
        1 => Some(TextColour::Black),
        2 => Some(TextColour::Red),
        3 => Some(TextColour::Green),
        _ => Some(TextColour::Gray),
    }
}

fn horizontal_row(row: &Value) -> CardRow {
    let link = match row.get("type").and_then(number) {
        Some(1) => Some(link::target(field(row, "url"))),
        _ => None,
    };
    CardRow { name: field(row, "keyname").to_owned(), value: Run { link, ..Run::plain(field(row, "value")) } }
}

fn jump(jump: &Value) -> Run {
    Run { link: tap(jump), ..Run::plain(field(jump, "title")) }
}

/// A replaced text takes the place of all buttons.
fn buttons(card: &Value) -> Vec<CardButton> {
    let replaced = field(card, "replace_text");
    if !replaced.is_empty() {
        let style = ButtonStyle::Grey;
        return vec![CardButton { text: replaced.to_owned(), style, ..CardButton::default() }];
    }
    items(card, "button_list").iter().map(button).collect()
}

fn button(button: &Value) -> CardButton {
    CardButton {
        text: field(button, "text").to_owned(),
        style: match button.get("style").and_then(number) {
            Some(2) => ButtonStyle::Secondary,
            Some(3) => ButtonStyle::Neutral,
            Some(4) => ButtonStyle::Negative,
            _ => ButtonStyle::Emphasised,
        },
        key: field(button, "key").to_owned(),
        link: tap(button),
    }
}

/// The target of a tap: a URL (1) or a mini program (2).
fn tap(object: &Value) -> Option<LinkTarget> {
    match object.get("type").and_then(number) {
        Some(1) => Some(link::target(field(object, "url"))),
        Some(2) => Some(LinkTarget::MiniProgram { appid: field(object, "appid").to_owned() }),
        _ => None,
    }
}
