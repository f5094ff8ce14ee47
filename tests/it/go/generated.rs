//! Compares generated templates with `amtool`.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::amtool::Amtool;

/// Templates for one run of `amtool`.
const TEMPLATES: usize = 40;

type Text = BoxedStrategy<String>;

fn one_of(texts: &[&'static str]) -> Text {
    proptest::sample::select(texts.to_vec()).prop_map(str::to_owned).boxed()
}

/// A literal of Go for a string.
fn quoted() -> Text {
    let plain = proptest::collection::vec(
        proptest::sample::select(vec![
            "a", "B", "中", "é", "ß", " ", "  ", "0", "42", "-", ".", ":", "<", "&", "\\n", "\\t", "\\\"",
            "\\\\", "\\x41", "\\u4e2d", "\\xff", "%", "$1", "/", "'", "_", "ǆ", "\\u200b", "😀",
        ]),
        0..8,
    );
    plain.prop_map(|pieces| format!("\"{}\"", pieces.concat())).boxed()
}

fn integer() -> Text {
    prop_oneof![
        (-3i64..20).prop_map(|number| number.to_string()),
        one_of(&["0x1F", "017", "0b11", "1_000", "'x'", "1e3", "28800e9", "-0x1e", "9223372036854775807"]),
    ]
    .boxed()
}

fn float() -> Text {
    prop_oneof![
        (-1e7f64..1e7).prop_map(|number| format!("{number:.3}")),
        (-1e-3f64..1e-3).prop_map(|number| format!("{number:.9}")),
        one_of(&["1.5", "0.0", "1e20", "1e21", "2.5e-7", "1234567.0", "100000.0", ".5", "-0.0"]),
    ]
    .boxed()
}

const VERBS: &[char] = &['v', 's', 'd', 'q', 'x', 'X', 'f', 'g', 't', 'o', 'O', 'b', 'c', 'U', 'T', 'z'];
/// Without those that write a float in base 2 or 16.
const FLOAT_VERBS: &[char] = &['v', 's', 'd', 'q', 'f', 'F', 'g', 'G', 'e', 'E', 't', 'c', 'T'];

/// A verb of `printf` with flags, a width and a precision.
fn verb(verbs: &'static [char]) -> Text {
    let flags = "[-+# 0]{0,2}";
    let width = "([1-9]|1[0-9])?(\\.[0-9]?)?";
    (flags, width, proptest::sample::select(verbs))
        .prop_map(|(flags, width, verb)| format!("%{flags}{width}{verb}"))
        .boxed()
}

fn format(verbs: &'static [char]) -> Text {
    let piece = prop_oneof![3 => verb(verbs), 2 => one_of(&["a", " ", "中", "%%", "[", "%[1]v", "%[2]s", "%!", "%*d"])];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat())).boxed()
}

fn layout() -> Text {
    let piece = proptest::sample::select(vec![
        "2006", "06", "January", "Jan", "1", "01", "Monday", "Mon", "2", "_2", "02", "__2", "002", "15", "3",
        "03", "4", "04", "5", "05", "PM", "pm", "MST", "Z0700", "Z07:00", "Z070000", "-0700", "-07:00",
        "-07", ".000", ".999", ",00", ".9", "-", ":", " ", "T", "年", "x", "0", "Z", ".", "_",
    ]);
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| format!("\"{}\"", pieces.concat())).boxed()
}

fn pattern() -> Text {
    let piece = proptest::sample::select(vec![
        "a",
        "b",
        "1",
        "中",
        ".",
        "\\\\d",
        "\\\\w",
        "\\\\s",
        "\\\\b",
        "\\\\W",
        "\\\\S",
        "\\\\D",
        "(",
        ")",
        "(?:",
        "(?i)",
        "(?P<x>",
        "|",
        "*",
        "+",
        "?",
        "*?",
        "{2}",
        "{,2}",
        "{1,}",
        "[a-z]",
        "[^a]",
        "[[:alpha:]]",
        "[\\\\d-]",
        "[a&&b]",
        "^",
        "$",
        "\\\\.",
        "\\\\pL",
        "\\\\p{Han}",
        "\\\\Qa.\\\\E",
        "]",
        "}",
        "[",
        "\\\\x41",
        "é",
    ]);
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat())).boxed()
}

