use proptest::prelude::*;

use super::{
    cut::Cutter,
    parts::{MAX_PARTS, MIN_PART_BYTES},
    spans::Spans,
    *,
};
use crate::{
    alertmanager::SEVERITY_RANKS,
    language::Language,
    render::{
        Rendered,
        alert_marks::{AlertMarkers, UsedChars},
        markdown,
        rendered::AlertKind,
    },
    wecom::limits::MAX_CONTENT_BYTES,
};

const LINK: &str = "http://am/#/alerts?receiver=r";
const REST: Rest<'_> = Rest { link: LINK, language: Language::En };
const NO_LINK: Rest<'_> = Rest { link: "", language: Language::En };
const MANY: Limits = Limits { part_bytes: 256, max_parts: MAX_PARTS };

fn small(text: &str) -> Vec<String> {
    split(text, MANY)
}

fn split(text: &str, limits: Limits) -> Vec<String> {
    parts(&Rendered::from(text.to_owned()), Markup::Plain, limits, NO_LINK)
}

/// Checks the numbers of the parts, and returns the parts without them.
fn bodies_of(parts: &[String]) -> Vec<&str> {
    let body = |(part, number): (&'_ String, usize)| {
        let number = format!("({number}/{})\n", parts.len());
        assert!(part.starts_with(&number), "{part:?} does not start with {number:?}");
        number.len()
    };
    let lengths: Vec<usize> = parts.iter().zip(1..).map(body).collect();
    parts.iter().zip(lengths).map(|(part, number)| part.split_at(number).1).collect()
}

/// Puts the text together again: after a part, one line break of the text may be left out.
fn assert_nothing_is_lost(text: &str, bodies: &[&str]) {
    let mut rest = text;
    for body in bodies {
        assert!(rest.starts_with(body), "{body:?} is not next in {rest:?}");
        rest = rest.split_at(body.len()).1;
        rest = rest.strip_prefix('\n').unwrap_or(rest);
    }
    assert_eq!(rest, "");
}

#[test]
fn a_text_that_fits_has_no_number() {
    let text = "中".repeat(682) + "ab";
    assert_eq!(text.len(), MAX_CONTENT_BYTES);
    assert_eq!(split(&text, Limits::default()), [text]);
    assert_eq!(split("", Limits::default()), [""]);
}

#[test]
fn the_example_in_the_module_documentation_holds() {
    let text = "[FIRING:2] Down\na is down\nsince 9:30\nb is down\nsince 9:41";
    let borders = [text.find("a is").unwrap(), text.find("b is").unwrap()];
    let cutter = Cutter { text, spans: &Spans::default(), borders: &borders };
    let room = 55 - "(1/2)\n".len();
    let pieces = cutter.pieces(room, 5).unwrap();
    assert_eq!(pieces, ["[FIRING:2] Down\na is down\nsince 9:30", "b is down\nsince 9:41"]);
    let without_alerts = Cutter { borders: &[], ..cutter }.pieces(room, 5).unwrap();
    assert_eq!(without_alerts, ["[FIRING:2] Down\na is down\nsince 9:30\nb is down", "since 9:41"]);
}

#[test]
fn parts_end_with_lines() {
    let line = "x".repeat(99);
    let parts = small(&[line.as_str(); 4].join("\n"));
    assert_eq!(parts, [format!("(1/2)\n{line}\n{line}"), format!("(2/2)\n{line}\n{line}")]);
}

#[test]
fn a_long_line_is_cut_at_a_space_else_at_a_character() {
    let parts = small(&"word ".repeat(80));
    assert!(parts.iter().all(|part| part.ends_with("word ")), "{parts:?}");
    let parts = small(&"中".repeat(200));
    assert_eq!(bodies_of(&parts).iter().map(|body| body.chars().count()).collect::<Vec<_>>(), [83, 83, 34]);
}

#[test]
fn a_long_line_begins_in_the_part_that_has_room_for_it() {
    let parts = small(&format!("head\n{}", "x".repeat(500)));
    assert!(parts.first().unwrap().starts_with("(1/3)\nhead\nxxx"));
}

