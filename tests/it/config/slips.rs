//! Mistakes of people who write their first configuration: each is named with its place and its correction.

use super::{MINIMAL, parse, warnings};

/// The error for [`MINIMAL`] with `to` in place of `from`.
fn error(from: &str, to: &str) -> String {
    assert!(MINIMAL.contains(from), "{from}");
    parse(&MINIMAL.replacen(from, to, 1))
        .map(|_| "no error".to_owned())
        .unwrap_or_else(|error| error.to_string())
}

#[test]
fn slips_of_the_keyboard_are_named() {
    let user = "to_user: zhangsan";
    let errors = [
        error(user, "to_user:zhangsan"),
        error(user, "to_user：zhangsan"),
        error(user, "to_user: “zhangsan”"),
        error(user, "to_user: zhangsan\n    message: “{{ headline() }}”"),
        error(user, "to_user: zhangsan\n    message: 'it's {{ status }}'"),
        error(user, "to_user: [zhangsan"),
        error(user, "to_user: 'zhangsan"),
        error(user, "to_user: *zhangsan"),
        error(user, "to_user: zhangsan\n   app: ops"),
        error(user, "to_user: zhangsan\n---\napps: []"),
        error("  - name: wechat", "  -name: wechat"),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    config.yml:9:12: line 9 has a : without a space after it; write a space after the :
    config.yml:9:12: line 9 has a full-width ：; write a half-width : and a space
    config.yml:9:14: line 9 has a full-width quote “; write half-width quotes, as in "text"; for a text that begins with such a quote, write '“text”'
    config.yml:10:14: line 10 has a full-width quote “; write half-width quotes, as in "text"; for a text that begins with such a quote, write '“text”'
    config.yml:10:18: this is not YAML: invalid trailing content after single-quoted scalar; write '' for a ' within single quotes
    config.yml:9:14: this is not YAML: unclosed bracket '['; close every [ and {, and quote a text that starts with one of them
    config.yml:10:1: this is not YAML: invalid indentation in multiline quoted scalar; close the quote; write '' for a ' within single quotes
    config.yml:9:14: this is not YAML: an alias (*…) without its anchor (&…); quote a text that starts with *
    config.yml:10:4: this is not YAML: while parsing a block collection, did not find expected '-' indicator; give all keys of a mapping, and all dashes of a list, the same indentation
    config.yml:11:1: a second document starts here, and only one is allowed; remove the line --- and what follows it
    config.yml:8:3: line 8 has a - without a space after it; write a space after the -
    "#);
}

#[test]
fn a_text_may_begin_with_a_full_width_quote_in_quotes() {
    let quoted = MINIMAL.replace("to_user: zhangsan", "to_user: zhangsan\n    message: '“{{ headline() }}”'");
    assert!(parse(&quoted).is_ok());
    let block =
        MINIMAL.replace("to_user: zhangsan", "to_user: zhangsan\n    message: |\n      “{{ headline() }}”");
    assert!(parse(&block).is_ok());
}

#[test]
fn keys_of_other_programs_are_explained() {
    let user = "to_user: zhangsan";
    let errors = [
        error(user, "to_user: zhangsan\n    wechat_configs: []"),
        error(
            user,
            "to_user: zhangsan\n    webhook_url: https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k",
        ),
        error(user, "to_user: zhangsan\n    message_file: a.tera"),
        error("apps:", "route: { receiver: wechat }\napps:"),
        error("apps:", "global: { wechat_api_corp_id: ww1 }\napps:"),
        error(user, "to_user: zhangsan\n    fallback: nope"),
        error("apps:", "outbox: { path: /tmp }\napps:"),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    config.yml:10:5: receivers[0].wechat_configs: unknown key; write corp_id, agent_id and the secret as an app below apps, and to_user, to_party, to_tag and message here
    config.yml:10:5: receivers[0].webhook_url: unknown key; write the webhook URL as key of a robot below robots, and robot: NAME in the receiver
    config.yml:10:5: receivers[0].message_file: unknown key; list the file below templates, and write message: '{% include "name" %}' with its name without .tera
    config.yml:2:1: route: unknown key; routes stay in alertmanager.yml; the relay needs only the receivers
    config.yml:2:1: global: unknown key; write corp_id, agent_id and the secret as an app below apps
    config.yml:10:15: receivers[0].fallback: there is no receiver "nope"; list it under receivers
    config.yml:2:17: outbox.path: /tmp is a folder; name the database file, such as /tmp/outbox.db
    "#);
}

#[test]
fn a_file_as_message_and_a_member_called_all_are_warnings() {
    let source = MINIMAL.replace("to_user: zhangsan", "to_user: all\n    message: templates/wechat.tera");
    insta::assert_snapshot!(warnings(&source), @r#"
    config.yml:2:1: server.listen: anyone who can reach 0.0.0.0:8061 can send messages through the apps; set server.auth, or listen on 127.0.0.1:8061 only
    config.yml:9:14: receivers[0].to_user: this is the member with the account all; to address everybody, write '@all'
    config.yml:10:14: receivers[0].message: this is the name of a file, and would be sent as it is; list the file below templates, and write '{% include "name" %}' here, with its name without .tera
    "#);
}