fn replacement() -> Text {
    let piece = proptest::sample::select(vec![
        "$1", "${1}", "$x", "${x}", "$$", "$", "分", "a", "$0", "$01", "-", "${", "}",
    ]);
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat())).boxed()
}

/// The operands of each type.
#[derive(Clone)]
struct Operands {
    text: Text,
    integer: Text,
    boolean: Text,
    time: Text,
}

impl Operands {
    fn leaves() -> Self {
        Self {
            text: prop_oneof![
                quoted(),
                one_of(&[
                    "$.Status",
                    "$.Receiver",
                    "$.CommonLabels.job",
                    "$.CommonLabels.nope",
                    "$.ExternalURL",
                    "(index $.Alerts 0).Labels.instance",
                    "(index $.Alerts 0).Annotations.summary",
                    "(index $.Alerts 1).Labels.b",
                    "(index $.Alerts 0).Annotations.description",
                    "(index $.CommonLabels \"job\")",
                    "(index $.CommonLabels.SortedPairs 0).Name",
                    "`raw \\n \"`",
                ]),
            ]
            .boxed(),
            integer: integer(),
            boolean: one_of(&["true", "false", "(index $.Alerts 0).EndsAt.IsZero"]),
            time: one_of(&[
                "(index $.Alerts 0).StartsAt",
                "(index $.Alerts 1).StartsAt",
                "(index $.Alerts 1).EndsAt",
                "(index $.Alerts 0).EndsAt",
            ]),
        }
    }

