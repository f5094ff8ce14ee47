//! Operands: what stands within an action.

use proptest::prelude::*;

use super::literals::{
    Text, float, format, integer, layout, odd_number, one_of, pattern, quoted, replacement,
};

/// The dot of a body. It decides which fields exist.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dot {
    Data,
    Alert,
    Pair,
    Text,
}

/// Formats for a time. Other verbs show its private fields.
pub(super) const TIME_FORMATS: &[&str] =
    &["\"%v|%s\"", "\"%20v\"", "\"%-20s\"", "\"%q\"", "\"%x\"", "\"%X|%.5s\"", "\"%10.3s\""];

/// The operands of each type.
#[derive(Clone)]
pub(super) struct Operands {
    text: Text,
    integer: Text,
    pub(super) boolean: Text,
    time: Text,
    duration: Text,
    list: Text,
}

impl Operands {
    /// Operands within a body with this dot. `$` is the payload.
    pub(super) fn of(dot: Dot) -> Self {
        Self::leaves(dot).deeper().deeper()
    }

    fn leaves(dot: Dot) -> Self {
        let (own_texts, own_times): (&[&str], &[&str]) = match dot {
            Dot::Data => (
                &[
                    ".Status",
                    ".Receiver",
                    ".CommonLabels.job",
                    ".CommonLabels.nope",
                    ".GroupLabels.alertname",
                ],
                &["(index .Alerts 0).StartsAt"],
            ),
            Dot::Alert => (
                &[
                    ".Status",
                    ".Labels.instance",
                    ".Annotations.summary",
                    ".Labels.nope",
                    ".Fingerprint",
                    ".GeneratorURL",
                ],
                &[".StartsAt", ".EndsAt"],
            ),
            Dot::Pair => (&[".Name", ".Value"], &["(index $.Alerts 0).StartsAt"]),
            Dot::Text => (&["."], &["(index $.Alerts 1).EndsAt"]),
        };
        Self {
            text: prop_oneof![
                3 => quoted(),
                2 => one_of(own_texts),
                2 => one_of(&[
                    "$.Status", "$.Receiver", "$.CommonLabels.job", "$.CommonLabels.nope", "$.ExternalURL",
                    "(index $.Alerts 0).Labels.instance", "(index $.Alerts 0).Annotations.summary",
                    "(index $.Alerts 1).Labels.b", "(index $.Alerts 0).Annotations.description",
                    "(index $.CommonLabels \"job\")", "(index $.CommonLabels.SortedPairs 0).Name", "$t",
                    "(index (index $.Alerts 1).Labels \"nope\")", "(index $.CommonLabels.Names 1)",
                ]),
            ]
            .boxed(),
            integer: prop_oneof![4 => integer(), 1 => Just("$n".to_owned())].boxed(),
            boolean: one_of(&["true", "false", "(index $.Alerts 0).EndsAt.IsZero", "$b"]),
            time: prop_oneof![
                one_of(own_times),
                one_of(&[
                    "(index $.Alerts 0).StartsAt",
                    "(index $.Alerts 1).StartsAt",
                    "(index $.Alerts 1).EndsAt",
                    "(index $.Alerts 0).EndsAt",
                ]),
            ]
            .boxed(),
            duration: one_of(&["((index $.Alerts 1).EndsAt.Sub (index $.Alerts 1).StartsAt)"]),
            list: one_of(&[
                "$.CommonLabels.Names",
                "$.CommonLabels.Values",
                "$.CommonLabels.SortedPairs.Values",
                "($.CommonLabels.Remove $.GroupLabels.Names).Names",
                "(stringSlice)",
            ]),
        }
    }

