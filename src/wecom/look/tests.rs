use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    language::Language,
    text::{slice_from, width},
    wecom::{
        CardUpdate, Content, GroupText, Otherwise, Recipients,
        limits::{CardLimits, TextCard, template_card, text_card, with_note},
    },
};

fn seen(content: &Content, viewer: Viewer) -> Appearance {
    Appearance::of(content, &Recipients::All, viewer)
}

fn wecom(content: &Content) -> Appearance {
    seen(content, Viewer::Wecom)
}

fn markdown(text: &str) -> Appearance {
    wecom(&Content::Markdown(text.to_owned()))
}

fn v2(text: &str) -> Appearance {
    Appearance::of(&Content::MarkdownV2(text.to_owned()), &Recipients::Group, Viewer::Wecom)
}

fn html_of(appearance: &Appearance) -> String {
    html(appearance, Language::En)
}

fn drawn(appearance: &Appearance) -> String {
    rows(appearance, 40, Language::En).join("\n")
}

/// The text of the elements of `markup`, without notes.
fn text_of(markup: &str) -> String {
    let mut rest = markup.to_owned();
    while let Some(start) = rest.find("<small class=\"look-note\">") {
        let end = start + slice_from(&rest, start).find("</small>").unwrap() + "</small>".len();
        rest.replace_range(start..end, "");
    }
    let mut text = String::new();
    for piece in rest.split('<') {
        text.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
    }
    for (entity, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
        text = text.replace(entity, c);
    }
    text
}