    /// Operands that contain these ones.
    fn deeper(&self) -> Self {
        let (text, integer, boolean, time) =
            (self.text.clone(), self.integer.clone(), self.boolean.clone(), self.time.clone());
        let list = prop_oneof![
            one_of(&[
                "$.CommonLabels.Names",
                "$.CommonLabels.Values",
                "$.CommonLabels.SortedPairs.Values",
                "($.CommonLabels.Remove $.GroupLabels.Names).Names",
            ]),
            (text.clone(), text.clone()).prop_map(|(a, b)| format!("(stringSlice {a} {b})")),
        ];
        let any = prop_oneof![text.clone(), integer.clone(), float(), boolean.clone(), time.clone()].boxed();
        let no_float = prop_oneof![text.clone(), integer.clone(), boolean.clone()].boxed();
        let deeper_text = prop_oneof![
            (one_of(&["toUpper", "toLower", "title", "html", "js", "urlquery", "print"]), text.clone())
                .prop_map(|(name, text)| format!("({name} {text})")),
            (one_of(&["html", "js", "urlquery", "print", "println"]), any.clone(), any.clone())
                .prop_map(|(name, a, b)| format!("({name} {a} {b})")),
            (format(VERBS), no_float.clone(), no_float)
                .prop_map(|(format, a, b)| format!("(printf {format} {a} {b})")),
            (format(FLOAT_VERBS), float(), text.clone())
                .prop_map(|(format, a, b)| format!("(printf {format} {a} {b})")),
            // Other verbs show private fields of a time.
            (one_of(&["%v|%s", "%20v", "%-20s", "%q", "%x", "%X|%.5s"]), time.clone(), text.clone())
                .prop_map(|(format, a, b)| format!("(printf \"{format}\" {a} {b})")),
            (pattern(), replacement(), text.clone())
                .prop_map(|(a, b, c)| format!("(reReplaceAll {a} {b} {c})")),
            (text.clone(), list.clone()).prop_map(|(a, b)| format!("(join {a} {b})")),
            (text.clone(), 0..4usize, 0..6usize).prop_map(|(text, a, b)| format!("(slice {text} {a} {b})")),
            (layout(), time.clone()).prop_map(|(layout, time)| format!("({time}.Format {layout})")),
            (text.clone(), text.clone()).prop_map(|(a, b)| format!("(or {a} {b})")),
        ];
        let deeper_integer = prop_oneof![
            text.clone().prop_map(|text| format!("(len {text})")),
            list.prop_map(|list| format!("(len {list})")),
            (text.clone(), 0..5usize).prop_map(|(text, index)| format!("(index {text} {index})")),
            one_of(&["(len $.Alerts)", "($.Alerts.Firing | len)", "(len $.CommonLabels)"]),
            (
                time.clone(),
                one_of(&[
                    "Unix",
                    "UnixNano",
                    "Year",
                    "Month",
                    "Day",
                    "Hour",
                    "YearDay",
                    "Weekday",
                    "Nanosecond"
                ])
            )
                .prop_map(|(time, method)| format!("{time}.{method}")),
        ];
        let compare = one_of(&["eq", "ne", "lt", "le", "gt", "ge"]);
        let deeper_boolean = prop_oneof![
            (compare.clone(), text.clone(), text.clone())
                .prop_map(|(name, a, b)| format!("({name} {a} {b})")),
            (compare, integer.clone(), integer.clone()).prop_map(|(name, a, b)| format!("({name} {a} {b})")),
            (one_of(&["eq", "lt", "and", "or"]), any.clone(), any.clone())
                .prop_map(|(name, a, b)| format!("({name} {a} {b})")),
            (pattern(), text.clone()).prop_map(|(pattern, text)| format!("(match {pattern} {text})")),
            any.prop_map(|any| format!("(not {any})")),
            (one_of(&["After", "Before", "Equal"]), time.clone(), time.clone())
                .prop_map(|(method, a, b)| format!("({a}.{method} {b})")),
        ];
        let deeper_time = prop_oneof![
            (time.clone(), integer.clone()).prop_map(|(time, by)| format!("({time}.Add {by})")),
            (time.clone(), -30..30i32, -30..30i32, -500..500i32)
                .prop_map(|(time, years, months, days)| format!("({time}.AddDate {years} {months} {days})")),
            (time.clone(), one_of(&["UTC", "Local"])).prop_map(|(time, method)| format!("{time}.{method}")),
            (time, one_of(&["Truncate", "Round"]), one_of(&["1e9", "3600e9", "86400e9", "7"]))
                .prop_map(|(time, method, unit)| format!("({time}.{method} {unit})")),
        ];
        Self {
            text: prop_oneof![1 => text, 3 => deeper_text].boxed(),
            integer: prop_oneof![1 => integer, 2 => deeper_integer].boxed(),
            boolean: prop_oneof![1 => boolean, 3 => deeper_boolean].boxed(),
            time: prop_oneof![1 => self.time.clone(), 2 => deeper_time].boxed(),
        }
    }

    fn any(&self) -> Text {
        let Self { text, integer, boolean, time } = self.clone();
        let span = (time.clone(), time.clone()).prop_map(|(a, b)| format!("({a}.Sub {b})"));
        let span =
            (span, one_of(&["", ".Hours", ".Minutes", ".Seconds", ".String", ".Milliseconds", ".Abs"]))
                .prop_map(|(span, method)| span + &method);
        prop_oneof![4 => text, 2 => integer, 1 => float(), 2 => boolean, 2 => time, 1 => span].boxed()
    }
}

/// White space and comments around which trim markers work.
fn plain() -> Text {
    let pieces = one_of(&[
        "a",
        " ",
        "\n",
        "\t",
        "\u{3000}",
        "中",
        "{",
        "}",
        "-",
        "{{/* c */}}",
        "{{- /* c */ -}}",
        "\r\n",
        "% }",
    ]);
    proptest::collection::vec(pieces, 0..4).prop_map(|pieces| pieces.concat()).boxed()
}

fn action(inner: String, trims: [bool; 2]) -> String {
    let [left, right] = trims;
    format!("{{{{{}{inner}{}}}}}", if left { "- " } else { "" }, if right { " -" } else { "" })
}

