//! Advice for errors that people often make in Go templates.

use super::functions;
use crate::nearest::nearest;

const DATA_FIELDS: [&str; 9] = [
    "Alerts",
    "CommonAnnotations",
    "CommonLabels",
    "ExternalURL",
    "GroupLabels",
    "NotificationReason",
    "Receiver",
    "RouteLabels",
    "Status",
];
const ALERT_FIELDS: [&str; 7] =
    ["Annotations", "EndsAt", "Fingerprint", "GeneratorURL", "Labels", "StartsAt", "Status"];
/// Fields that only Grafana sends.
const GRAFANA_FIELDS: [&str; 11] = [
    "DashboardURL",
    "EmbeddedImage",
    "ImageURL",
    "Message",
    "OrgID",
    "PanelURL",
    "RuleUID",
    "SilenceURL",
    "Title",
    "ValueString",
    "Values",
];

/// Functions of other programs, with what Alertmanager has instead.
const FOREIGN_FUNCTIONS: [(&str, &str); 10] = [
    ("upper", "toUpper"),
    ("lower", "toLower"),
    ("trim", "trimSpace"),
    ("replace", "reReplaceAll"),
    ("regexReplaceAll", "reReplaceAll"),
    ("dateInZone", "tz and date"),
    ("default", "or"),
    ("toString", "print"),
    ("urlEncode", "urlquery"),
    ("b64enc", "base64encode"),
];

/// The end of the error for a field that a value of this type does not have. It begins with a semicolon, or is empty.
pub(super) fn missing_field(field: &str, type_name: &str) -> String {
    let fields: &[&str] = match type_name {
        "template.Data" => &DATA_FIELDS,
        "template.Alert" => &ALERT_FIELDS,
        _ => &[],
    };
    let is_list = matches!(type_name, "template.Alerts" | "[]template.Alert");
    if type_name == "template.Data" && ALERT_FIELDS.contains(&field) {
        let common = match field {
            "Labels" | "Annotations" => format!(", or use .Common{field}"),
            _ => String::new(),
        };
        return format!("; only an alert has it: write it within {{{{ range .Alerts }}}}{common}");
    }
    if type_name == "template.Alert" && DATA_FIELDS.contains(&field) {
        return format!("; write $.{field}");
    }
    if GRAFANA_FIELDS.contains(&field) {
        return "; only Grafana sends it".to_owned();
    }
    if is_list && ALERT_FIELDS.contains(&field) {
        return "; only an alert has it: write it within {{ range }}".to_owned();
    }
    match nearest(field, fields.iter().copied()) {
        Some(near) => format!("; did you mean .{near}?"),
        None => String::new(),
    }
}

/// The end of the error for a method with several results, which a template cannot call.
pub(super) fn several_results(method: &str) -> &'static str {
    match method {
        "Date" => "; use Year, Month and Day",
        "Clock" => "; use Hour, Minute and Second",
        "ISOWeek" => "; use YearDay",
        "Zone" => "; use Format \"MST -0700\"",
        _ => "",
    }
}

/// The end of the error for an unknown function. It begins with a semicolon, or is empty.
pub(super) fn missing_function(name: &str) -> String {
    let foreign = FOREIGN_FUNCTIONS.iter().find(|(foreign, _)| *foreign == name).map(|(_, own)| *own);
    match foreign.or_else(|| nearest(name, functions::names())) {
        Some(own) => format!("; did you mean {own}?"),
        None => String::new(),
    }
}

/// The beginning of an action that only Tera has.
const TERA_WORDS: [&str; 12] = [
    "include",
    "for",
    "endfor",
    "if",
    "elif",
    "else",
    "endif",
    "set",
    "block",
    "endblock",
    "extends",
    "component",
];

/// True if `source` has an action of Tera.
pub(super) fn is_tera(source: &str) -> bool {
    source.split("{%").skip(1).any(|action| {
        let action = action.trim_start_matches('-').trim_start();
        let word = action.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        TERA_WORDS.contains(&word) && action.contains("%}")
    })
}

pub(super) const TERA_ADVICE: &str = "this is a Tera template, and Go is expected here: write `template_language: tera` for \
                                      the receiver, or let the name of the file end in `.tera`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_field_has_advice() {
        assert!(missing_field("Labels", "template.Data").ends_with("or use .CommonLabels"));
        assert!(missing_field("StartsAt", "template.Data").ends_with("within {{ range .Alerts }}"));
        assert_eq!(missing_field("CommonLabels", "template.Alert"), "; write $.CommonLabels");
        assert_eq!(missing_field("ValueString", "template.Alert"), "; only Grafana sends it");
        assert_eq!(missing_field("CommonLables", "template.Data"), "; did you mean .CommonLabels?");
        assert_eq!(missing_field("Foo", "string"), "");
    }

    #[test]
    fn an_unknown_function_has_advice() {
        assert_eq!(missing_function("upper"), "; did you mean toUpper?");
        assert_eq!(missing_function("reReplaceAl"), "; did you mean reReplaceAll?");
        assert_eq!(missing_function("markdown"), "");
    }

    #[test]
    fn templates_of_tera_are_recognized() {
        assert!(is_tera("{% include \"x\" %}") && is_tera("a {%- for a in alerts -%}"));
        assert!(!is_tera("100{% } {%") && !is_tera("{{ .Status }}") && !is_tera("{% x %}"));
    }
}
