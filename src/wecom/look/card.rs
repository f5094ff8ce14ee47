//! A `template_card`, from top to bottom.

use serde_json::Value;

use super::{
    link,
    tree::{CardFace, CardRow, LinkTarget, Run, RunStyle, TextBlock, TextColour},
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
    let jumps = items(card, "jump_list").iter().chain(items(card, "button_list"));
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
        jumps: jumps.map(jump).collect(),
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
    let title = match field(jump, "title") {
        "" => field(jump, "text"),
        title => title,
    };
    Run { link: tap(jump), ..Run::plain(title) }
}

/// The target of a tap: a URL (1) or a mini program (2).
fn tap(object: &Value) -> Option<LinkTarget> {
    match object.get("type").and_then(number) {
        Some(1) => Some(link::target(field(object, "url"))),
        Some(2) => Some(LinkTarget::MiniProgram { appid: field(object, "appid").to_owned() }),
        _ => None,
    }
}
