use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::*;
use crate::{
    alertmanager,
    language::Language,
    render::{
        render_context::RenderTime,
        samples,
        sources::{Source, TemplateLanguage},
    },
};

/// Renders a sample with the text of a receiver.
fn rendered(text: &str) -> Result<String, String> {
    let source =
        Source { name: "t".into(), origin: "t".into(), text: text.into(), language: TemplateLanguage::Go };
    let engine = GoEngine::compile(&[], &[&source]).map_err(|errors| format!("{errors:?}"))?;
    let payload = alertmanager::parse(samples::FIRING.as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
    let time = RenderTime { now: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC, language: Language::En };
    let rendered = engine.render("t", &GoPayload::of(&payload, &time));
    rendered.map(|rendered| rendered.into_text()).map_err(|error| error.to_string())
}

#[test]
fn the_built_in_templates_have_no_mistake() {
    assert!(rendered(r#"{{ template "wechat.default.message" . }}"#).unwrap().starts_with("[FIRING:1]"));
}

#[test]
fn a_pattern_that_is_slow_for_a_text_must_be_paid_for() {
    let long = r#"{{ $s := "aaaaaaaa" }}{{ range 12 }}{{ $s = print $s $s }}{{ end }}"#;
    let slow =
        rendered(&format!("{long}{{{{ reReplaceAll \"(?:a{{0,300}}){{3}}$|(.{{0,900}}z)\" \"b\" $s }}}}"));
    assert!(slow.is_err_and(|error| error.contains("search for too long")));
    let fast = rendered(&format!("{long}{{{{ len (reReplaceAll \"a(b|a)\" \"x$1\" $s) }}}}"));
    assert_eq!(fast.as_deref(), Ok("32768"));
}

/// Pieces of templates, which meet in any order.
const PIECES: [&str; 48] = [
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{ ",
    " }}",
    "/*",
    "*/",
    "(",
    ")",
    "|",
    ".",
    "$",
    "$x",
    ":=",
    "=",
    ",",
    "\"",
    "`",
    "'",
    "\\",
    "if ",
    "else ",
    "end",
    "range ",
    "with ",
    "define \"a\"",
    "template \"a\" .",
    "block \"b\" .",
    "break",
    "continue",
    "nil",
    "true",
    "1",
    "-1e9",
    "0x",
    "'x'",
    "\"a\"",
    ".Alerts",
    ".CommonLabels",
    "len ",
    "index ",
    "printf \"%5.2v\" ",
    "print ",
    "list ",
    "reReplaceAll \"(a|b)*\" \"$1\" ",
    "中",
    " ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_template_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = rendered(&String::from_utf8_lossy(&bytes));
        let _ = rendered(&format!("{{{{{}}}}}", String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn pieces_of_templates_in_any_order_are_no_panic(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES.as_slice()), 0..30)
    ) {
        let text = pieces.concat();
        let result = rendered(&text);
        prop_assert!(!result.is_err_and(|error| error.contains("panicked")), "{text}");
    }
}