    /// Operands that contain these ones.
    fn deeper(&self) -> Self {
        // Sometimes an operand has the wrong type.
        let odd = self.any();
        let mixed = |right: &Text| prop_oneof![40 => right.clone(), 1 => odd.clone()].boxed();
        let (text, integer, boolean) = (mixed(&self.text), mixed(&self.integer), mixed(&self.boolean));
        let (time, duration, list) = (mixed(&self.time), mixed(&self.duration), mixed(&self.list));
        let any = self.any();
        let shown = self.shown();
        Self {
            text: prop_oneof![1 => text.clone(), 4 => Self::texts(&text, &any, &shown, &list, &time)].boxed(),
            integer: prop_oneof![1 => integer.clone(), 2 => Self::integers(&text, &list, &time, &duration)]
                .boxed(),
            boolean: prop_oneof![
                1 => boolean,
                4 => Self::booleans(&text, &integer, &any, &time, &duration)
            ]
            .boxed(),
            time: prop_oneof![1 => time.clone(), 2 => Self::times(&time, &integer, &duration)].boxed(),
            duration: prop_oneof![1 => duration.clone(), 2 => Self::durations(&time, &duration)].boxed(),
            list: prop_oneof![2 => list.clone(), 2 => Self::lists(&text, &list)].boxed(),
        }
    }

    fn texts(text: &Text, any: &Text, shown: &Text, list: &Text, time: &Text) -> Text {
        let (text, any, list, time) = (text.clone(), any.clone(), list.clone(), time.clone());
        let case = one_of(&["toUpper", "toLower", "title", "html", "js", "urlquery", "print", "safeHtml"]);
        let writer = one_of(&["html", "js", "urlquery", "print", "println"]);
        prop_oneof![
            (case.clone(), text.clone()).prop_map(|(name, text)| format!("({name} {text})")),
            (text.clone(), case).prop_map(|(text, name)| format!("({text} | {name})")),
            (writer.clone(), any.clone(), any.clone()).prop_map(|(name, a, b)| format!("({name} {a} {b})")),
            (writer, any.clone()).prop_map(|(name, any)| format!("({name} {any})")),
            (format(), shown.clone(), shown.clone())
                .prop_map(|(format, a, b)| format!("(printf {format} {a} {b})")),
            (format(), shown.clone()).prop_map(|(format, a)| format!("({a} | printf {format})")),
            (one_of(TIME_FORMATS), time.clone(), text.clone())
                .prop_map(|(format, a, b)| format!("(printf {format} {a} {b})")),
            (pattern(), replacement(), text.clone())
                .prop_map(|(a, b, c)| format!("(reReplaceAll {a} {b} {c})")),
            (text.clone(), list.clone()).prop_map(|(a, b)| format!("(join {a} {b})")),
            (list.clone(), text.clone()).prop_map(|(list, text)| format!("({list} | join {text})")),
            (text.clone(), 0..4usize, 0..6usize).prop_map(|(text, a, b)| format!("(slice {text} {a} {b})")),
            (list, 0..3usize).prop_map(|(list, index)| format!("(index {list} {index})")),
            (layout(), time.clone()).prop_map(|(layout, time)| format!("({time}.Format {layout})")),
            (layout(), time.clone()).prop_map(|(layout, time)| format!("({layout} | {time}.Format)")),
            (time, one_of(&["String", "Month.String", "Weekday.String", "Location.String", "UTC.String"]))
                .prop_map(|(time, method)| format!("{time}.{method}")),
            (one_of(&["or", "and"]), text.clone(), text.clone(), any)
                .prop_map(|(name, a, b, c)| format!("({name} {a} {b} {c})")),
            text.prop_map(|text| format!("({text})")),
        ]
        .boxed()
    }

    fn integers(text: &Text, list: &Text, time: &Text, duration: &Text) -> Text {
        let (text, list, time, duration) = (text.clone(), list.clone(), time.clone(), duration.clone());
        let of_time = one_of(&[
            "Unix",
            "UnixNano",
            "UnixMilli",
            "UnixMicro",
            "Year",
            "Month",
            "Day",
            "Hour",
            "Minute",
            "Second",
            "YearDay",
            "Weekday",
            "Nanosecond",
        ]);
        prop_oneof![
            text.clone().prop_map(|text| format!("(len {text})")),
            list.prop_map(|list| format!("(len {list})")),
            (text, 0..5usize).prop_map(|(text, index)| format!("(index {text} {index})")),
            one_of(&[
                "(len $.Alerts)",
                "($.Alerts.Firing | len)",
                "(len $.CommonLabels)",
                "(len (slice $.Alerts 1))",
                "(len $.Alerts.Resolved)",
                "(len $.CommonLabels.SortedPairs)",
                "(len (index $.Alerts 0).Labels)",
            ]),
            (time, of_time).prop_map(|(time, method)| format!("{time}.{method}")),
            (duration, one_of(&["Nanoseconds", "Microseconds", "Milliseconds"]))
                .prop_map(|(duration, method)| format!("{duration}.{method}")),
        ]
        .boxed()
    }

