//! Advice for errors that people often make in templates.

use super::error::Position;
use crate::{nearest::nearest, text::named_char};

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

/// Variables of an alert, which the whole payload has under another name.
const FOREIGN_VARIABLES: [(&str, &str); 4] = [
    ("labels", "commonLabels"),
    ("annotations", "commonAnnotations"),
    ("common_labels", "commonLabels"),
    ("common_annotations", "commonAnnotations"),
];

/// The functions that templates may call.
const OWN_FUNCTIONS: [&str; 4] = ["alerts_url", "headline", "range", "words"];

const GO_ADVICE: &str = "this is a Go template as Alertmanager has them, and Tera is expected here: write \
                         `template_language: go` for the receiver, or let the name of the file end in `.tmpl`; \
                         Tera writes {% include \"wechat.default.message\" %} and {{ commonLabels.alertname }}";

/// The message for a template that Tera cannot parse. `at` is the place of the error.
pub(super) fn syntax_error(source: &str, at: Position, message: &str) -> String {
    if is_go(source) {
        return GO_ADVICE.to_owned();
    }
    let line = source.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    let (before, rest) = split_at_char(line, at.column.saturating_sub(1));
    match mistake(before, rest, message) {
        Some(advice) => format!("{}; {advice}", message.trim_end_matches('.')),
        None => message.to_owned(),
    }
}

/// The correction of a mistake that people make who know another language of templates. `rest` begins with the place
/// that Tera names.
fn mistake(before: &str, rest: &str, message: &str) -> Option<String> {
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if message.starts_with("Unexpected end of input") {
        return Some(
            "close every {% if %} with {% endif %}, every {% for %} with {% endfor %}, and every {{ with }}"
                .to_owned(),
        );
    }
    if message.starts_with("Unknown tag") {
        return Some(match word.as_str() {
            "end" => "write {% endif %} or {% endfor %}".to_owned(),
            "elseif" | "elsif" | "elif" => "write {% elif … %}, within {% if … %}".to_owned(),
            _ if word.starts_with("end") => {
                format!(
                    "{{% {word} %}} does not match: close the inner block first, a for with endfor and an if with endif"
                )
            }
            _ => format!("there is no tag `{word}`; the tags are if, for, set, filter and include"),
        });
    }
    if word == "if" && before.trim_end().ends_with("else") {
        return Some("write {% elif … %} for else if".to_owned());
    }
    let c = rest.chars().next()?;
    match c {
        '“' | '”' | '‘' | '’' | '＂' | '＇' => {
            Some(format!("{} is a full-width quote: write \" or '", named_char(c)))
        }
        '&' => Some("write `and` for &&".to_owned()),
        '|' if rest.starts_with("||") || before.ends_with('|') => Some("write `or` for ||".to_owned()),
        '!' => Some("write `not x` for !x".to_owned()),
        '?' => Some("write {% if x %}a{% else %}b{% endif %} for x ? a : b".to_owned()),
        _ if !c.is_ascii() && message == "Unexpected character" => Some(format!("it is {}", named_char(c))),
        _ if c.is_ascii_digit() && before.ends_with('.')
            || rest.starts_with('.') && message.contains("float") =>
        {
            Some("write x[0] for x.0".to_owned())
        }
        _ if message.starts_with("Function calls are only allowed") => {
            Some("use a filter, as in {{ alert.startsAt | date }}".to_owned())
        }
        _ => None,
    }
}

/// `line` before and after its first `chars` characters.
fn split_at_char(line: &str, chars: usize) -> (&str, &str) {
    let at = line.char_indices().nth(chars).map_or(line.len(), |(at, _)| at);
    line.split_at(at)
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

/// The message for a reference to something unknown, such as "Unknown filter `titel`". `templates` are the names of all
/// templates.
pub(super) fn unknown_reference<'a>(
    message: &str,
    own_filters: &[&'static str],
    templates: impl IntoIterator<Item = &'a str>,
) -> String {
    let name_after = |what: &str| message.strip_prefix(what).and_then(|rest| rest.split('`').next());
    if let Some(name) = name_after("Unknown template `") {
        let stem = name.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default();
        let names: Vec<&str> = templates.into_iter().filter(|name| !name.contains('/')).collect();
        let known = names.iter().copied().find(|known| *known == stem).or_else(|| nearest(name, names));
        return match known {
            Some(known) => format!("{message}; did you mean `{known}`?"),
            None => format!(
                "{message}; list its file under `templates`; its name is that of the file without .tera"
            ),
        };
    }
    if let Some(name) = name_after("Unknown function `") {
        return match nearest(name, OWN_FUNCTIONS) {
            Some(known) => format!("{message}; did you mean `{known}`?"),
            None => format!("{message}; docs/templates.md lists the functions and filters"),
        };
    }
    let Some(name) = name_after("Unknown filter `") else { return message.to_owned() };
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
    if first == "alert" {
        return format!(
            "undefined variable `{name}`; it exists only within {{% for alert in alerts %}} … {{% endfor %}}"
        );
    }
    if let Some(field) = alert_field(name) {
        return format!("undefined variable `{name}`; did you mean `{field}`?");
    }
    let foreign = FOREIGN_VARIABLES.iter().find(|(foreign, _)| *foreign == first).map(|(_, own)| *own);
    match foreign.or_else(|| nearest(first, known.iter().copied()).filter(|near| *near != first)) {
        Some(near) => format!("undefined variable `{name}`; did you mean `{near}{rest}`?"),
        None => format!("undefined variable `{name}`; write `{{{{ {name} or \"\" }}}}` if it may be missing"),
    }
}

/// `name` with the right spelling of its last name, if that is a field of an alert in capitals as in Go.
fn alert_field(name: &str) -> Option<String> {
    const FIELDS: [&str; 7] =
        ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"];
    let (parent, last) = name.rsplit_once('.')?;
    let is_pairs = parent.ends_with("abels") || parent.ends_with("nnotations");
    let field = FIELDS.into_iter().find(|field| field.eq_ignore_ascii_case(last) && *field != last)?;
    (!is_pairs).then(|| format!("{parent}.{field}"))
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
        let message = |name: &str| unknown_reference(&format!("Unknown filter `{name}`"), &["since"], []);
        assert_eq!(message("titel"), "Unknown filter `titel`; did you mean `title`?");
        assert_eq!(message("sinc"), "Unknown filter `sinc`; did you mean `since`?");
        assert_eq!(message("toUpper"), "Unknown filter `toUpper`; did you mean `upper`?");
        assert_eq!(message("shout"), "Unknown filter `shout`; docs/templates.md lists the filters");
        assert_eq!(unknown_reference("Unknown test `x`", &[], []), "Unknown test `x`");
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
