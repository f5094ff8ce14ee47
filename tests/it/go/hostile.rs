//! Templates and payloads that try to hang the relay or to take all its memory.

use super::rendered;

/// A template that begins with `open` many times.
fn nested(open: &str, middle: &str, close: &str, count: usize) -> String {
    open.repeat(count) + middle + &close.repeat(count)
}

#[test]
fn a_hostile_template_is_an_error_with_its_limit() {
    let many = |text: &str, count: usize| text.repeat(count);
    for (limit, template) in [
        ("levels deep", format!("{{{{ {} }}}}", nested("(", "1", ")", 100_000))),
        ("levels deep", nested("{{ if true }}", "x", "{{ end }}", 50_000)),
        ("levels deep", format!("{{{{ if true }}}}{}{{{{ end }}}}", many("{{ else if true }}", 50_000))),
        ("levels deep", format!("{{{{ with 1 }}}}{}{{{{ end }}}}", many("{{ else with 1 }}", 50_000))),
        ("template depth", r#"{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"#.to_owned()),
        (
            "template depth",
            format!(
                r#"{{{{ define "a" }}}}{}{{{{ end }}}}{{{{ template "a" . }}}}"#,
                nested("{{ if true }}", r#"{{ template "a" . }}"#, "{{ end }}", 60)
            ),
        ),
        (
            "steps",
            r#"{{ define "a" }}{{ range .Alerts }}{{ template "b" $ }}{{ end }}{{ end }}
               {{ define "b" }}{{ range 150 }}{{ range 150 }}{{ range 150 }}{{ end }}{{ end }}{{ end }}{{ end }}
               {{ template "a" . }}"#
                .to_owned(),
        ),
        ("steps", "{{ range 999999999999 }}{{ end }}".to_owned()),
        ("bytes", "{{ range 999999999999 }}some text{{ end }}".to_owned()),
        ("bytes", r#"{{ $x := "0123456789" }}"#.to_owned() + &many("{{ $x = print $x $x }}", 60)),
        (
            "MiB of values",
            r#"{{ $x := "0123456789" }}"#.to_owned()
                + &many("{{ $x = print $x $x }}", 18)
                + &many("{{ $y := print $x 1 }}", 20),
        ),
        ("nested", r#"{{ $x := list 1 }}"#.to_owned() + &many("{{ $x = list $x $x }}", 60)),
        ("bytes", "{{ $x := list 1 }}".to_owned() + &many("{{ $x = list $x $x }}", 40) + "{{ $x }}"),
        ("bytes", "{{ $x := list 1 }}".to_owned() + &many("{{ $x = list $x $x }}", 40) + "{{ len (toJson $x) }}"),
        ("bytes", r#"{{ $x := list "" }}"#.to_owned() + &many("{{ $x = list $x $x }}", 40) + r#"{{ printf "%q" $x }}"#),
        ("nested", "{{ $x := list }}{{ range 100000 }}{{ $x = list $x }}{{ end }}".to_owned()),
        ("nested", r#"{{ $x := dict }}{{ range 100000 }}{{ $x = dict "a" $x }}{{ end }}"#.to_owned()),
        ("MiB of values", "{{ $x := list 1 }}{{ range 100000 }}{{ $x = append $x 1 }}{{ end }}".to_owned()),
        (
            "bytes",
            r#"{{ $s := " " }}{{ range 20 }}{{ $s = print $s $s }}{{ end }}{{ len (reReplaceAll " " $s $s) }}"#
                .to_owned(),
        ),
        (
            "search",
            r#"{{ $s := "aaaaaaaa" }}{{ range 12 }}{{ $s = print $s $s }}{{ end }}
               {{ range 100 }}{{ $x := reReplaceAll "a(a*z)?" "b" $s }}{{ end }}"#
                .to_owned(),
        ),
        ("steps", r#"{{ range 100000 }}{{ $x := match (printf "a{%d}" .) "x" }}{{ end }}"#.to_owned()),
        (
            "steps",
            r#"{{ $s := " " }}{{ range 21 }}{{ $s = print $s $s }}{{ end }}{{ range 100000 }}{{ $x := eq $s $s }}{{ end }}"#
                .to_owned(),
        ),
        ("bytes", r#"{{ range 100 }}{{ printf "%1000000d" 1 }}{{ end }}"#.to_owned()),
        ("bytes", r#"{{ printf "%-900000s%900000s%.900000d%0900000d%900000q%900000x%900000v%900000U%.900000f%900000c" "a" "a" 1 1 "a" "a" 1 1 1.0 1 }}"#.to_owned()),
    ] {
        let error = rendered(&template).unwrap_err();
        assert!(error.contains(limit), "{limit}: {error}");
    }
}

#[test]
fn a_hostile_argument_is_bounded() {
    for template in [
        r#"{{ printf "%99999999999d" 1 }}"#.to_owned(),
        r#"{{ printf "%*d" 99999999999 1 }}"#.to_owned(),
        format!(r#"{{{{ (index .Alerts 0).StartsAt.Format ".{}" }}}}"#, "0".repeat(100_000)),
        "{{ (now.Add 9223372036854775807).Format \"2006\" }}".to_owned(),
        "{{ range 200 }}{{ $x := now.Add -9223372036854775808 }}{{ end }}".to_owned(),
        "{{ now.AddDate 9223372036854775807 9223372036854775807 9223372036854775807 }}".to_owned(),
        "{{ now.AddDate -9223372036854775808 -9223372036854775808 -9223372036854775808 }}".to_owned(),
        "{{ (now.AddDate 9999999 0 0).AddDate 99999999 0 0 }}".to_owned(),
        "{{ (now.AddDate 290000000 0 0).Unix }} {{ (now.AddDate 290000000 0 0).UnixNano }}".to_owned(),
        "{{ now.Round 9223372036854775807 }} {{ now.Truncate 9223372036854775807 }}".to_owned(),
        "{{ ((now.AddDate 99999 0 0).Sub now).Round 9223372036854775807 }}".to_owned(),
        r#"{{ tz "Asia/Shanghai" (now.AddDate 99999999 0 0) }}"#.to_owned(),
        r#"{{ mustToDate "2006-01-02" "0000-01-01" }}"#.to_owned(),
        r#"{{ humanizeDuration 1e308 }} {{ humanizeDuration "-Inf" }} {{ humanizeDuration "NaN" }}"#
            .to_owned(),
    ] {
        let text = rendered(&template).unwrap_or_else(|error| panic!("{template}: {error}"));
        assert!(text.len() < 100_000, "{template}");
    }
}

#[test]
fn a_long_annotation_may_be_replaced_everywhere() {
    let long = r#"{{ $s := "ab " }}{{ range 16 }}{{ $s = print $s $s }}{{ end }}"#;
    let replaced = r#"{{ $s = reReplaceAll "\\s" "_" $s }}{{ len (reReplaceAll "([a-z])" "<$1>" $s) }}"#;
    assert_eq!(rendered(&format!("{long}{replaced}")), Ok("458752".to_owned()));
    // Most patterns read no more than they replace, so many alerts may have long annotations.
    let often = r#"{{ range 20 }}{{ $x := reReplaceAll "(?i)AB\\s*" "" $s }}{{ $x }}{{ end }}"#;
    assert_eq!(rendered(&format!("{long}{often}")), Ok(String::new()));
}