    fn booleans(text: &Text, integer: &Text, any: &Text, time: &Text, duration: &Text) -> Text {
        let (text, integer, any, time) = (text.clone(), integer.clone(), any.clone(), time.clone());
        let compare = one_of(&["eq", "ne", "lt", "le", "gt", "ge"]);
        let same = |operand: Text| {
            (compare.clone(), operand.clone(), operand).prop_map(|(name, a, b)| format!("({name} {a} {b})"))
        };
        prop_oneof![
            2 => same(text.clone()),
            2 => same(integer.clone()),
            1 => same(duration.clone()),
            1 => same(any.clone()),
            1 => (text.clone(), text.clone(), any.clone()).prop_map(|(a, b, c)| format!("(eq {a} {b} {c})")),
            1 => (one_of(&["and", "or"]), any.clone(), any.clone())
                .prop_map(|(name, a, b)| format!("({name} {a} {b})")),
            1 => (pattern(), text).prop_map(|(pattern, text)| format!("(match {pattern} {text})")),
            1 => any.prop_map(|any| format!("(not {any})")),
            1 => (one_of(&["After", "Before", "Equal"]), time.clone(), time.clone())
                .prop_map(|(method, a, b)| format!("({a}.{method} {b})")),
            1 => (time, one_of(&["IsZero", "IsDST"])).prop_map(|(time, method)| format!("{time}.{method}")),
            1 => (integer, one_of(&["and", "not", "eq 1", "gt 5"]))
                .prop_map(|(integer, function)| format!("({integer} | {function})")),
        ]
        .boxed()
    }

    fn times(time: &Text, integer: &Text, duration: &Text) -> Text {
        let (time, duration) = (time.clone(), duration.clone());
        prop_oneof![
            (time.clone(), prop_oneof![integer.clone(), duration])
                .prop_map(|(time, by)| format!("({time}.Add {by})")),
            (time.clone(), -30..30i32, -30..30i32, -500..500i32)
                .prop_map(|(time, years, months, days)| format!("({time}.AddDate {years} {months} {days})")),
            (time.clone(), one_of(&["UTC", "Local"])).prop_map(|(time, method)| format!("{time}.{method}")),
            (time.clone(), time.clone()).prop_map(|(a, b)| format!("({a}.In {b}.Location)")),
            (
                time,
                one_of(&["Truncate", "Round"]),
                one_of(&["1e9", "3600e9", "86400e9", "7", "0", "-1", "604800e9", "1_000", "60000000000"])
            )
                .prop_map(|(time, method, unit)| format!("({time}.{method} {unit})")),
        ]
        .boxed()
    }

    fn durations(time: &Text, duration: &Text) -> Text {
        let unit = one_of(&["1e9", "3600e9", "60e9", "7", "0", "-1", "1_000_000"]);
        prop_oneof![
            (time.clone(), time.clone()).prop_map(|(a, b)| format!("({a}.Sub {b})")),
            (duration.clone(), one_of(&["Truncate", "Round"]), unit)
                .prop_map(|(duration, method, unit)| format!("({duration}.{method} {unit})")),
            duration.clone().prop_map(|duration| format!("{duration}.Abs")),
        ]
        .boxed()
    }

    fn lists(text: &Text, list: &Text) -> Text {
        prop_oneof![
            (text.clone(), text.clone()).prop_map(|(a, b)| format!("(stringSlice {a} {b})")),
            (list.clone(), 0..3usize).prop_map(|(list, from)| format!("(slice {list} {from})")),
            list.clone().prop_map(|list| format!("($.CommonLabels.Remove {list}).Values")),
            list.clone().prop_map(|list| format!("({list})")),
        ]
        .boxed()
    }

