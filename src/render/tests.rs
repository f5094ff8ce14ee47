use super::*;
use crate::{
    alertmanager::{Payload, parse},
    language::Language,
};

fn source<'a>(name: &'a str, text: &'a str) -> Source<'a> {
    Source {
        name: name.into(),
        origin: format!("{name}.tera").into(),
        text: text.into(),
        language: TemplateLanguage::Tera,
    }
}

fn compile(sources: &[(&str, &str)]) -> Result<Templates, Vec<String>> {
    let sources: Vec<Source<'_>> = sources.iter().map(|(name, text)| source(name, text)).collect();
    Templates::compile(&sources).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn errors(sources: &[(&str, &str)]) -> Vec<String> {
    compile(sources).unwrap_err()
}

fn time() -> RenderTime {
    RenderTime {
        now: "2026-11-21T09:30:00Z".parse().unwrap(),
        zone: jiff::tz::TimeZone::UTC,
        language: Language::En,
    }
}

fn payload() -> Payload {
    parse(
        br#"{"receiver":"wechat","status":"firing","alerts":[
            {"status":"firing","labels":{"alertname":"HighLoad","instance":"a","severity":"critical"},
             "annotations":{"summary":"load\nis 9"},"startsAt":"s","endsAt":"e","generatorURL":"g","values":{"A":1.5}},
            {"status":"resolved","labels":{"alertname":"HighLoad","instance":"b","severity":"critical"}}],
            "groupLabels":{"alertname":"HighLoad"},"commonLabels":{"alertname":"HighLoad","severity":"critical",
            "team":"db"},"commonAnnotations":{"summary":"load\nis 9"},"externalURL":"http://am","orgId":7,
            "truncatedAlerts":3}"#,
        time().now,
    )
    .unwrap()
}

fn render(template: &str) -> Result<String, RenderError> {
    compile(&[("t", template)]).unwrap().with(&payload(), &time()).render("t")
}