#[test]
fn a_link_stays_in_one_part() {
    let link = r#"<a href="http://am.example.com/#/alerts">see</a>"#;
    for before in 1..300 {
        let text = format!("{}{link}{}", "x".repeat(before), "y".repeat(250));
        assert!(small(&text).iter().any(|part| part.contains(link)), "{before}");
    }
}

#[test]
fn a_grapheme_cluster_stays_in_one_part() {
    let family = "👨\u{200D}👩\u{200D}👧";
    for before in 220..260 {
        for one in [family, "e\u{301}", "🇨🇳", "👍\u{1F3FD}"] {
            let text = format!("{}{one}{}", "x".repeat(before), "y".repeat(250));
            assert!(small(&text).iter().any(|part| part.contains(one)), "{before} {one}");
        }
    }
}

#[test]
fn numbers_of_any_length_fit() {
    for lines in [9, 10, 11, 99, 100, 101, 990] {
        let text = vec!["x".repeat(230); lines].join("\n");
        let parts = small(&text);
        assert!(parts.iter().all(|part| part.len() <= 256));
        assert_nothing_is_lost(&text, &bodies_of(&parts));
    }
}

/// A text as a template would write it: `head`, alerts by status, `foot`.
fn marked(head: &str, firing: &[String], resolved: &[String], foot: &str) -> Rendered {
    let markers = AlertMarkers::unused(UsedChars::default());
    let mut text = head.to_owned();
    for (alerts, is_resolved) in [(firing, false), (resolved, true)] {
        if !alerts.is_empty() {
            text.push_str(if is_resolved { "Resolved:\n" } else { "Firing:\n" });
        }
        let kind = if is_resolved { AlertKind::Resolved } else { AlertKind::Firing { rank: SEVERITY_RANKS } };
        for alert in alerts {
            text.push_str(&format!("{}{alert}\n{}", markers.begin(kind), markers.end()));
        }
    }
    markers.read(text + foot)
}

fn numbered(name: &str, count: usize, bytes: usize) -> Vec<String> {
    (0..count).map(|number| format!("{name}{number:04} {}", "x".repeat(bytes))).collect()
}

#[test]
fn parts_end_with_alerts() {
    let alerts: Vec<String> = (0..6).map(|number| format!("a{number}\n{}", "line\n".repeat(15))).collect();
    let rendered = marked("head\n", &alerts, &[], LINK);
    let parts = parts(&rendered, Markup::Plain, MANY, REST);
    assert_nothing_is_lost(rendered.text(), &bodies_of(&parts));
    for alert in &alerts {
        assert!(parts.iter().any(|part| part.contains(alert.trim_end())), "{parts:?}");
    }
}

#[test]
fn alerts_are_cut_only_if_whole_ones_do_not_fit() {
    let alerts: Vec<String> =
        (0..3).map(|number| format!("a{number}\n{}", [&*"x".repeat(44); 3].join("\n"))).collect();
    let rendered = marked("", &alerts, &[], "");
    let limits = Limits { part_bytes: 256, max_parts: 2 };
    let parts = parts(&rendered, Markup::Plain, limits, REST);
    assert_eq!(parts.len(), 2);
    assert_nothing_is_lost(rendered.text(), &bodies_of(&parts));
}

#[test]
fn missing_alerts_are_counted_and_linked() {
    let rendered = marked("head\n", &numbered("f", 150, 50), &numbered("r", 50, 50), "the end");
    let limits = Limits { part_bytes: 2048, max_parts: 2 };
    let parts = parts(&rendered, Markup::Plain, limits, REST);
    assert_eq!(parts.len(), 2);
    assert!(parts.iter().all(|part| part.len() <= 2048));
    let text = parts.concat();
    let shown =
        |name: &str| text.lines().filter(|line| line.starts_with(name) && line.contains("xx")).count();
    let (firing, resolved) = (shown("f0"), shown("r0"));
    assert!(firing > 50 && resolved == 0, "{firing} {resolved}");
    assert!(text.contains("the end") && !text.contains("Resolved:"), "{text}");
    let (hidden, firing) = (200 - firing, 150 - firing);
    let counts = format!("… {hidden} of 200 alerts are not shown ({firing} firing, 50 resolved): {LINK}");
    assert!(text.ends_with(&counts), "{text}");
}