    /// What `printf` shows in the same way with any verb: no time, whose private fields would be seen.
    fn shown(&self) -> Text {
        prop_oneof![
            4 => self.text.clone(),
            4 => self.integer.clone(),
            2 => float(),
            2 => self.boolean.clone(),
            1 => self.duration.clone(),
            1 => self.list.clone(),
            1 => one_of(&["nil", "(index $.CommonLabels.SortedPairs 0)", "(safeHtml \"<中>\")", "(index $.Alerts 0).StartsAt.Month"]),
        ]
        .boxed()
    }

    pub(super) fn any(&self) -> Text {
        let of_duration =
            (self.duration.clone(), one_of(&["", ".Hours", ".Minutes", ".Seconds", ".String", ".Abs"]))
                .prop_map(|(duration, method)| duration + &method);
        prop_oneof![
            8 => self.text.clone(),
            4 => self.integer.clone(),
            2 => float(),
            4 => self.boolean.clone(),
            4 => self.time.clone(),
            2 => of_duration,
            2 => self.list.clone(),
            1 => one_of(&["nil", "(index $.CommonLabels.SortedPairs 1)"]),
            1 => odd(),
        ]
        .boxed()
    }
}

/// What does not exist, has no value, or has the wrong number of arguments.
fn odd() -> Text {
    prop_oneof![
        3 => one_of(&[
            "$.Foo", "$.Status.Foo", ".Foo.Bar", "$.Alerts.Foo", "$.Alerts.Firing.Firing", "$.CommonLabels.a.b",
            "(index $.Alerts 9)", "(index $.Alerts \"a\")", "(index $.CommonLabels 1)", "(slice \"abc\" 2 1)", "(foo 1)",
            "$undeclared", "(toUpper)", "(toUpper \"a\" \"b\")", "(join \",\")", "(len 3)", "(len nil)", "(index nil 1)",
            "(call 1)", "(not)", "(eq 1)", "(printf)", "(printf 1)", "(1).Foo", "(\"a\").Foo", "(nil).Foo", "\"a\".Foo",
            "(index $.Alerts 0).StartsAt.Date", "(index $.Alerts 0).StartsAt.Foo", "((index $.Alerts 0).StartsAt.Add)",
            "((index $.Alerts 0).StartsAt.Add 1.5)", "((index $.Alerts 0).StartsAt.Format 1)", "($.Status 1)",
            "($.CommonLabels.job 1)", "(1 2)", "(. 1)", "($ 1)", "(1 | 2)", "(eq $.Alerts $.Alerts)",
            "($.CommonLabels.Remove \"a\")", "(stringSlice 1)", "(and)", "(or)", "(index 1 2)", "(slice 5 1)", "()",
            "(\"a\" | $.Status)", "(nil)", "(print nil | len)", "(true).x", "(index \"abc\" 3)", "(index \"abc\" -1)",
            "(slice \"abc\" 0 9)", "(slice $.Alerts 0 9)", "(eq $.CommonLabels nil)", "(lt true false)", "(ge nil nil)",
            "(html)", "(js)", "(urlquery)", "(println)", "(print)", "(len (index $.CommonLabels))", "(index $.Alerts 0 0)",
            "(index $.Alerts nil)", "(index $.CommonLabels nil)", "(slice $.CommonLabels 1)", "(slice \"abc\" \"a\")",
            "(slice nil)", "(gt $.Alerts 1)", "(eq . .)", "(eq $ $)", "(index $.Alerts 0 \"Status\")", "(index $.Alerts 1.5)",
            "(len $)", "(match \"a\")", "(title nil)", "(toUpper 1.5)", "(html nil nil)", "($.Alerts.Firing 1)",
            "(eq nil nil)", "(ne 1 nil)", "(eq 1.0 1)", "(lt \"a\" 1)", "(le 1 1.5)", "(index $.Alerts 'x')",
        ]),
        1 => odd_number(),
    ]
    .boxed()
}