#[test]
fn a_receivers_template_can_include_the_built_in_one() {
    let name = receiver_template("db", "message");
    let templates = compile(&[(&name, r#"{% include "wechat.default.message" %} see {{ orgId }}"#)]).unwrap();
    let payload = payload();
    let rendering = templates.with(&payload, &time());
    let message = rendering.render(&name).unwrap();
    assert_eq!(message, rendering.render(DEFAULT_MESSAGE).unwrap() + " see 7");
}

#[test]
fn an_override_does_not_change_the_fallback() {
    let payload = payload();
    let fallback = compile(&[]).unwrap().with(&payload, &time()).render(DEFAULT_MESSAGE).unwrap();
    let text = r#"mine: {% include "builtin/wechat.default.message" %}"#;
    let templates = compile(&[(DEFAULT_MESSAGE, text)]).unwrap();
    let rendering = templates.with(&payload, &time());
    assert_eq!(rendering.render(DEFAULT_MESSAGE).unwrap(), format!("mine: {fallback}"));
    assert_eq!(rendering.fallback().text(), fallback);
    assert!(rendering.fallback_summary().starts_with("[FIRING:1"));
}

#[test]
fn templates_see_alerts_by_status_and_unknown_fields() {
    let text = "{{ alerts | length }} {{ firing[0].values.A }} {{ resolved[0].labels.instance }} {{ truncatedAlerts }}";
    assert_eq!(render(text).unwrap(), "2 1.5 b 3");
}

#[test]
fn a_loop_shows_labels_in_alertmanagers_order() {
    let text = "{% for name, value in alerts[0].labels %}{{ name }}={{ value }} {% endfor %}";
    assert_eq!(render(text).unwrap(), "alertname=HighLoad instance=a severity=critical ");
}

#[test]
fn text_is_not_escaped_even_in_a_template_named_html() {
    let templates = compile(&[("t.html", r#"{{ "<&>" }}"#)]).unwrap();
    assert_eq!(templates.with(&payload(), &time()).render("t.html").unwrap(), "<&>");
}

#[test]
fn the_summary_is_one_line_with_the_most_important_first() {
    let summary =
        |payload: &Payload| compile(&[]).unwrap().with(payload, &time()).render(DEFAULT_SUMMARY).unwrap();
    let mut payload = payload();
    let first = summary(&payload);
    payload.truncated_alerts = 0;
    payload.alerts.retain(|alert| alert.is_resolved());
    payload.status = "resolved".to_owned();
    let second = summary(&payload);
    payload.group_labels.clear();
    payload.common_labels.clear();
    payload.common_annotations.clear();
    let third = summary(&payload);
    let fourth = summary(&Payload { status: "firing".to_owned(), ..Payload::default() });
    insta::assert_snapshot!([first, second, third, fourth].join("\n"), @r"
    [FIRING:1 RESOLVED:1 NOT SHOWN:3] HighLoad (critical) db load is 9
    [RESOLVED:1] HighLoad (critical) b load is 9
    [RESOLVED:1] HighLoad (critical) b
    [FIRING]
    ");
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    let errors = errors(&[
        ("a", "ok\n  {{ x | nope }}{{ nor() }}"),
        ("b", "{% if %}"),
        ("c", "{% include \"nowhere\" %}"),
        ("d", "line\n{% for x in %}"),
        ("e", "{{ 1 is odder }}"),
        ("f", "{% include \"b\" %}{% extends \"x\" %}"),
        ("g", "{% extends \"x\" %}"),
    ]);
    insta::assert_snapshot!(errors.join("\n"), @r"
    a.tera:2:10: Unknown filter `nope`; docs/templates.md lists the filters
    a.tera:2:20: Unknown function `nor`; docs/templates.md lists the functions and filters
    b.tera:1:7: Found `%}` but expected one of: integer, float, string, bool, ident, `-`, `not`, `<`, `{`, `[` or `(`
    c.tera:1:12: Unknown template `nowhere`; list its file under `templates`; its name is that of the file without .tera
    d.tera:2:13: Found `%}` but expected one of: integer, float, string, bool, ident, `-`, `not`, `<`, `{`, `[` or `(`
    e.tera:1:9: Unknown test `odder`
    f.tera:1:29: `extends` needs to be the first tag of the template
    g.tera: the template extends `x`, which does not exist
    ");
}

/// Tera has no structured form of these errors.
#[test]
fn errors_of_tera_2_4_about_components_and_blocks_are_read() {
    let unknown =
        [("a", "{{ <Nope /> }}"), ("b", "{% extends \"c\" %}{% block x %}{% endblock %}"), ("c", "")];
    assert_eq!(
        errors(&unknown),
        [
            "a.tera:1:4: Unknown component `Nope`",
            "b.tera:1:27: Block `x` is not defined in any parent template"
        ]
    );
    let mut with_broken = unknown;
    with_broken[2].1 = "{% if %}";
    let only_broken = errors(&with_broken);
    assert_eq!(only_broken.len(), 1, "{only_broken:?}");
    assert!(only_broken[0].starts_with("c.tera:1:7: "), "{only_broken:?}");
}

#[test]
fn a_name_that_is_defined_twice_is_an_error() {
    let twice = [source("a", "1"), Source { origin: "other/a.tera".into(), ..source("a", "2") }];
    let errors = Templates::compile(&twice).unwrap_err();
    assert_eq!(
        errors.first().unwrap().to_string(),
        "other/a.tera: template `a` is already defined in a.tera"
    );
}

#[test]
fn circular_includes_do_not_compile() {
    assert_eq!(
        errors(&[("a", r#"{% include "b" %}"#), ("b", r#"{% include "a" %}"#)]),
        ["a.tera: the template includes itself: a → b → a"]
    );
    assert_eq!(
        errors(&[(DEFAULT_MESSAGE, r#"{% include "wechat.default.message" %}"#)]).len(),
        1,
        "an override that includes itself by name"
    );
    assert_eq!(errors(&[("a", r#"{% extends "a" %}"#)]), ["a.tera: the template extends itself: a"]);
}

#[test]
fn recursive_components_are_an_error() {
    let text = "{% component Again(n) %}{{ n }}{{ <Again n={n + 1} /> }}{% endcomponent Again %}{{ <Again n={1} /> }}";
    let error = render(text).unwrap_err();
    assert!(error.message.contains("recursion"), "{error}");
}

#[test]
fn deeply_nested_expressions_do_not_compile() {
    let text = format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(errors(&[("t", &text)]).len(), 1);
    let text = "{% if 1 %}".repeat(10_000) + &"{% endif %}".repeat(10_000);
    assert_eq!(errors(&[("t", &text)]).len(), 1);
}

#[test]
fn a_text_that_is_too_long_is_an_error() {
    let text =
        r#"{% for a in range(end=1000) %}{% for b in range(end=1000) %}0123456789{% endfor %}{% endfor %}"#;
    let error = render(text).unwrap_err();
    assert_eq!(error.to_string(), format!("t: the text is longer than {MAX_OUTPUT_BYTES} bytes"));
}

#[test]
fn an_error_names_the_template_and_the_place() {
    let templates = compile(&[("t", "{% include \"part\" %}"), ("part", "line\n {{ alerts[0].nope }}")]);
    let templates = templates.unwrap();
    let error = templates.with(&payload(), &time()).render("t").unwrap_err();
    assert_eq!((error.template.as_str(), error.at), ("part", Some(Position { line: 2, column: 15 })));
    assert!(templates.with(&payload(), &time()).render("nowhere").is_err());
    assert!(render(r#"{{ throw(message="no") }}"#).unwrap_err().message.contains("no"));
}

#[test]
fn a_fallback_that_is_too_long_is_cut() {
    let mut payload = payload();
    payload.alerts[0].annotations.insert("summary".to_owned(), "x".repeat(MAX_OUTPUT_BYTES));
    let text = compile(&[]).unwrap().with(&payload, &time()).fallback().into_text();
    assert!(text.starts_with("[FIRING:1]") && text.ends_with('…'), "{}", text.len());
}
