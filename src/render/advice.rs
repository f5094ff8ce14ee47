//! Advice for errors that people often make in templates.

use crate::nearest::nearest;

/// The filters of Tera that have no feature flag. A test compares them with Tera.
const TERA_FILTERS: [&str; 37] = [
    "abs",
    "capitalize",
    "default",
    "escape",
    "escape_html",
    "escape_xml",
    "first",
    "float",
    "get",
    "group_by",
    "indent",
    "int",
    "join",
    "keys",
    "last",
    "length",
    "lower",
    "newlines_to_br",
    "nth",
    "pairs",
    "pluralize",
    "replace",
    "reverse",
    "round",
    "safe",
    "sort",
    "split",
    "str",
    "title",
    "trim",
    "trim_end",
    "trim_start",
    "truncate",
    "unique",
    "upper",
    "values",
    "wordcount",
];

/// Filters for functions of Go and of other engines.
const FOREIGN_FILTERS: [(&str, &str); 9] = [
    ("toUpper", "upper"),
    ("uppercase", "upper"),
    ("toLower", "lower"),
    ("lowercase", "lower"),
    ("trimSpace", "trim"),
    ("strip", "trim"),
    ("reReplaceAll", "regex_replace"),
    ("humanizeDuration", "duration"),
    ("len", "length"),
];

const GO_ADVICE: &str = "this is a Go template as Alertmanager has them, and the relay's templates are Tera's: write \
                         {% include \"wechat.default.message\" %} for {{ template \"wechat.default.message\" . }}, \
                         {{ commonLabels.alertname }} for {{ .CommonLabels.alertname }}, and {% for alert in alerts %} … \
                         {% endfor %} for {{ range .Alerts }} … {{ end }}";

/// The message for a template that Tera cannot parse.
pub(super) fn syntax_error(source: &str, message: &str) -> String {
    if is_go(source) { GO_ADVICE.to_owned() } else { message.to_owned() }
}

/// True if `source` has an action that only Go's text/template has.
fn is_go(source: &str) -> bool {
    source.split("{{").skip(1).any(|action| {
        let action = action.split("}}").next().unwrap_or_default();
        let action = action.trim_start_matches('-').trim_end_matches('-').trim();
        let (word, rest) = action.split_once(char::is_whitespace).unwrap_or((action, ""));
        let rest = rest.trim_start();
        match word {
            "template" | "define" | "block" => rest.starts_with(['"', '`']),
            "range" | "if" | "with" | "else" => !rest.is_empty(),
            _ => action.starts_with(['.', '$']) || rest.starts_with('.') || rest.contains(" ."),
        }
    })
}

/// The message for a reference to something unknown, such as "Unknown filter `titel`".
pub(super) fn unknown_reference(message: &str, own_filters: &[&'static str]) -> String {
    let name = message.strip_prefix("Unknown filter `").and_then(|rest| rest.split('`').next());
    let Some(name) = name else { return message.to_owned() };
    let foreign = FOREIGN_FILTERS.iter().find(|(foreign, _)| *foreign == name).map(|(_, filter)| *filter);
    let known = TERA_FILTERS.iter().chain(own_filters).copied();
    match foreign.or_else(|| nearest(name, known)) {
        Some(filter) => format!("{message}; did you mean `{filter}`?"),
        None => format!("{message}; docs/templates.md lists the filters"),
    }
}

/// The name at the end of `text`, with the names before its last dot, such as `alerts[0].labels.x`.
pub(super) fn last_name(text: &str) -> &str {
    let start = text.trim_end_matches(is_part_of_name).len();
    text.split_at(start).1
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '"' | '\'')
}

/// The message for a variable that a template writes and the payload does not have.
pub(super) fn undefined_variable(name: &str, known: &[&str]) -> String {
    if name.is_empty() || !name.chars().all(is_part_of_name) {
        return "undefined variable; write `{{ x or \"\" }}` if `x` may be missing".to_owned();
    }
    let (first, rest) = name.split_at(name.find(['.', '[']).unwrap_or(name.len()));
    match nearest(first, known.iter().copied()).filter(|near| *near != first) {
        Some(near) => format!("undefined variable `{name}`; did you mean `{near}{rest}`?"),
        None => format!("undefined variable `{name}`; write `{{{{ {name} or \"\" }}}}` if it may be missing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_templates_are_recognized() {
        for source in [
            r#"{{ template "wechat.default.message" . }}"#,
            "{{ .CommonLabels.alertname }}",
            "{{- range .Alerts -}}x{{ end }}",
            "{{ if eq .Status \"firing\" }}x{{ end }}",
            "{{ range $i, $alert := .Alerts }}{{ $alert.Labels.x }}{{ end }}",
            "{{ define \"x\" }}y{{ end }}",
            "{{ .Status | toUpper }}",
            "{{ len .Alerts }}",
        ] {
            assert!(is_go(source), "{source}");
        }
        for source in [
            "{{ commonLabels.alertname }}",
            "{% for a in alerts %}{{ a.labels.x }}{% endfor %}",
            "a . b",
            "{{",
            "{{ }}",
        ] {
            assert!(!is_go(source), "{source}");
        }
    }

    #[test]
    fn all_filters_of_tera_are_known() {
        for name in TERA_FILTERS {
            let mut tera = tera::Tera::new();
            let error = tera.add_raw_template("t", &format!("{{{{ x | {name} }}}}")).err();
            let error = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(!error.contains("Unknown filter"), "{error}");
        }
    }

    #[test]
    fn an_unknown_filter_has_a_suggestion() {
        let message = |name: &str| unknown_reference(&format!("Unknown filter `{name}`"), &["since"]);
        assert_eq!(message("titel"), "Unknown filter `titel`; did you mean `title`?");
        assert_eq!(message("sinc"), "Unknown filter `sinc`; did you mean `since`?");
        assert_eq!(message("toUpper"), "Unknown filter `toUpper`; did you mean `upper`?");
        assert_eq!(message("shout"), "Unknown filter `shout`; docs/templates.md lists the filters");
        assert_eq!(unknown_reference("Unknown test `x`", &[]), "Unknown test `x`");
    }

    #[test]
    fn an_undefined_variable_is_named() {
        let message = |name: &str| undefined_variable(name, &["commonLabels", "alerts"]);
        assert_eq!(
            message("CommonLabels.x"),
            "undefined variable `CommonLabels.x`; did you mean `commonLabels.x`?"
        );
        assert_eq!(
            message("commonLabels.x"),
            "undefined variable `commonLabels.x`; write `{{ commonLabels.x or \"\" }}` if it may be missing"
        );
        assert_eq!(last_name("x {{ alerts[0].labels.nope"), "alerts[0].labels.nope");
        assert_eq!(message("a + b"), "undefined variable; write `{{ x or \"\" }}` if `x` may be missing");
    }
}