fn template() -> Text {
    let operands = Operands::leaves().deeper().deeper();
    let (any, boolean) = (operands.any(), operands.boolean);
    let printed =
        (any.clone(), proptest::arbitrary::any::<[bool; 2]>()).prop_map(|(any, trims)| action(any, trims));
    let variable = (any.clone(), any.clone())
        .prop_map(|(a, b)| format!("{{{{ $x := {a} }}}}{{{{ $x }}}}{{{{ $x = {b} }}}}{{{{ $x }}}}"));
    let piped = (
        any.clone(),
        one_of(&["len", "toUpper", "print", "printf \"%v|\"", "html", "not", "title | urlquery"]),
    )
        .prop_map(|(any, function)| format!("{{{{ {any} | {function} }}}}"));
    let leaf = prop_oneof![2 => plain(), 4 => printed, 1 => variable, 1 => piped];
    let block = leaf.prop_recursive(3, 24, 4, move |inner| {
        let body = proptest::collection::vec(inner, 0..4).prop_map(|pieces| pieces.concat()).boxed();
        let list = one_of(&[
            "$.Alerts", "$.Alerts.Firing", "$.Alerts.Resolved", "$.CommonLabels", "(slice $.Alerts 0 0)",
            "$.CommonLabels.SortedPairs", "nil", "$.Status",
        ]);
        prop_oneof![
            body.clone(),
            (boolean.clone(), body.clone(), body.clone())
                .prop_map(|(test, a, b)| format!("{{{{ if {test} }}}}{a}{{{{ else }}}}{b}{{{{ end }}}}")),
            (any.clone(), any.clone(), body.clone(), body.clone()).prop_map(|(a, b, x, y)| {
                format!("{{{{ if {a} }}}}{x}{{{{ else if $y := {b} }}}}{{{{ $y }}}}{y}{{{{ end }}}}")
            }),
            (any.clone(), body.clone(), body.clone()).prop_map(|(any, a, b)| {
                format!("{{{{ with $w := {any} }}}}{{{{ . }}}}{{{{ $w }}}}{a}{{{{ else }}}}{b}{{{{ end }}}}")
            }),
            (list.clone(), body.clone(), body.clone())
                .prop_map(|(list, a, b)| format!("{{{{ range {list} }}}}{a}{{{{ else }}}}{b}{{{{ end }}}}")),
            (list, boolean.clone(), one_of(&["break", "continue"]), body)
                .prop_map(|(list, test, jump, body)| format!(
                    "{{{{ range $i, $e := {list} }}}}{{{{ $i }}}}{{{{ if {test} }}}}{{{{ {jump} }}}}{{{{ end }}}}{body}{{{{ end }}}}"
                )),
        ]
    });
    proptest::collection::vec(block, 1..4).prop_map(|pieces| pieces.concat()).boxed()
}

/// A template with one change.
fn broken() -> Text {
    let pieces = one_of(&[
        "{{", "}}", "(", ")", "\"", "|", ".", " ", "-", "$", ":=", "=", ",", "end", "else", "1", "`", "'",
        "x",
    ]);
    (template(), any::<proptest::sample::Index>(), 0..3usize, pieces)
        .prop_map(|(template, at, removed, piece)| {
            let chars: Vec<char> = template.chars().collect();
            let at = at.index(chars.len() + 1);
            let (before, after) = chars.split_at(at);
            let after = after.iter().skip(removed);
            before.iter().collect::<String>() + &piece + &after.collect::<String>()
        })
        .boxed()
}

/// Runs `cases` times.
fn compare(cases: u32, template: &Text) {
    let Some(amtool) = Amtool::find("Asia/Shanghai") else { return };
    let config = Config { cases, max_shrink_iters: 60, failure_persistence: None, ..Config::default() };
    let templates = proptest::collection::vec(template.clone(), TEMPLATES);
    let result = TestRunner::new(config).run(&templates, |templates| {
        amtool.compare(&templates);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn generated_templates_equal_amtool() {
    compare(6, &template());
}

#[test]
fn broken_templates_are_refused_as_by_amtool() {
    compare(3, &broken());
}
