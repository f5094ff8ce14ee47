//! The directory's YAML, and the errors for a wrong one.

use wecom_relay::sandbox::{BUILTIN_YAML, Directory};

const SMALL: &str = "corps:
  - corp_id: ww1
    departments:
      - { id: 1 }
      - { id: 2, parent: 1 }
    tags:
      - { id: 5, members: [ZhangSan] }
    members:
      - { userid: zhangsan, departments: [1] }
    apps:
      - { agent_id: 1, secret: s1 }
";

#[test]
fn the_builtin_directory_is_what_its_yaml_says() {
    assert_eq!(Directory::from_yaml(BUILTIN_YAML).unwrap(), Directory::builtin());
    assert!(Directory::from_yaml(SMALL).is_ok());
}

#[test]
fn numbers_may_be_names_and_an_empty_key_is_ignored() {
    let (plain, odd) = ("{ id: 1 }", "{ id: '1', name: , parent: ~ }");
    assert_eq!(Directory::from_yaml(&SMALL.replacen(plain, odd, 1)), Directory::from_yaml(SMALL));
    let named = |name: &str| Directory::from_yaml(&SMALL.replace("s1", name)).unwrap();
    assert_eq!(named("007"), named("'007'"));
    assert_ne!(named("007"), named("7"));
}

#[test]
fn an_error_has_its_place_and_says_what_would_be_right() {
    for (from, to, expected) in [
        ("{ id: 1 }", "{ id: 1, nmae: x }", "4:18: unknown field `nmae`"),
        ("agent_id: 1, ", "", "missing field `agent_id`"),
        ("agent_id: 1,", "agent_id: one,", "11:21: this must be a whole number"),
        ("members: [ZhangSan]", "members: { a: 1 }", "7:27: this must be a list"),
        ("departments: [1]", "licensed: 1", "9:39: this must be true or false"),
        ("secret: s1", "secret: s1, visible: all", "11:45: this must be a mapping"),
        ("parent: 1", "parent: 9", "5:26: department `9` is not in this corp: there are 1, 2"),
        ("{ id: 1 }", "{ id: 1, parent: 2 }", "department `1` is under itself: leave `parent` out"),
        ("id: 2,", "id: 1,", "5:15: department id `1` is used twice"),
        ("[ZhangSan]", "[lisi]", "7:28: member `lisi` is not in this corp: there are zhangsan"),
        ("departments: [1]", "departments: [3]", "9:43: department `3` is not in this corp"),
        ("userid: zhangsan,", "userid: zhang san,", "9:19: `zhang san` is not a userid"),
        ("secret: s1", "secret: ''", "11:32: `secret` is empty"),
        ("secret: s1", "secret: s1, trusted_ips: [203.0.113]", "11:50: `203.0.113` is not an IP address"),
        ("secret: s1", "secret: s1, visible: { tags: [6] }", "tag `6` is not in this corp: there are 5"),
        (
            "- { agent_id: 1, secret: s1 }",
            "- { agent_id: 1, secret: s1 }\n      - { agent_id: 2, secret: s1 }",
            "secret is used twice",
        ),
        (
            "- { userid: zhangsan, departments: [1] }",
            "- { userid: zhangsan }\n      - { userid: ZhangSan }",
            "10:19: userid `zhangsan` is used twice",
        ),
    ] {
        assert!(SMALL.contains(from), "{from}");
        let error = Directory::from_yaml(&SMALL.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
        assert!(error.starts_with(|c: char| c.is_ascii_digit()) && !error.contains('\n'), "{error:?}");
    }
    let error = Directory::from_yaml("corps: []").unwrap_err().to_string();
    assert_eq!(error, "1:8: `corps` is empty: list at least one corp");
    for (text, message) in [
        ("", "1:1: the file is empty: a directory starts with `corps:`"),
        ("corps: [", "1:8: this is not YAML: unclosed bracket '['"),
        ("corps:", "1:6: this must be a list"),
        ("{}", "1:1: missing field `corps`"),
        ("corps: 5", "1:8: this must be a list"),
        ("corps: [{ corp_id: [a], members: [], apps: [] }]", "1:20: this must be a text"),
        ("corps: [{ corp_id: a, corp_id: b }]", "1:23: duplicate key `corp_id`: write it once"),
    ] {
        assert_eq!(Directory::from_yaml(text).unwrap_err().to_string(), message);
    }
}