/// The addresses of the links of `markup`.
fn hrefs(markup: &str) -> Vec<&str> {
    markup.split(" href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

fn card() -> Content {
    let card = json!({
        "source": { "desc": "运维", "desc_color": 2, "icon_url": "https://img.example/i.png" },
        "main_title": { "title": "磁盘满", "desc": "db-1" },
        "emphasis_content": { "title": "93 %", "desc": "已用" },
        "quote_area": { "type": 1, "url": "https://q.example", "title": "引用", "quote_text": "on call" },
        "sub_title_text": "第一行\n第二行",
        "horizontal_content_list": [
            { "keyname": "实例", "value": "db-1:9100" },
            { "keyname": "链接", "value": "图表", "type": 1, "url": "https://g.example" },
        ],
        "jump_list": [{ "type": 1, "url": "https://j.example", "title": "静默" }],
        "card_action": { "type": 1, "url": "https://a.example/?x=1&y=2" },
    });
    template_card(card.as_object().unwrap().clone(), &CardLimits::APP).unwrap()
}

fn textcard(description: &str) -> Content {
    text_card(TextCard {
        title: "磁盘满".to_owned(),
        description: description.to_owned(),
        url: "https://a.example".to_owned(),
        btntxt: String::new(),
    })
    .unwrap()
}

#[test]
fn a_text_has_links_and_shows_other_tags() {
    let text = Content::Text(
        "<b>a</b> & <a href=\"https://a.example/?x=1&y\">图表</a>\nhttp://b.example/p.".to_owned(),
    );
    let seen = wecom(&text);
    assert_eq!(seen.text(), "<b>a</b> & 图表\nhttp://b.example/p.");
    insta::assert_snapshot!(html_of(&seen), @r#"
    <div class="look-bubble look-wecom"><p class="look-line" dir="auto">&lt;b&gt;a&lt;/b&gt; &amp; <a class="look-link" target="_blank" rel="noopener noreferrer" href="https://a.example/?x=1&amp;y">图表</a></p>
    <p class="look-line" dir="auto"><a class="look-link" target="_blank" rel="noopener noreferrer" href="http://b.example/p">http://b.example/p</a>.</p></div>
    "#);
}

#[test]
fn only_addresses_of_the_web_become_links() {
    for url in [
        "javascript:alert(1)",
        "data:text/html,x",
        " JAVASCRIPT:x",
        "//evil.example",
        "http:",
        "https://",
        "ht\ttp://x",
    ] {
        for content in [
            Content::Text(format!("<a href=\"{url}\">words</a>")),
            Content::Markdown(format!("[words]({url})")),
            Content::MarkdownV2(format!("[words]({url}) ![image]({url})")),
        ] {
            let markup = html_of(&wecom(&content));
            assert_eq!(hrefs(&markup), [""; 0], "{content:?}");
            assert!(markup.contains("words") || content.text().contains(' '), "{markup}");
        }
    }
    assert_eq!(hrefs(&html_of(&markdown("[a](HTTPS://a.example/x)"))), ["HTTPS://a.example/x"]);
    assert!(drawn(&markdown("[a](ftp://x)")).contains("a (⚠ WeCom does not open this link)"));
}

#[test]
fn markdown_of_apps_has_six_kinds_of_markup() {
    let seen = markdown(
        "# **<font color=\"warning\">【告警】</font>**\n> a `x*y` [b](http://b.example)\n>c\n\n- no list\n*no italics* ~~x~~\n<font color=\"info\">two\nlines</font>",
    );
    assert_eq!(seen.text(), "【告警】\na x*y b\nc\n\n- no list\n*no italics* ~~x~~\ntwo\nlines");
    insta::assert_snapshot!(html_of(&seen), @r#"
    <div class="look-bubble look-wecom"><p class="look-line look-heading look-heading-1" dir="auto"><strong><span class="look-warning">【告警】</span></strong></p>
    <blockquote class="look-quote look-depth-1"><p class="look-line" dir="auto">a <code>x*y</code> <a class="look-link" target="_blank" rel="noopener noreferrer" href="http://b.example">b</a></p>
    <p class="look-line" dir="auto">c</p></blockquote>
    <p class="look-line" dir="auto"></p>
    <p class="look-line" dir="auto">- no list</p>
    <p class="look-line" dir="auto">*no italics* ~~x~~</p>
    <p class="look-line" dir="auto"><span class="look-info">two</span></p>
    <p class="look-line" dir="auto"><span class="look-info">lines</span></p></div>
    "#);
    insta::assert_snapshot!(drawn(&seen), @"
    【告警】
    │ a x*y b
    │ c

    - no list
    *no italics* ~~x~~
    two
    lines
    ");
}

#[test]
fn a_mark_without_a_partner_is_text() {
    for text in [
        "a ** b",
        "**a",
        "**a\n\nb**",
        "<font color=\"info\">x",
        "x</font>",
        "`a",
        "[a](b",
        "[a]",
        "#a",
        "####### a",
    ] {
        assert_eq!(markdown(text).text(), text);
    }
    assert_eq!(markdown("**a <font color=\"info\">b** c").text(), "a <font color=\"info\">b c");
}

#[test]
fn markdown_of_robots_has_lists_and_tables() {
    let seen = v2(
        "- a\n  - b *i*\n1. c\n\n| 名 | 值 |\n|---|:-:|\n| x | **1** |\n```sh\nls <x>\n\n```\n---\n>> deep\n![图](https://img.example/a.png) db_01_x _i_",
    );
    insta::assert_snapshot!(drawn(&seen), @"
    • a
      • b i
    1. c

    名 │ 值
    x │ 1
      ls <x>
      
    ────────────────────────────────────────
    │ │ deep
    [图] db_01_x i
    ");
    insta::assert_snapshot!(html_of(&seen), @r#"
    <div class="look-bubble look-wecom"><p class="look-line look-depth-0" dir="auto">• a</p>
    <p class="look-line look-depth-1" dir="auto">• b <em>i</em></p>
    <p class="look-line look-depth-0" dir="auto">1. c</p>
    <p class="look-line" dir="auto"></p>
    <table class="look-table"><tr><th>名</th> <th>值</th></tr>
    <tr><td>x</td> <td><strong>1</strong></td></tr></table>
    <pre class="look-code"><code>ls &lt;x&gt;
    </code></pre>
    <hr class="look-rule">
    <blockquote class="look-quote look-depth-2"><p class="look-line" dir="auto">deep</p></blockquote>
    <p class="look-line" dir="auto"><span class="look-image">图</span> db_01_x <em>i</em></p></div>
    "#);
}

#[test]
fn members_are_mentioned_only_in_groups() {
    let text = Content::Text("<@zhangsan> <@all> 看一下".to_owned());
    assert_eq!(wecom(&text).text(), "<@zhangsan> <@all> 看一下");
    let in_group = Appearance::of(&text, &Recipients::Group, Viewer::Wecom);
    assert_eq!(in_group.text(), "@zhangsan (@all) 看一下");
    let mentioned = GroupText {
        content: "磁盘满".to_owned(),
        mentioned_list: vec!["@all".to_owned(), "lisi".to_owned()],
        mentioned_mobile_list: vec!["13800000000".to_owned()],
    };
    let in_group = Appearance::of(&Content::from(mentioned), &Recipients::Group, Viewer::Wecom);
    assert_eq!(in_group.text(), "磁盘满\n@all @lisi @13800000000");
    let robot = Appearance::of(&Content::Markdown("<@lisi>".to_owned()), &Recipients::Group, Viewer::Wecom);
    assert!(html_of(&robot).contains("<span class=\"look-mention\">@lisi</span>"));
}

#[test]
fn a_textcard_has_coloured_lines_and_a_button() {
    let seen = wecom(&textcard(
        "<div class=\"gray\">2026-11-21</div><div class=\"highlight\">满了</div>a<br>b <i>c</i>",
    ));
    assert_eq!(seen.text(), "磁盘满\n2026-11-21\n满了\na\nb <i>c</i>\n详情");
    insta::assert_snapshot!(html_of(&seen), @r#"
    <div class="look-bubble look-wecom look-card"><p class="look-line look-title" dir="auto"><a class="look-whole" target="_blank" rel="noopener noreferrer" href="https://a.example">磁盘满</a></p>
    <div class="look-description"><p class="look-line" dir="auto"><span class="look-gray">2026-11-21</span></p>
    <p class="look-line" dir="auto"><span class="look-highlight">满了</span></p>
    <p class="look-line" dir="auto">a</p>
    <p class="look-line" dir="auto">b &lt;i&gt;c&lt;/i&gt;</p></div>
    <p class="look-line look-button" dir="auto">详情</p>
    </div>
    "#);
    insta::assert_snapshot!(drawn(&seen), @"
    磁盘满
    2026-11-21
    满了
    a
    b <i>c</i>
    ────────────────────────────────────────
    详情 ›
    ");
}

#[test]
fn a_template_card_shows_its_parts_in_order() {
    let seen = wecom(&card());
    assert_eq!(
        seen.text(),
        "运维\n磁盘满\ndb-1\n93 %\n已用\n引用\non call\n第一行\n第二行\n实例 db-1:9100\n链接 图表\n静默"
    );
    insta::assert_snapshot!(html_of(&seen), @r#"
    <div class="look-bubble look-wecom look-card"><p class="look-line look-source" dir="auto"><span class="look-red">运维</span></p>
    <p class="look-line look-title" dir="auto"><a class="look-whole" target="_blank" rel="noopener noreferrer" href="https://a.example/?x=1&amp;y=2">磁盘满</a></p>
    <div class="look-description"><p class="look-line" dir="auto">db-1</p></div>
    <p class="look-line look-emphasis" dir="auto">93 %</p>
    <p class="look-line look-emphasis-description" dir="auto">已用</p>
    <p class="look-line look-quote-title" dir="auto">引用</p>
    <p class="look-line look-quote" dir="auto">on call</p>
    <p class="look-line look-sub-title" dir="auto">第一行
    第二行</p>
    <p class="look-line look-row"><span class="look-name">实例</span> <span class="look-value" dir="auto">db-1:9100</span></p>
    <p class="look-line look-row"><span class="look-name">链接</span> <span class="look-value" dir="auto"><a class="look-link" target="_blank" rel="noopener noreferrer" href="https://g.example">图表</a></span></p>
    <small class="look-note"> ▨ img.example</small><p class="look-line look-jump" dir="auto"><a class="look-link" target="_blank" rel="noopener noreferrer" href="https://j.example">静默</a></p>
    </div>
    "#);
    insta::assert_snapshot!(drawn(&seen), @"
    运维
    磁盘满
    db-1
                      93 %
                      已用
    │ 引用
    │ on call
    第一行
    第二行
    实例  db-1:9100
    链接  图表
    ▨ img.example
    ────────────────────────────────────────
    静默 ›
    ");
}

#[test]
fn an_interactive_card_shows_its_buttons() {
    let seen = wecom(&interactive("", None));
    assert_eq!(seen.text(), "磁盘满\n静默 确认 打开");
    insta::assert_snapshot!(html_of(&seen), @r#"
    <div class="look-bubble look-wecom look-card"><p class="look-line look-title" dir="auto">磁盘满</p>
    <p class="look-line look-presses"><span class="look-press look-emphasised" dir="auto">静默</span> <span class="look-press look-negative" dir="auto">确认</span> <span class="look-press look-emphasised" dir="auto"><a class="look-link" target="_blank" rel="noopener noreferrer" href="https://a.example">打开</a></span></p>
    </div>
    "#);
    insta::assert_snapshot!(drawn(&seen), @"
    磁盘满
    ────────────────────────────────────────
    [ 静默 ]
    [ 确认 ]
    [ 打开 ]
    ");
    let Bubble::Card(face) = seen.bubble else { unreachable!("no card") };
    insta::assert_snapshot!(serde_json::to_string(&face.buttons).unwrap(), @r#"[{"text":"静默","style":"emphasised","key":"silence:3600"},{"text":"确认","style":"negative","key":"ack"},{"text":"打开","style":"emphasised","link":{"type":"web","url":"https://a.example"}}]"#);
}

#[test]
fn replaced_buttons_are_grey() {
    let seen = wecom(&interactive("张三", Some("已静默")));
    assert_eq!(seen.text(), "磁盘满\n状态 张三\n已静默");
    insta::assert_snapshot!(html_of(&seen), @r#"
    <div class="look-bubble look-wecom look-card"><p class="look-line look-title" dir="auto">磁盘满</p>
    <p class="look-line look-row"><span class="look-name">状态</span> <span class="look-value" dir="auto">张三</span></p>
    <p class="look-line look-presses"><span class="look-press look-replaced" dir="auto">已静默</span></p>
    </div>
    "#);
    insta::assert_snapshot!(drawn(&seen), @"
    磁盘满
    状态  张三
    ────────────────────────────────────────
    ( 已静默 )
    ");
}

#[test]
fn the_wechat_plugin_shows_texts_and_two_lines_of_textcards() {
    let sentence = "暂不支持此消息类型，请在企业微信中查看";
    for content in [Content::Markdown("# a".to_owned()), Content::MarkdownV2("a".to_owned()), card()] {
        let seen = seen(&content, Viewer::Wechat);
        assert_eq!(seen.bubble, Bubble::Unsupported);
        assert_eq!(text_of(&html_of(&seen)), sentence);
        assert_eq!(drawn(&seen), sentence);
    }
    assert_eq!(seen(&Content::Text("a\nb".to_owned()), Viewer::Wechat).text(), "a\nb");
    let long = seen(&textcard(&format!("<div class=\"gray\">a</div>{}", "警".repeat(100))), Viewer::Wechat);
    let Bubble::Card(face) = long.bubble else { panic!("{long:?}") };
    let [TextBlock::Line { runs }] = face.description.as_slice() else { panic!("{face:?}") };
    assert!(runs[0].text.starts_with("a 警") && runs[0].text.ends_with('…'), "{runs:?}");
}

#[test]
fn a_text_over_the_limit_is_cut_and_says_so() {
    let seen = wecom(&Content::Text("告".repeat(700)));
    assert_eq!((seen.text().len(), seen.hidden_bytes), (2046, 54));
    assert!(html_of(&seen).contains("WeCom cuts off 54 more bytes"));
    assert!(drawn(&seen).contains("WeCom cuts off 54 more bytes"));
    let robot = Content::Markdown("a".repeat(4000));
    assert_eq!(Appearance::of(&robot, &Recipients::Group, Viewer::Wecom).hidden_bytes, 0);
}

#[test]
fn invisible_characters_are_shown_by_their_numbers() {
    let seen = wecom(&Content::Text("a\u{202E}b\u{1b}[2J".to_owned()));
    assert!(
        html_of(&seen)
            .contains("a<span class=\"look-char\">U+202E</span>b<span class=\"look-char\">U+001B</span>[2J")
    );
    assert_eq!(drawn(&seen), r"a\u202eb\u001b[2J");
}

#[test]
fn a_figure_is_labelled_as_an_approximation() {
    let seen = wecom(&Content::Text("a".to_owned()));
    assert!(figure(&seen, Language::En).contains("<figcaption class=\"look-note\">approximate</figcaption>"));
    assert!(figure(&seen, Language::Zh).contains(">近似</figcaption>"));
}

#[test]
fn an_appearance_is_json() {
    let seen = markdown("# **a**\n[b](http://b.example)");
    insta::assert_snapshot!(serde_json::to_string(&seen).unwrap(), @r#"{"viewer":"wecom","bubble":{"type":"text","blocks":[{"type":"heading","level":1,"runs":[{"text":"a","bold":true}]},{"type":"line","runs":[{"text":"b","link":{"type":"web","url":"http://b.example"}}]}]},"hidden_bytes":0}"#);
}

#[test]
fn a_message_looks_the_same_to_the_sandbox() {
    for content in
        [Content::Text("<a href=\"http://a.example\">b</a>".to_owned()), card(), textcard("x<br>y")]
    {
        let object = match &content {
            Content::Text(text) => json!({ "content": text }),
            _ => serde_json::from_str(content.text()).unwrap(),
        };
        let received =
            Appearance::of_object(content.wecom_msgtype(), &object, Audience::Members, Viewer::Wecom);
        assert_eq!(received.unwrap(), wecom(&content));
    }
    assert_eq!(Appearance::of_object("voice", &json!({}), Audience::Members, Viewer::Wecom), None);
}

/// Text of all kinds, with the pieces of markup in any order.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,6}",
        "[a-z0-9 ]{0,6}",
        proptest::sample::select(vec![
            "**",
            "*",
            "_",
            "~~",
            "`",
            "```",
            "\n",
            "\n\n",
            "# ",
            "> ",
            ">> ",
            "- ",
            "1. ",
            "| a | b |\n",
            "|---|\n",
            "---",
            "[",
            "](",
            ")",
            "![",
            "<",
            ">",
            "\"",
            "'",
            "&",
            "&lt;",
            "<font color=\"info\">",
            "</font>",
            "<@lisi>",
            "<a href=\"",
            "<a href='",
            "\">",
            "</a>",
            "<br>",
            "<div class=\"gray\">",
            "</div>",
            "<script>",
            "<img onerror=x>",
            "http://a.example/",
            "https://",
            "javascript:",
            "data:",
            "\u{202E}",
            "\u{1b}",
            "\t",
            "告警",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn contents(text: &str) -> Vec<Content> {
    let mut contents = vec![
        Content::Text(text.to_owned()),
        Content::Markdown(text.to_owned()),
        Content::MarkdownV2(text.to_owned()),
    ];
    let card = json!({
        "main_title": { "title": format!("t{text}"), "desc": text }, "sub_title_text": text,
        "horizontal_content_list": [{ "keyname": format!("k{text}"), "value": text }],
        "card_action": { "type": 1, "url": "https://a.example" },
    });
    contents.push(template_card(card.as_object().unwrap().clone(), &CardLimits::APP).unwrap());
    contents.push(textcard(&format!("d{text}")));
    contents.push(interactive(text, None));
    contents.push(interactive(text, Some(text)));
    contents
}

fn interactive(text: &str, replaced: Option<&str>) -> Content {
    let card = json!({
        "main_title": { "title": "磁盘满" },
        "task_id": "t1",
        "button_list": [
            { "text": format!("静默{text}"), "style": 1, "key": "silence:3600" },
            { "text": "确认", "style": 4, "key": "ack" },
            { "text": "打开", "type": 1, "url": "https://a.example" },
        ],
    });
    let card = template_card(card.as_object().unwrap().clone(), &CardLimits::INTERACTIVE).unwrap();
    let Content::TemplateCard(card) = card else { unreachable!("{card:?}") };
    let noted = with_note(&card, text, replaced, Language::Zh);
    Content::card_update(&CardUpdate {
        template_card: noted,
        response_code: None,
        otherwise: Otherwise::Card,
    })
}

/// The attributes that `html` writes.
const ATTRIBUTES: [&str; 5] = ["class=", "dir=", "target=", "rel=", "href="];

/// The tags that `html` writes.
const TAGS: [&str; 16] = [
    "div",
    "p",
    "span",
    "small",
    "strong",
    "em",
    "s",
    "code",
    "pre",
    "a",
    "blockquote",
    "table",
    "tr",
    "th",
    "td",
    "hr",
];

proptest! {
    #[test]
    fn no_text_of_a_message_becomes_markup(text in hostile()) {
        for content in contents(&text) {
            for recipients in [Recipients::All, Recipients::Group] {
                for viewer in [Viewer::Wecom, Viewer::Wechat] {
                    let markup = html_of(&Appearance::of(&content, &recipients, viewer));
                    for tag in markup.split('<').skip(1) {
                        let (tag, _) = tag.split_once('>').unwrap();
                        let mut names = tag.trim_start_matches('/').split('"').step_by(2);
                        let mut first = names.next().unwrap().split(' ');
                        let name = first.next().unwrap();
                        prop_assert!(TAGS.contains(&name), "{} in {}", name, markup);
                        for attribute in first.chain(names.map(str::trim)).filter(|name| !name.is_empty()) {
                            prop_assert!(ATTRIBUTES.contains(&attribute), "{} in {}", attribute, markup);
                        }
                    }
                    for href in hrefs(&markup) {
                        let href = href.to_ascii_lowercase();
                        prop_assert!(href.starts_with("http://") || href.starts_with("https://"), "{}", markup);
                    }
                }
            }
        }
    }

    #[test]
    fn the_text_of_the_html_is_the_visible_text(text in hostile()) {
        for content in contents(&text.replace(|c: char| c.is_control() && c != '\n' || crate::text::is_bidi_control(c), "")) {
            let seen = wecom(&content);
            let shown = text_of(&html_of(&seen));
            let visible = seen.text();
            prop_assert_eq!(shown.trim_end_matches('\n'), visible.trim_end_matches('\n'));
        }
    }

    #[test]
    fn text_without_markup_is_kept(text in "[^<>\\[\\]()*_~`#|!\\p{Cc}-]{0,60}", lines in 0usize..4) {
        // A list, a number or a rule would be markup of robots.
        let text = [text.as_str()].repeat(lines + 1).join("\n");
        prop_assert_eq!(&wecom(&Content::Text(text.clone())).text(), &text);
        prop_assert_eq!(markdown(&text).text(), text);
    }

    #[test]
    fn marked_text_is_kept_without_its_marks(pieces in proptest::collection::vec(("[a-z告警 0-9]{1,8}", 0usize..6), 1..12)) {
        let (mut source, mut visible) = (String::from("x"), String::from("x"));
        for (text, kind) in pieces {
            let marked = match kind {
                0 => format!("**{text}**"),
                1 => format!("<font color=\"warning\">{text}</font>"),
                2 => format!("[{text}](https://a.example/{})", visible.len()),
                3 => format!("`{text}`"),
                4 => format!("\n> {text}"),
                _ => format!("\n## {text}"),
            };
            source.push_str(&marked);
            if kind >= 4 {
                visible.push('\n');
            }
            visible.push_str(&text);
        }
        prop_assert_eq!(markdown(&source).text(), visible);
    }

    #[test]
    fn rows_fit_into_their_columns(text in hostile()) {
        for content in contents(&text) {
            for row in rows(&wecom(&content), 40, Language::Zh) {
                prop_assert!(width(&row) <= 40 || row.chars().count() < 12, "{:?}", row);
                prop_assert!(!row.contains(|c: char| c.is_control() || crate::text::is_bidi_control(c)), "{:?}", row);
            }
        }
    }
}
