//! Whole templates: actions, blocks and definitions.

use proptest::{prelude::*, sample::Index};

use super::{
    literals::{Text, one_of, pieces_of},
    operands::{Dot, Operands, TIME_FORMATS},
};

/// White space and comments around which trim markers work.
fn plain() -> Text {
    pieces_of(
        &[
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
            "{{- /* {{ \n */}}",
            "{{/**/ -}}",
            "\u{a0}",
            "\u{b}",
            "-}}",
            "{ {",
            "\"",
        ],
        4,
    )
}

/// An action with one of the ways to write its delimiters.
fn action(inner: &Text) -> Text {
    let left = one_of(&["{{", "{{ ", "{{ ", "{{- ", "{{-\n", "{{\n", "{{\t", "{{- \r\n "]);
    let right = one_of(&["}}", " }}", " }}", " -}}", "\n-}}", "\n}}", "\t}}", " \r\n -}}"]);
    (left, inner.clone(), right).prop_map(|(left, inner, right)| left + &inner + &right).boxed()
}

/// A template that declares `$t`, `$n` and `$b`, and perhaps defines others.
pub(super) fn template() -> Text {
    let body = blocks(3, Dot::Data);
    let definitions = prop_oneof![
        3 => Just(String::new()),
        1 => (definition(), one_of(&["{{ template \"t\" $ }}", "{{ template \"t\" }}", "{{ template \"t\" .Status }}", "",
            "{{ template \"nope\" . }}", "{{- template `t` (index .Alerts 0) -}}", "{{ template \"t\" $t | print }}"]))
            .prop_map(|(definition, call)| definition + &call),
        1 => body.clone().prop_map(|body| {
            format!("{{{{ block \"b\" . }}}}{{{{ $t := \"\" }}}}{{{{ $n := 1 }}}}{{{{ $b := true }}}}{body}{{{{ end }}}}")
        }),
    ];
    let declared = "{{ $t := .Receiver }}{{ $n := 2 }}{{ $b := false }}";
    (definitions, body).prop_map(move |(definitions, body)| format!("{declared}{definitions}{body}")).boxed()
}

/// A definition of the template `t`.
fn definition() -> Text {
    let declared = "{{ $t := \"x\" }}{{ $n := 3 }}{{ $b := true }}";
    prop_oneof![
        blocks(1, Dot::Data)
            .prop_map(move |body| format!("{{{{ define \"t\" }}}}{declared}{body}{{{{ end }}}}")),
        one_of(&[
            "{{ define \"t\" }}[{{ print . | len | lt 0 }}]{{ end }}",
            "{{- define `t` -}} {{ with $ }}{{ len . }}{{ end }} {{- end -}}",
            "{{define \"t\"}}{{if .}}yes{{else}}no{{end}}{{end}}",
            "{{ define \"t\" }}{{ template \"u\" . }}{{ end }}{{ define \"u\" }}{{ printf \"%T\" . | len | ge 0 }}{{ end }}",
            "{{ define \"t\" }}{{ .Status }}{{ end }}{{ define \"t\" }} {{/* blank */}} {{ end }}",
            "{{ define \"t\" }}a{{ end }}{{ define \"t\" }}b{{ end }}",
            "{{ define \"t\" }}{{ $t }}{{ end }}",
            "{{ if true }}{{ define \"t\" }}{{ end }}{{ end }}",
            "{{ define t }}{{ end }}",
            "{{ define \"t\" . }}{{ end }}",
            "{{ define \"t\" }}",
            "{{ define 't' }}{{ end }}",
            "{{ block \"t\" }}x{{ end }}",
            "{{ block \"t\" .Status }}<{{ print . | not }}>{{ end }}",
            "{{ define \"t\" }}{{ break }}{{ end }}",
        ]),
    ]
    .boxed()
}

/// A few blocks one after the other.
fn blocks(depth: usize, dot: Dot) -> Text {
    proptest::collection::vec(block(depth, dot), 0..4).prop_map(|pieces| pieces.concat()).boxed()
}

