//! The typed tree of a message.

use serde::Serialize;

/// The program in which a member reads the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Viewer {
    #[default]
    Wecom,
    /// Personal WeChat, through the WeChat plugin.
    Wechat,
}

/// A message as a member sees it, approximately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Appearance {
    pub viewer: Viewer,
    pub bubble: Bubble,
    /// The bytes at the end of the text that WeCom does not show.
    pub hidden_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Bubble {
    Text {
        blocks: Vec<TextBlock>,
    },
    Card(Box<CardFace>),
    /// WeChat shows one sentence instead of the message.
    Unsupported,
}

/// A part of a text, from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TextBlock {
    /// May be empty.
    Line {
        runs: Vec<Run>,
    },
    /// `level` is 1 to 6.
    Heading {
        level: u8,
        runs: Vec<Run>,
    },
    /// Adjacent lines with the same depth, which is at least 1.
    Quote {
        depth: u8,
        lines: Vec<Vec<Run>>,
    },
    /// `depth` is 0 for the outermost list. `marker` is `•` or a number with a dot.
    Item {
        depth: u8,
        marker: String,
        runs: Vec<Run>,
    },
    /// The first row has the headings.
    Table {
        rows: Vec<Vec<Vec<Run>>>,
    },
    Code {
        text: String,
    },
    Rule,
}

/// Text in one style, without a line break.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Run {
    pub text: String,
    #[serde(flatten)]
    pub style: RunStyle,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkTarget>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RunStyle {
    #[serde(skip_serializing_if = "is_false")]
    pub bold: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub italic: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub struck: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub code: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub mention: bool,
    /// The text stands for an image, which is not loaded.
    #[serde(skip_serializing_if = "is_false")]
    pub image: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<TextColour>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The colours of markdown (`info`, `comment`, `warning`), of textcards (`gray`, `highlight`) and of the source of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TextColour {
    /// Green.
    Info,
    /// Grey.
    Comment,
    /// Orange-red.
    Warning,
    Gray,
    Highlight,
    Black,
    Red,
    Green,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LinkTarget {
    /// `url` begins with `http://` or `https://`.
    Web {
        url: String,
    },
    /// WeCom opens nothing else.
    Refused {
        url: String,
    },
    MiniProgram {
        appid: String,
    },
}

/// A `textcard` or a `template_card`. Texts that are not there are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CardFace {
    pub source: Run,
    pub title: String,
    pub description: Vec<TextBlock>,
    pub emphasis_title: String,
    pub emphasis_description: String,
    pub quote_title: String,
    pub quote: String,
    pub sub_title: String,
    pub rows: Vec<CardRow>,
    /// The hosts of images, which are not loaded.
    pub images: Vec<String>,
    pub jumps: Vec<Run>,
    /// The buttons of an interactive card.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<CardButton>,
    /// The words at the bottom of the card.
    pub button: String,
    /// A tap on the card opens it.
    pub link: Option<LinkTarget>,
}

/// A button of an interactive card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CardButton {
    pub text: String,
    pub style: ButtonStyle,
    /// Names the button in the callback. Empty for a link.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkTarget>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonStyle {
    #[default]
    Emphasised,
    Secondary,
    Neutral,
    Negative,
    /// It cannot be pressed any more.
    Grey,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CardRow {
    pub name: String,
    pub value: Run,
}

impl CardButton {
    pub(super) fn run(&self) -> Run {
        Run { link: self.link.clone(), ..Run::plain(&self.text) }
    }
}

impl Run {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}
