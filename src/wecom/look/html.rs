//! Escaped HTML. All texts are escaped, and only addresses of the web become links.
//!
//! The text of the elements is [`Appearance::text`], except for elements of the class `look-note`, which explain, and of the
//! class `look-char`, which stand for invisible characters.

use super::{
    tree::{
        Appearance, Bubble, ButtonStyle, CardButton, CardFace, CardRow, LinkTarget, Run, RunStyle, TextBlock,
        TextColour, Viewer,
    },
    words,
};
use crate::{language::Language, text::is_bidi_control};

/// The styles of [`html`], for a page with the styles of `pages`.
pub const STYLES: &str = include_str!("look.css");

/// The bubble with the label "approximate" under it.
pub fn figure(appearance: &Appearance, language: Language) -> String {
    let label = words::approximate(language);
    let bubble = html(appearance, language);
    format!("<figure class=\"look\">{bubble}<figcaption class=\"look-note\">{label}</figcaption></figure>")
}

/// The bubble. The caller labels it as [`words::approximate`].
pub fn html(appearance: &Appearance, language: Language) -> String {
    bubble(appearance, language, false)
}

/// The bubble for a form: a button that calls back submits it, with its key as `key`.
pub fn html_of_form(appearance: &Appearance, language: Language) -> String {
    bubble(appearance, language, true)
}

fn bubble(appearance: &Appearance, language: Language, is_form: bool) -> String {
    let mut writer = HtmlWriter { out: String::new(), language, is_form };
    let viewer = match appearance.viewer {
        Viewer::Wecom => "look-wecom",
        Viewer::Wechat => "look-wechat",
    };
    writer.raw("<div class=\"look-bubble ");
    writer.raw(viewer);
    match &appearance.bubble {
        Bubble::Text { blocks } => {
            writer.raw("\">");
            writer.blocks(blocks);
        }
        Bubble::Card(face) => {
            writer.raw(" look-card\">");
            writer.card(face);
        }
        Bubble::Unsupported => {
            writer.raw("\">");
            writer.element("p", "look-note", words::UNSUPPORTED);
        }
    }
    if appearance.hidden_bytes > 0 {
        writer.note(&words::hidden(appearance.hidden_bytes, language));
    }
    writer.raw("</div>");
    writer.out
}

struct HtmlWriter {
    out: String,
    language: Language,
    /// Buttons that call back are real ones.
    is_form: bool,
}