#[test]
fn a_very_long_alert_is_shortened_and_hides_no_other() {
    let long = ["long ".repeat(5000)];
    let rendered = marked("head\n", &long, &numbered("r", 3, 20), LINK);
    let parts = parts(&rendered, Markup::Plain, Limits { max_parts: 2, ..Limits::default() }, REST);
    let text = parts.concat();
    assert_eq!(parts.len(), 2);
    assert!(text.contains("long …") && text.contains("r0002 xxx"), "{text}");
    assert!(text.ends_with(&format!("… some of the text is not shown: {LINK}")), "{text}");
}

#[test]
fn a_text_without_alerts_is_shortened_and_linked() {
    let text = Rendered::from("行 ".repeat(9000));
    let parts = parts(&text, Markup::Markdown, Limits::default(), REST);
    assert!(parts.len() <= 5 && parts.iter().all(|part| part.len() <= MAX_CONTENT_BYTES));
    assert!(
        parts.last().unwrap().ends_with(&format!("…\n… [some of the text is not shown]({LINK})")),
        "{parts:?}"
    );
}

#[test]
fn open_tags_are_closed_and_opened_again_between_parts() {
    let words = "word ".repeat(60);
    let text = format!("> a <font color=\"info\">b **c {words}** d</font>");
    let parts = parts(&Rendered::from(text), Markup::Markdown, MANY, NO_LINK);
    assert_eq!(parts.len(), 2);
    assert!(parts[0].ends_with("word **</font>"), "{parts:?}");
    assert!(parts[1].starts_with("(2/2)\n> <font color=\"info\">**word"), "{parts:?}");
}

#[test]
fn links_and_tags_stay_in_one_part() {
    for link in ["[all](http://am/#/alerts)", "<font color=\"warning\">x</font>", "`code`", "**b**"] {
        for before in 1..300 {
            let text = format!("{}{link}{}", "x".repeat(before), "y".repeat(250));
            let parts = parts(&Rendered::from(text), Markup::Markdown, MANY, NO_LINK);
            assert!(parts.iter().any(|part| part.contains(link)), "{before} {link}");
        }
    }
}

#[test]
fn unclosed_tags_are_read_in_linear_time() {
    for piece in ["[", "[](", "`", "**", "<font color=\"a\">", "</font>", "<a ", "\u{301}", "🇨", "\n\n"] {
        let text = Rendered::from(piece.repeat(1_000_000 / piece.len()));
        for markup in [Markup::Plain, Markup::Markdown] {
            let parts = parts(&text, markup, Limits { part_bytes: 256, max_parts: 20 }, REST);
            assert!(parts.iter().all(|part| part.len() <= 256), "{piece}");
        }
    }
}

