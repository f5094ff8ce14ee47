//! The examples of `docs/templates.md`, and cases that do not fit into its tables.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tera::Tera;

use super::registry::{NAMES, register};
use crate::{
    alertmanager::{Pairs, Payload, parse},
    language::Language,
    render::{
        DEFAULT_SUMMARY, RenderError, RenderTime, Source, TemplateLanguage, Templates, markdown, samples,
    },
    text::is_bidi_control,
};

const PAGE: &str = include_str!("../../../docs/templates.md");

fn time() -> RenderTime {
    RenderTime { now: "2026-11-21T09:28:42Z".parse().unwrap(), zone: TimeZone::UTC, language: Language::En }
}

fn rendered(template: &str, time: &RenderTime) -> Result<String, String> {
    let payload = parse(samples::ALL[0].1.as_bytes(), time.now).unwrap();
    rendered_with(template, &payload, time).map_err(|error| error.message)
}

fn rendered_with(template: &str, payload: &Payload, time: &RenderTime) -> Result<String, RenderError> {
    let source = Source {
        name: "t".into(),
        origin: "t".into(),
        text: template.into(),
        language: TemplateLanguage::Tera,
    };
    Templates::compile(&[source]).unwrap().with(payload, time).render("t")
}

/// Renders `template` for a payload that has these fields beside its own.
fn render_fields(template: &str, fields: Json) -> Result<String, RenderError> {
    let Json::Object(extra) = fields else { panic!("no object: {fields}") };
    let payload = Payload { extra: extra.into_iter().collect(), ..Payload::default() };
    rendered_with(template, &payload, &time())
}

fn render(template: &str) -> Result<String, String> {
    rendered(template, &time())
}

/// The examples of the tables: the second cell of a row is a template, the third one is its result.
fn examples() -> impl Iterator<Item = (&'static str, String, String)> {
    PAGE.lines().filter_map(|row| {
        let cells: Vec<&str> = row.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let code = |cell: &str| Some(cell.trim().strip_prefix('`')?.strip_suffix('`')?.replace("\\|", "|"));
        let [name, _, example, result] = cells.as_slice() else { return None };
        Some((name.trim().trim_matches('`').split('(').next()?, code(example)?, code(result)?))
    })
}

#[test]
fn every_example_writes_what_the_table_says() {
    for (name, example, result) in examples() {
        assert_eq!(render(&example).as_deref(), Ok(result.as_str()), "{name}: {example}");
    }
}

#[test]
fn every_function_has_an_example() {
    let mut tera = Tera::default();
    register(&mut tera);
    for name in NAMES {
        assert!(examples().any(|(named, example, _)| named == name && example.contains(name)), "{name}");
        let called = format!("{{{{ 1 | {name} }}}}");
        let calls = [called.as_str(), &format!("{{{{ {name}() }}}}")];
        assert!(calls.iter().any(|call| tera.add_raw_template("t", call).is_ok()), "{name}");
    }
}