fn block(depth: usize, dot: Dot) -> Text {
    let operands = Operands::of(dot);
    let any = operands.any();
    if depth == 0 {
        return simple(&any);
    }
    let inner = |dot| blocks(depth - 1, dot);
    let same = inner(dot);
    prop_oneof![
        5 => simple(&any),
        1 => conditions(&operands, &same),
        1 => with(&any, &inner(Dot::Text), &same),
        1 => range("$.Alerts", &["$.Alerts", "$.Alerts.Firing", "$.Alerts.Resolved", "(slice $.Alerts 0 0)", "(slice $.Alerts 1)"],
            &operands, &inner(Dot::Alert), &same),
        1 => range("", &["$.CommonLabels", "$.CommonLabels.Names", "(stringSlice $t \"b\")", "nil", "$.CommonAnnotations",
            "$.Status", "$", "true", "1.5", "(index $.Alerts 0).Labels"], &operands, &inner(Dot::Text), &same),
        1 => range("", &["$.CommonLabels.SortedPairs", "(index $.Alerts 0).Labels.SortedPairs"],
            &operands, &inner(Dot::Pair), &same),
    ]
    .boxed()
}

/// A text, or an action without a body.
fn simple(any: &Text) -> Text {
    let function = one_of(&[
        "len",
        "toUpper",
        "print",
        "printf \"%v|\"",
        "html",
        "not",
        "title | urlquery",
        "index 1",
        "print 1 | print 2",
        "eq 1",
        "join \",\"",
        "slice",
        "toUpper 1",
        "2",
        "$t",
        ".Status",
        "js",
        "nil",
    ]);
    let statement = one_of(&[
        "break",
        "continue",
        "$t = \"y\"",
        "$n = 4",
        "$b = true",
        "$q = 1",
        "nil",
        "",
        "else",
        "end",
        "$t := 1",
        "$n, $b := 1",
        "else if true",
        "template \"t\"",
        "break 1",
        "if",
        "$t.Foo",
        "$n $b",
        "$",
        ".",
        "- 1",
        "-1",
        "1 -}}{{- 2",
        "(",
        "\"",
        "range",
        "$t, $n = 1",
        "$t := $t := 1",
        "with",
        "define \"x\"",
        "block",
        "template",
        "|",
        "$t = \"z\" | print",
        "@",
        "#",
        "_",
        "a.b",
        ".a..b",
        ". .",
        "$.",
        "$..a",
        ".中",
        "$中 := 1",
        "é",
        "print\u{3000}1",
        "print,1",
        "print;1",
        "1|print",
        "1| |print",
        "/* c */",
        "-",
        "--",
        "\\",
        "`a",
        "'a'",
        ".1",
        ".1.a",
        "x.y",
        "nil.x",
    ]);
    let variable = (any.clone(), any.clone())
        .prop_map(|(a, b)| format!("{{{{ $x := {a} }}}}{{{{ $x }}}}{{{{ $x = {b} }}}}{{{{$x}}}}"));
    let piped = (any.clone(), function).prop_map(|(any, function)| format!("{any} | {function}")).boxed();
    prop_oneof![
        20 => plain(),
        30 => action(any),
        8 => variable,
        10 => action(&piped),
        1 => action(&statement),
    ]
    .boxed()
}

fn conditions(operands: &Operands, body: &Text) -> Text {
    let (boolean, any) = (operands.boolean.clone(), operands.any());
    prop_oneof![
        (boolean.clone(), body.clone(), body.clone())
            .prop_map(|(test, a, b)| format!("{{{{ if {test} }}}}{a}{{{{ else }}}}{b}{{{{ end }}}}")),
        (boolean.clone(), body.clone())
            .prop_map(|(test, a)| format!("{{{{- if {test} -}}}}{a}{{{{- end -}}}}")),
        (boolean, any, body.clone(), body.clone(), body.clone()).prop_map(|(a, b, x, y, z)| {
            format!(
                "{{{{if {a}}}}}{x}{{{{ else if $y := {b} }}}}{{{{ $y }}}}{y}{{{{- else -}}}}{z}{{{{end}}}}"
            )
        }),
    ]
    .boxed()
}