impl HtmlWriter {
    /// Markup of this file.
    fn raw(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    /// Text of a message, or the value of an attribute.
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\'' => self.raw("&#39;"),
                '\n' | '\t' => self.out.push(c),
                c if c.is_control() || is_bidi_control(c) => {
                    let mark = format!("<span class=\"look-char\">U+{:04X}</span>", u32::from(c));
                    self.raw(&mark);
                }
                c => self.out.push(c),
            }
        }
    }

    fn element(&mut self, name: &str, class: &str, text: &str) {
        self.raw(&format!("<{name} class=\"{class}\" dir=\"auto\">"));
        self.text(text);
        self.raw(&format!("</{name}>"));
    }

    fn note(&mut self, words: &str) {
        self.raw("<small class=\"look-note\"> ");
        self.text(words);
        self.raw("</small>");
    }

    fn blocks(&mut self, blocks: &[TextBlock]) {
        for (block, number) in blocks.iter().zip(0..) {
            if number > 0 {
                self.raw("\n");
            }
            self.block(block);
        }
    }

    fn block(&mut self, block: &TextBlock) {
        match block {
            TextBlock::Line { runs } => self.line("look-line", runs),
            TextBlock::Heading { level, runs } => {
                self.line(&format!("look-line look-heading look-heading-{level}"), runs);
            }
            TextBlock::Item { depth, marker, runs } => {
                self.raw(&format!("<p class=\"look-line look-depth-{depth}\" dir=\"auto\">"));
                self.text(marker);
                self.raw(" ");
                self.runs(runs);
                self.raw("</p>");
            }
            TextBlock::Quote { depth, lines } => {
                self.raw(&format!("<blockquote class=\"look-quote look-depth-{depth}\">"));
                for (runs, number) in lines.iter().zip(0..) {
                    if number > 0 {
                        self.raw("\n");
                    }
                    self.line("look-line", runs);
                }
                self.raw("</blockquote>");
            }
            TextBlock::Table { rows } => self.table(rows),
            TextBlock::Code { text } => {
                self.raw("<pre class=\"look-code\"><code>");
                self.text(text);
                self.raw("</code></pre>");
            }
            TextBlock::Rule => self.raw("<hr class=\"look-rule\">"),
        }
    }

    fn line(&mut self, class: &str, runs: &[Run]) {
        self.raw(&format!("<p class=\"{class}\" dir=\"auto\">"));
        self.runs(runs);
        self.raw("</p>");
    }

    fn table(&mut self, rows: &[Vec<Vec<Run>>]) {
        self.raw("<table class=\"look-table\">");
        for (row, number) in rows.iter().zip(0..) {
            let cell_name = if number == 0 { "th" } else { "td" };
            self.raw(if number == 0 { "<tr>" } else { "\n<tr>" });
            for (cell, column) in row.iter().zip(0..) {
                self.raw(if column == 0 { "<" } else { " <" });
                self.raw(&format!("{cell_name}>"));
                self.runs(cell);
                self.raw(&format!("</{cell_name}>"));
            }
            self.raw("</tr>");
        }
        self.raw("</table>");
    }

    fn runs(&mut self, runs: &[Run]) {
        for run in runs {
            self.run(run);
        }
    }

    fn run(&mut self, Run { text, style, link }: &Run) {
        match link {
            None => self.styled(text, *style),
            Some(LinkTarget::Web { url }) => {
                self.open_link("look-link", url);
                self.styled(text, *style);
                self.raw("</a>");
            }
            Some(LinkTarget::Refused { .. }) => {
                self.styled(text, *style);
                self.note(words::refused(self.language));
            }
            Some(LinkTarget::MiniProgram { .. }) => {
                self.styled(text, *style);
                self.note(words::mini_program(self.language));
            }
        }
    }

    /// `url` begins with `http://` or `https://`.
    fn open_link(&mut self, class: &str, url: &str) {
        self.raw(&format!("<a class=\"{class}\" target=\"_blank\" rel=\"noopener noreferrer\" href=\""));
        self.text(url);
        self.raw("\">");
    }

    fn styled(&mut self, text: &str, style: RunStyle) {
        let RunStyle { bold, italic, struck, code, mention, image, colour } = style;
        let mut closing = Vec::new();
        for (is_set, name) in [(bold, "strong"), (italic, "em"), (struck, "s"), (code, "code")] {
            if is_set {
                self.raw(&format!("<{name}>"));
                closing.push(name);
            }
        }
        let classes =
            [colour.map(colour_class), mention.then_some("look-mention"), image.then_some("look-image")];
        for class in classes.into_iter().flatten() {
            self.raw(&format!("<span class=\"{class}\">"));
            closing.push("span");
        }
        self.text(text);
        for name in closing.into_iter().rev() {
            self.raw(&format!("</{name}>"));
        }
    }

    fn card(&mut self, face: &CardFace) {
        let CardFace { source, title, description, emphasis_title, emphasis_description, .. } = face;
        let CardFace { quote_title, quote, sub_title, rows, images, jumps, buttons, button, link, .. } = face;
        // The first text of the card carries the link of the whole card.
        let mut link = link.as_ref();
        if !source.text.is_empty() {
            self.line("look-line look-source", std::slice::from_ref(source));
            self.raw("\n");
        }
        self.card_text("look-title", title, &mut link);
        if description.iter().any(|block| !is_empty(block)) {
            self.raw("<div class=\"look-description\">");
            self.blocks(description);
            self.raw("</div>\n");
        }
        self.card_text("look-emphasis", emphasis_title, &mut None);
        self.card_text("look-emphasis-description", emphasis_description, &mut None);
        self.card_text("look-quote-title", quote_title, &mut None);
        self.card_text("look-quote", quote, &mut None);
        self.card_text("look-sub-title", sub_title, &mut link);
        for CardRow { name, value } in rows {
            self.raw("<p class=\"look-line look-row\"><span class=\"look-name\">");
            self.text(name);
            self.raw("</span> <span class=\"look-value\" dir=\"auto\">");
            self.run(value);
            self.raw("</span></p>\n");
        }
        for host in images {
            self.note(&format!("▨ {host}"));
        }
        for jump in jumps {
            self.line("look-line look-jump", std::slice::from_ref(jump));
            self.raw("\n");
        }
        self.buttons(buttons);
        self.card_text("look-button", button, &mut link);
    }

    /// Outside of a form they are drawn only.
    fn buttons(&mut self, buttons: &[CardButton]) {
        if buttons.is_empty() {
            return;
        }
        self.raw("<p class=\"look-line look-presses\">");
        for (button, number) in buttons.iter().zip(0..) {
            if number > 0 {
                self.raw(" ");
            }
            self.button(button);
        }
        self.raw("</p>\n");
    }

    fn button(&mut self, button: &CardButton) {
        let class = button_class(button.style);
        // Such a character has no place in an attribute.
        let is_odd = button.key.chars().any(|c| c.is_control() || is_bidi_control(c));
        let is_real = self.is_form && !button.key.is_empty() && !is_odd;
        let element = if is_real { "button" } else { "span" };
        self.raw(&format!("<{element} class=\"look-press {class}\" dir=\"auto\""));
        if is_real {
            self.raw(" name=\"key\" value=\"");
            self.text(&button.key);
            self.raw("\"");
        }
        self.raw(">");
        self.run(&button.run());
        self.raw(&format!("</{element}>"));
    }

    /// A text of a card, which takes the link if there is one.
    fn card_text(&mut self, class: &str, text: &str, link: &mut Option<&LinkTarget>) {
        if text.is_empty() {
            return;
        }
        let run = Run { link: link.take().cloned(), ..Run::plain(text) };
        self.raw(&format!("<p class=\"look-line {class}\" dir=\"auto\">"));
        if let Some(LinkTarget::Web { url }) = &run.link {
            self.open_link("look-whole", url);
            self.text(text);
            self.raw("</a>");
        } else {
            self.run(&run);
        }
        self.raw("</p>\n");
    }
}

fn is_empty(block: &TextBlock) -> bool {
    matches!(block, TextBlock::Line { runs } if runs.iter().all(|run| run.text.is_empty()))
}

fn button_class(style: ButtonStyle) -> &'static str {
    match style {
        ButtonStyle::Emphasised => "look-emphasised",
        ButtonStyle::Secondary => "look-secondary",
        ButtonStyle::Neutral => "look-neutral",
        ButtonStyle::Negative => "look-negative",
        ButtonStyle::Grey => "look-replaced",
    }
}

fn colour_class(colour: TextColour) -> &'static str {
    match colour {
        TextColour::Info => "look-info",
        TextColour::Comment => "look-comment",
        TextColour::Warning => "look-warning",
        TextColour::Gray => "look-gray",
        TextColour::Highlight => "look-highlight",
        TextColour::Black => "look-black",
        TextColour::Red => "look-red",
        TextColour::Green => "look-green",
    }
}