#[test]
fn remove_takes_an_array_or_a_map_of_names() {
    assert_eq!(render(r#"{{ {"a": 1, "b": 2} | remove(names={"b": 0}) }}"#).unwrap(), r#"{"a": 1}"#);
    assert!(render(r#"{{ {"a": 1} | remove(names=1) }}"#).is_err());
}

#[test]
fn unique_keeps_the_first_of_equal_values() {
    let mixed = r#"{{ [1.0, "1", 1, [1], "b", {"a": 1}, "1", true, [1], {"a": 1}, "b"] | unique }}"#;
    assert_eq!(render(mixed).unwrap(), r#"[1.0, "1", [1], "b", {"a": 1}, true]"#);
}

/// Compared each with each, these would take minutes.
#[test]
fn many_labels_and_names_take_linear_time() {
    let labels: Pairs = (0..100_000).map(|n| (format!("l{n:06}"), "v".to_owned())).collect();
    let payload = Payload {
        group_labels: labels.clone(),
        common_labels: labels,
        extra: [("names".to_owned(), (0..200_000).map(|n| n.to_string()).collect())].into(),
        ..Payload::default()
    };
    let render = |template| rendered_with(template, &payload, &time()).unwrap();
    assert_eq!(render("{{ commonLabels | remove(names=groupLabels) | length }}"), "0");
    assert_eq!(render("{{ commonLabels | remove(names=names) | length }}"), "100000");
    assert_eq!(render("{{ names | unique | length }}"), "200000");
    let summary = Templates::compile(&[]).unwrap().with(&payload, &time()).render(DEFAULT_SUMMARY);
    assert!(summary.unwrap().starts_with("[] v v v"));
}

#[test]
fn a_range_is_short_and_ends() {
    assert_eq!(render("{{ range(end=-1) }}").unwrap(), "[]");
    assert!(render("{{ range(end=1001) }}").is_err());
    assert!(render("{{ range(end=1, step_by=0) }}").is_err());
}

#[test]
fn a_missing_label_is_an_error_only_where_it_is_written() {
    let label = "alerts[0].labels.nope";
    assert_eq!(render(&format!("{{% if {label} %}}x{{% endif %}}.")).unwrap(), ".");
    assert_eq!(
        render(&format!("{{{{ {label} | default(value=\"d\") }}}}{{{{ {label} or \"e\" }}}}")).unwrap(),
        "de"
    );
    assert_eq!(
        render(&format!("{{{{ {label} }}}}")).unwrap_err(),
        "undefined variable `alerts[0].labels.nope`; write `{{ alerts[0].labels.nope or \"\" }}` if it may be missing"
    );
    for filter in ["date", "since", "duration", "one_line", "go_query_escape", "markdown_escape", "values"] {
        assert!(render(&format!("{{{{ {label} | {filter} }}}}")).is_err(), "{filter}");
    }
}

#[test]
fn the_zone_is_the_argument_else_the_configured_one() {
    let shanghai = RenderTime { zone: TimeZone::get("Asia/Shanghai").unwrap(), ..time() };
    let dated = r#""2026-11-21T03:23:42.5-06:00" | date"#;
    assert_eq!(rendered(&format!("{{{{ {dated} }}}}"), &time()).unwrap(), "2026-11-21 09:23:42 UTC");
    assert_eq!(rendered(&format!("{{{{ {dated} }}}}"), &shanghai).unwrap(), "2026-11-21 17:23:42");
    let zone = format!("{{{{ {dated}(zone=\"Europe/Berlin\", format=\"%H:%M %Z\") }}}}");
    assert_eq!(rendered(&zone, &shanghai).unwrap(), "10:23 CET");
    assert!(render(&format!("{{{{ {dated}(zone=\"Mars\") }}}}")).unwrap_err().contains("Mars"));
    assert!(render(&format!("{{{{ {dated}(format=\"%!\") }}}}")).unwrap_err().contains("format"));
}

#[test]
fn a_text_that_is_no_time_is_unchanged_and_gos_zero_is_empty() {
    assert_eq!(render(r#"{{ "soon" | date }}{{ "soon" | since }}"#).unwrap(), "soonsoon");
    let zero = r#"{{ "0001-01-01T00:00:00Z" | date }}{{ "0001-01-01T00:00:00Z" | since }}{{ "" | date }}"#;
    assert_eq!(render(zero).unwrap(), "");
    assert!(render("{{ [] | date }}").is_err());
    assert!(render("{{ 99999999999999 | date }}").is_err());
}

#[test]
fn durations_show_their_two_largest_units() {
    let shown =
        |seconds: i64, lang| render(&format!("{{{{ {seconds} | duration(lang=\"{lang}\") }}}}")).unwrap();
    let en = [-5, 0, 59, 60, 3599, 3600, 3660, 86_399, 86_400, 90_061].map(|seconds| shown(seconds, "en"));
    assert_eq!(en, ["0s", "0s", "59s", "1m", "59m 59s", "1h", "1h 1m", "23h 59m", "1d", "1d 1h"]);
    let zh = [0, 61, 3660, 90_061, 86_400 + 59].map(|seconds| shown(seconds, "zh"));
    assert_eq!(zh, ["0秒", "1分钟1秒", "1小时1分钟", "1天1小时", "1天"]);
    assert!(render(r#"{{ 1 | duration(lang="fr") }}"#).is_err());
    assert!(render(r#"{{ "x" | duration }}"#).is_err());
}

#[test]
fn regex_replace_leaves_the_rest_of_a_long_text_unchanged() {
    let replaced = |text: &str, pattern| {
        let template = format!(r#"{{{{ text | regex_replace(pattern="{pattern}", replacement="b") }}}}"#);
        render_fields(&template, json!({ "text": text })).unwrap()
    };
    const SEARCHED: usize = 32 << 10;
    assert_eq!(replaced(&"a".repeat(SEARCHED), "a"), "b".repeat(SEARCHED));
    // A match that ends where the search ends could be longer in the whole text.
    let longer = "a".repeat(SEARCHED + 9);
    assert_eq!(replaced(&longer, "a"), "b".repeat(SEARCHED - 1) + &"a".repeat(10));
    assert_eq!(replaced(&longer, "a+$"), longer);
    // A border within a character.
    let wide = format!("a{}", "告".repeat(SEARCHED));
    assert_eq!(replaced(&wide, "a"), wide.replace('a', "b"));
}

#[test]
fn an_error_is_one_short_line_for_any_payload() {
    let text = "(x\n\u{202E}告".repeat(20_000);
    for template in [
        r#"{{ "a" | regex_replace(pattern=text, replacement="") }}"#,
        "{{ throw(message=text) }}",
        "{{ 1 | duration(lang=text) }}",
        "{{ 1 | date(zone=text) }}",
        "{{ text.nope.nope }}",
    ] {
        let error = render_fields(template, json!({ "text": text })).unwrap_err();
        assert!(error.message.len() <= 200, "{template}: {error}");
        assert!(
            !error.message.contains(|c: char| c.is_control() || is_bidi_control(c)),
            "{template}: {error}"
        );
    }
    let error = render(r#"{{ "a" | regex_replace(pattern="(", replacement="") }}"#).unwrap_err();
    assert!(error.ends_with("`pattern` is not a regular expression: unclosed group"), "{error}");
}

#[test]
fn bidi_controls_are_removed() {
    let text = "\u{202E}a\u{2066} \u{200F} \u{202C}b\u{61C}c\u{200E}";
    let filtered =
        |filter: &str| render_fields(&format!("{{{{ text | {filter} }}}}"), json!({ "text": text })).unwrap();
    assert_eq!(filtered("one_line"), "a bc");
    assert_eq!(filtered("markdown_escape"), "a  bc");
    assert_eq!(markdown::url("http://p/\u{202E}x"), "http://p/%E2%80%AEx");
    // Removing a control must not create a link.
    assert_eq!(markdown::escape("]\u{202E}("), "]\u{200B}(");
}

#[test]
fn a_pattern_is_bounded_in_time_and_memory() {
    let evil = format!(
        r#"{{{{ "{}" | regex_replace(pattern="(a*)*b", replacement="") | length }}}}"#,
        "a".repeat(50_000)
    );
    assert_eq!(render(&evil).unwrap(), "50000");
    assert!(
        render(r#"{{ "a" | regex_replace(pattern="(((a{100}){100}){100})", replacement="") }}"#).is_err()
    );
    assert!(render(r#"{{ "a" | regex_replace(pattern="(", replacement="") }}"#).is_err());
    let long = "x".repeat(10_000);
    let growing = format!(r#"{{{{ "{long}" | regex_replace(pattern="", replacement="{long}") }}}}"#);
    assert!(render(&growing).unwrap_err().contains("longer"));
}

#[test]
fn a_silence_has_exactly_the_labels_of_the_alert() {
    let alert = r#"{"labels": {"a": "x\"y\\z", "名": "1 2"} }"#;
    let url = render(&format!("{{{{ {alert} | silence_url }}}}")).unwrap();
    assert_eq!(
        url,
        "https://alertmanager.example.com/#/silences/new?filter=\
         %7Ba%3D%22x%5C%22y%5C%5Cz%22%2C%22%E5%90%8D%22%3D%221%202%22%7D"
    );
    assert_eq!(render(r#"{{ {"silenceURL": "u"} | silence_url }}"#).unwrap(), "u");
    assert!(render(r#"{{ {} | silence_url }}"#).is_err());
}

#[test]
fn functions_work_in_components_and_captured_text() {
    let text = r#"{% component Started(alert) %}{{ alert.startsAt | since }}{% endcomponent Started %}
        {%- filter upper %}{{ <Started alert={alerts[0]} /> }}{{ alerts[0] | begin_alert }}{% endfilter %}"#;
    assert_eq!(render(text).unwrap(), "4M 59S");
}

#[test]
fn the_context_ends_with_its_render() {
    render("x").unwrap();
    let mut tera = Tera::default();
    register(&mut tera);
    let error = tera.render_str("{{ alerts_url() }}", &tera::Context::new(), false).unwrap_err();
    assert!(error.to_string().contains("no payload"), "{error}");
}

proptest! {
    #[test]
    fn escaped_text_has_no_meaning_in_markdown(text in any::<String>(), special in "[]\\[()<>*`#/a-z \n\u{202E}]{0,40}") {
        for text in [text, special] {
            let escaped = markdown::escape(&text);
            let around = format!("**{escaped}**<font color=\"info\">{escaped}</font>");
            for broken in ["](", "`", "<f", "</f"] {
                prop_assert!(!escaped.contains(broken), "{:?}", escaped);
            }
            prop_assert_eq!(around.matches("**").count(), 2, "{:?}", around);
            prop_assert!(!escaped.lines().any(|line| line.trim_start_matches(' ').starts_with(['#', '>'])));
            let seen: String = escaped.chars().filter(|c| *c != '\u{200B}').collect();
            let expected = text.replace('`', "ˋ").replace('\u{200B}', "");
            prop_assert_eq!(seen, expected.replace(is_bidi_control, ""));
        }
    }

    #[test]
    fn remove_and_unique_match_a_naive_implementation(
        names in prop::collection::vec("[a-f]", 0..8),
        labels in prop::collection::btree_map("[a-f]", "[a-f]", 0..8),
    ) {
        let left: BTreeMap<String, String> =
            labels.iter().filter(|(name, _)| !names.contains(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
        let mut first: Vec<&String> = Vec::new();
        for name in &names {
            if !first.contains(&name) {
                first.push(name);
            }
        }
        let map: BTreeMap<String, String> = names.iter().map(|name| (name.clone(), String::new())).collect();
        let fields = json!({"names": names, "map": map, "labels": labels, "left": left, "first": first});
        let template = "{{ labels | remove(names=names) == left }} {{ labels | remove(names=map) == left }} \
            {{ names | unique == first }}";
        prop_assert_eq!(render_fields(template, fields).unwrap(), "true true true");
    }

    #[test]
    fn a_url_stays_within_its_link(url in "https?://[\\PC ]{0,40}") {
        let escaped = markdown::url(&url);
        prop_assert!(!escaped.contains(|c: char| c.is_whitespace() || "()[]<>*`".contains(c)), "{}", escaped);
    }
}