fn with(any: &Text, body: &Text, same: &Text) -> Text {
    (any.clone(), one_of(&["", "$w := ", "$t := ", "$n = "]), body.clone(), same.clone())
        .prop_map(|(any, declared, a, b)| {
            format!("{{{{ with {declared}{any} }}}}{{{{ . | print }}}}{a}{{{{ else }}}}{b}{{{{ end }}}}")
        })
        .boxed()
}

/// A range over one of `lists`, with and without variables, `else` and jumps.
fn range(
    alerts: &'static str,
    lists: &[&'static str],
    operands: &Operands,
    body: &Text,
    same: &Text,
) -> Text {
    let list = one_of(lists);
    let shown = if alerts.is_empty() { "{{ $e }}" } else { "{{ $e.Status }}" };
    let jump = (operands.boolean.clone(), one_of(&["break", "continue"]))
        .prop_map(|(test, jump)| format!("{{{{ if {test} }}}}{{{{ {jump} }}}}{{{{ end }}}}"));
    let jump = prop_oneof![2 => Just(String::new()), 1 => jump].boxed();
    prop_oneof![
        (list.clone(), jump.clone(), body.clone(), same.clone()).prop_map(|(list, jump, a, b)| format!(
            "{{{{ range {list} }}}}{jump}{a}{{{{ else }}}}{b}{{{{ end }}}}"
        )),
        (list.clone(), jump, body.clone()).prop_map(move |(list, jump, body)| {
            format!("{{{{ range $i, $e := {list} }}}}{{{{ $i }}}}{shown}{jump}{body}{{{{ end }}}}")
        }),
        (list, one_of(&["$t := ", "$e := ", "$n, $t := ", "$q = "]), body.clone()).prop_map(
            |(list, declared, body)| format!("{{{{- range {declared}{list} -}}}}{body}{{{{- end -}}}}")
        ),
    ]
    .boxed()
}

/// A template with a few changes.
pub(super) fn broken() -> Text {
    let piece = one_of(&[
        "{{",
        "}}",
        "(",
        ")",
        "\"",
        "|",
        ".",
        " ",
        "-",
        "$",
        ":=",
        "=",
        ",",
        "end",
        "else",
        "1",
        "`",
        "'",
        "x",
        "",
        "{{end}}",
        "{{else}}",
        " -}}",
        "{{- ",
        "/*",
        "*/",
        "\\",
        "\n",
        "\t",
        "中",
        "é",
        "\u{3000}",
        "%",
        "if",
        "range",
        "with",
        "nil",
        "true",
        "print",
        "len",
        "$.",
        "$t",
        ".Status",
        "0x",
        "e",
        "_",
        "+",
        ":",
        ";",
        "@",
        "{",
        "}",
        "<",
        "&",
        "\r",
        "\u{7f}",
        "break",
        "continue",
        "define",
        "template",
        "block",
        "#",
        "\u{a0}",
        "1.",
        "''",
        "\"\"",
        "()",
        "{{}}",
        "{{/* */}}",
    ]);
    let change = (any::<Index>(), 0..3usize, piece);
    let changes = proptest::collection::vec(change, 1..4);
    // Small templates break in more ways.
    let template =
        prop_oneof![1 => template(), 2 => block(1, Dot::Data), 1 => simple(&Operands::of(Dot::Data).any())];
    // A changed format of a time would show its private fields.
    let shows_time =
        |template: &String| TIME_FORMATS.iter().any(|format| template.contains(&format!("(printf {format}")));
    let template = template.prop_filter("shows a time", move |template| !shows_time(template));
    (template, changes)
        .prop_map(|(template, changes)| {
            let mut chars: Vec<char> = template.chars().collect();
            for (at, removed, piece) in changes {
                let at = at.index(chars.len() + 1);
                let end = (at + removed).min(chars.len());
                chars.splice(at..end, piece.chars());
            }
            chars.into_iter().collect()
        })
        .boxed()
}