/// Well-formed markdown with one of everything.
fn markdown_text() -> impl Strategy<Value = String> {
    let inline = prop_oneof![
        "[a-z ]{0,30}",
        "\\PC{0,6}".prop_map(|text| text.replace(['*', '<', '`', '[', ']'], "."))
    ];
    let leaf = prop_oneof![
        3 => inline.clone(),
        1 => "[a-z ]{1,90}".prop_map(|code| format!("`{code}`")),
        1 => "[a-z]{1,9}".prop_map(|name| format!("[{name}](http://x/{name})")),
    ];
    let bold =
        prop::collection::vec(leaf.clone(), 1..6).prop_map(|inside| format!("**a{}z**", inside.concat()));
    let font = prop::collection::vec(prop_oneof![leaf.clone(), bold.clone()], 1..6)
        .prop_map(|inside| format!("<font color=\"info\">{}</font>", inside.concat()));
    let line = prop::collection::vec(prop_oneof![leaf, bold, font], 0..8);
    let line = (prop_oneof![Just(""), Just("> "), Just("# ")], line)
        .prop_map(|(head, line)| head.to_owned() + &line.concat());
    prop::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

fn tag_counts(part: &str) -> [usize; 4] {
    ["**", "`", "<font color=\"info\">", "</font>"].map(|tag| part.matches(tag).count())
}

proptest! {
    #[test]
    fn markdown_is_balanced_in_every_part(text in markdown_text(), max_parts in 1usize..12) {
        let limits = Limits { part_bytes: 256, max_parts };
        for part in parts(&Rendered::from(text), Markup::Markdown, limits, REST) {
            let [bold, code, opened, closed] = tag_counts(&part);
            prop_assert!(part.len() <= 256 && bold % 2 == 0 && code % 2 == 0 && opened == closed, "{:?}", part);
            prop_assert_eq!(part.matches("](").count(), part.matches("](http://").count());
        }
    }

    #[test]
    fn any_text_keeps_to_its_limits(
        pieces in prop::collection::vec(
            prop_oneof![
                "\\PC{0,40}", "[*`<>\\[\\]()\n]{0,20}", Just("<font color=\"info\">".to_owned()),
                Just("</font>".to_owned()), "(a{0,300}|🇨{0,90}|\u{301}{0,90})",
            ],
            0..60,
        ),
        firing in prop::collection::vec("(a|中|\\*\\*|\n){0,150}", 0..20),
        resolved in prop::collection::vec("(b|`|\n){0,150}", 0..20),
        part_bytes in 0usize..700,
        max_parts in 0usize..7,
        link in "(http://[a-z/()]{0,400})?",
    ) {
        let rendered = marked(&pieces.concat(), &firing, &resolved, "foot");
        for markup in [Markup::Plain, Markup::Markdown] {
            let parts = parts(&rendered, markup, Limits { part_bytes, max_parts }, Rest { link: &link, language: Language::Zh });
            let limit = part_bytes.max(MIN_PART_BYTES);
            prop_assert!(!parts.is_empty() && parts.len() <= max_parts.max(1));
            prop_assert!(parts.iter().all(|part| part.len() <= limit));
            if rendered.text().len() <= limit {
                prop_assert_eq!(&parts, &[rendered.text()]);
            } else if parts.last().is_some_and(|last| last.ends_with("foot")) {
                if markup == Markup::Plain {
                    assert_nothing_is_lost(rendered.text(), &bodies_of(&parts));
                }
            } else {
                let last = parts.last().and_then(|last| last.lines().last()).unwrap_or_default();
                prop_assert!(last.contains("not shown") || last.contains("未显示"), "{:?}", parts);
                let shown = link.is_empty() || last.contains(&markdown::url(&link)) || last.contains(&link);
                prop_assert!(shown || markdown::url(&link).len() > limit / 5, "{:?}", last);
            }
        }
    }

    #[test]
    fn parts_keep_to_the_limit_and_lose_nothing(
        pieces in prop::collection::vec(
            prop_oneof![
                "\\PC{0,40}",
                "[\n\r ]{1,3}",
                r#"<a href="x{0,20}">[a-z\n]{0,60}(</a>)?"#,
                "(\u{301}|\u{200D}|🇨|👍){1,60}",
            ],
            0..60,
        ),
        part_bytes in 0usize..700,
    ) {
        let text = pieces.concat();
        let parts = split(&text, Limits { part_bytes, max_parts: MAX_PARTS });
        let limit = part_bytes.max(MIN_PART_BYTES);
        if text.len() <= limit {
            prop_assert_eq!(parts, [text]);
        } else {
            prop_assert!(parts.iter().all(|part| part.len() <= limit));
            let bodies = bodies_of(&parts);
            prop_assert!(bodies.iter().all(|body| !body.is_empty()));
            assert_nothing_is_lost(&text, &bodies);
        }
    }
}
