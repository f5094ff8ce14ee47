//! Literals of Go, and the small languages within strings: formats, layouts and patterns.

use proptest::prelude::*;

pub(super) type Text = BoxedStrategy<String>;

pub(super) fn one_of(texts: &[&'static str]) -> Text {
    proptest::sample::select(texts.to_vec()).prop_map(str::to_owned).boxed()
}

/// Up to `count` of `pieces`, one after the other.
pub(super) fn pieces_of(pieces: &[&'static str], count: usize) -> Text {
    let pieces = proptest::sample::select(pieces.to_vec());
    proptest::collection::vec(pieces, 0..=count).prop_map(|pieces| pieces.concat()).boxed()
}

/// `inside` between quotation marks.
fn in_quotes(inside: Text) -> Text {
    inside.prop_map(|inside| format!("\"{inside}\"")).boxed()
}

const STRING_PIECES: &[&str] = &[
    "a",
    "B",
    "中",
    "é",
    "ß",
    " ",
    "  ",
    "0",
    "42",
    "-",
    ".",
    ":",
    "<",
    "&",
    "\\n",
    "\\t",
    "\\\"",
    "\\\\",
    "\\x41",
    "\\u4e2d",
    "\\xff",
    "%",
    "$1",
    "/",
    "'",
    "_",
    "ǆ",
    "\\u200b",
    "😀",
    "\\101",
    "\\r",
    "=",
    "+",
    "`",
    "\\U0001f600",
    "’",
    "İ",
    "K",
    "ﬁ",
    "\u{3000}",
    "{{",
    "}}",
    "Σ",
    "ά",
    "\\xe4\\xb8",
    "@",
    "ΑΣ ",
    "ŉ",
];

/// A string.
pub(super) fn quoted() -> Text {
    prop_oneof![
        9 => in_quotes(pieces_of(STRING_PIECES, 7)),
        1 => pieces_of(&["a", "\\n", "\"", "中", " ", "\n", "\r\n", "'", "{{", "%d", "$1"], 5)
            .prop_map(|raw| format!("`{raw}`")),
    ]
    .boxed()
}

pub(super) fn integer() -> Text {
    prop_oneof![
        3 => (-3i64..20).prop_map(|number| number.to_string()),
        2 => one_of(&[
            "0x1F", "017", "0b11", "1_000", "'x'", "1e3", "28800e9", "-0x1e", "9223372036854775807", "0o17", "0X1f",
            "0x_1F", "-9223372036854775808", "'中'", "'\\n'", "'\\x41'", "'\\u4e2d'", "'\\''", "+5", "0B1", "1E2", "00",
            "0_7", "3600e9", "-1e3",
        ]),
    ]
    .boxed()
}

pub(super) fn float() -> Text {
    prop_oneof![
        (-1e7f64..1e7).prop_map(|number| format!("{number:.3}")),
        (-1e-3f64..1e-3).prop_map(|number| format!("{number:.9}")),
        one_of(&[
            "1.5",
            "0.0",
            "1e20",
            "1e21",
            "2.5e-7",
            "1234567.0",
            "100000.0",
            ".5",
            "-0.0",
            "1.",
            "0x1.8p1",
            "0x1p-2",
            "1_0.5",
            "+2.5",
            "1e-320",
            "1.7976931348623157e308",
            "123456789.0",
            "-.5e-3",
            "0x.8p0",
            "5e-324",
            "1e6",
        ]),
    ]
    .boxed()
}

/// What nobody should write as a number.
pub(super) fn odd_number() -> Text {
    one_of(&[
        "08",
        "1__0",
        "0x",
        "1e",
        "1e400",
        "99999999999999999999",
        "18446744073709551615",
        "0b2",
        "1.2.3",
        "0x1.8",
        "1_",
        "'ab'",
        "''",
        "'\\q'",
        "--1",
        "+-1",
        "1a",
        "0o8",
        "-18446744073709551615",
        "+18446744073709551615",
        "0_x1",
        "0x1p",
        "1e1_0",
        "_1",
        "'\\400'",
        "'\\ud800'",
        "9223372036854775808",
        "-9223372036854775809",
        "'",
        "'\\xff'",
    ])
}

/// A verb of `printf` with flags, a width, a precision and an index.
fn verb() -> Text {
    let verbs = proptest::sample::select("vsdqxXfgtoObcUTzeEFGp".chars().collect::<Vec<_>>());
    ("(\\[[0-3]\\])?", "[-+# 0]{0,3}", "([1-9]|1[0-9])?(\\.[0-9]?)?", verbs)
        .prop_map(|(index, flags, width, verb)| format!("%{flags}{width}{index}{verb}"))
        .boxed()
}

pub(super) fn format() -> Text {
    let other = one_of(&[
        "a",
        " ",
        "中",
        "%%",
        "[",
        "%[1]v",
        "%[2]s",
        "%!",
        "%*d",
        "%-*d",
        "%.*f",
        "%[3]*d",
        "%[x]d",
        "%",
        "%.-3d",
        "%中",
        "%5%",
        "%[1]",
        "%-010d",
        "%[9]d",
        "%*[1]d",
        "%[2]*[1]d",
    ]);
    let piece = prop_oneof![3 => verb(), 2 => other];
    in_quotes(proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat()).boxed())
}

pub(super) fn layout() -> Text {
    in_quotes(pieces_of(
        &[
            "2006",
            "06",
            "January",
            "Jan",
            "1",
            "01",
            "Monday",
            "Mon",
            "2",
            "_2",
            "02",
            "__2",
            "002",
            "15",
            "3",
            "03",
            "4",
            "04",
            "5",
            "05",
            "PM",
            "pm",
            "MST",
            "Z0700",
            "Z07:00",
            "Z070000",
            "Z07:00:00",
            "-0700",
            "-07:00",
            "-07",
            "-070000",
            "-07:00:00",
            "Z07",
            ".000",
            ".999",
            ",00",
            ".9",
            "-",
            ":",
            " ",
            "T",
            "年",
            "x",
            "0",
            "Z",
            ".",
            "_",
            "_2006",
            "Janu",
            "Mond",
            "P",
            "p",
            "00",
            "07",
            ",",
            "M",
            "J",
            "a",
            "\\n",
            "20",
            "+000",
            "UTC",
        ],
        8,
    ))
}

pub(super) fn pattern() -> Text {
    in_quotes(pieces_of(
        &[
            "a",
            "b",
            "1",
            "中",
            ".",
            "\\\\d",
            "\\\\w",
            "\\\\s",
            "\\\\b",
            "\\\\B",
            "\\\\W",
            "\\\\S",
            "\\\\D",
            "(",
            ")",
            "(?:",
            "(?i)",
            "(?P<x>",
            "(?s)",
            "(?m)",
            "(?U)",
            "(?i:",
            "(?-s)",
            "(?s-i:",
            "|",
            "*",
            "+",
            "?",
            "*?",
            "+?",
            "??",
            "{2}",
            "{,2}",
            "{1,}",
            "{0}",
            "{1,2}",
            "{2}?",
            "{01}",
            "{1000}",
            "{1001}",
            "[a-z]",
            "[^a]",
            "[[:alpha:]]",
            "[[:^digit:]]",
            "[^[:space:]x]",
            "[\\\\d-]",
            "[a&&b]",
            "[\\\\w中]",
            "[^\\\\D]",
            "[\\\\pL]",
            "[^\\\\PN1]",
            "[]a]",
            "[a-]",
            "[z-a]",
            "^",
            "$",
            "\\\\.",
            "\\\\pL",
            "\\\\p{Han}",
            "\\\\PN",
            "\\\\p{^Lu}",
            "\\\\p{L}",
            "\\\\p{Foo}",
            "\\\\Qa.\\\\E",
            "\\\\Q",
            "]",
            "}",
            "[",
            "{",
            "\\\\x41",
            "\\\\x{4e2d}",
            "\\\\A",
            "\\\\z",
            "\\\\Z",
            "\\\\C",
            "\\\\n",
            "\\\\t",
            "\\\\1",
            "\\\\07",
            "\\\\-",
            "\\\\_",
            "\\\\<",
            "é",
            "É",
            "ſ",
            "k",
            "-",
            " ",
            "#",
            "~",
            "&",
            "(?x)",
            "(?=",
            "\\\\h",
            "\\\\",
            "(?P<1>",
            "(?P=x)",
            "\\n",
        ],
        6,
    ))
}

pub(super) fn replacement() -> Text {
    in_quotes(pieces_of(
        &[
            "$1", "${1}", "$x", "${x}", "$$", "$", "分", "a", "$0", "$01", "-", "${", "}", "$2", "$_",
            "${1a}", "\\\\1",
        ],
        4,
    ))
}
