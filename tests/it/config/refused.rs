//! Configurations with errors, and the texts of the errors.

use std::path::Path;

use wecom_relay::config;

use super::{MINIMAL, env, load_in_folder, parse};

fn problems(source: &str) -> String {
    parse(source).unwrap_err().to_string()
}

#[test]
fn all_mistakes_are_reported_at_once_with_locations() {
    let source = "
server:
  lisen: 0.0.0.0:8061
outbox:
  dedupe_window: 120
  max_size: 1MiB
  expire_after: 5 minutes
  retention: 10m
  retention: 1h
timezone: Asia/Shangai
templates: templates/*.tera
apps:
  - name: ops
    corp_id: ww1234567890abcdef
    agent_id: none
    api_secret: not-a-real-secret
    api_secret_env: OPS_SECRET
    limits: { per_minute: many }
  - name: ops
    corp_id: ''
    agent_id: '1000031'
    api_secret_file: no/such/file
    api_url: qyapi.weixin.qq.com
    proxy_url: ftp://user:not-a-real-password@proxy
receivers:
  - name: a//b
    app: opps
    message_type: textcrad
    send_resolved: yes
  - name: oncall
    app: ops
    to_user: '{{ commonLabels.owner }}'
    message: ''
    fallback: oncall
  - name: one
    app: ops
    to_party: 3
    fallback: two
    fallback_after: soon
  - name: two
    to_user: [zhangsan]
    fallback: one
  - name: three
    app: ops
    to_tag: 1
    fallback: onecall
";
    insta::assert_snapshot!(problems(source), @r#"
    config.yml:3:3: server.lisen: unknown key; did you mean listen?
    config.yml:5:18: outbox.dedupe_window: "120" is not a duration; write it with a unit, such as 90s, 2m, 1h30m or 7d
    config.yml:6:13: outbox.max_size: this is too small; write at least 16MiB
    config.yml:7:17: outbox.expire_after: "5 minutes" is not a duration; write it with a unit, such as 90s, 2m, 1h30m or 7d
    config.yml:8:14: outbox.retention: this is too short; write at least 1h
    config.yml:9:3: outbox.retention: duplicate key, first written in line 8; keep one of them
    config.yml:10:11: timezone: "Asia/Shangai" is not a time zone; write a name of the time zone database, such as Asia/Shanghai or UTC
    config.yml:11:12: templates: a list is expected, but this is a text; start each item with a dash, or write [ … ]
    config.yml:15:15: apps[0].agent_id: "none" is not an agent id; write the app's AgentId, a whole number above 0, such as 1000030
    config.yml:17:21: apps[0].api_secret_env: the app has more than one secret; set exactly one of api_secret, api_secret_file and api_secret_env
    config.yml:18:27: apps[0].limits.per_minute: "many" is not a number of messages; write a whole number such as 30; 0 is no limit
    config.yml:19:11: apps[1].name: the name "ops" is already used by apps[0].name in line 13; use another name
    config.yml:20:14: apps[1].corp_id: this is empty; write the corp's id, such as ww1234567890abcdef, which the console shows at 我的企业 → 企业ID
    config.yml:22:22: apps[1].api_secret_file: no/such/file cannot be read: No such file or directory (os error 2); name a file that this user can read; a relative path starts at the configuration's folder
    config.yml:23:14: apps[1].api_url: it must start with https:// or http://: write it like https://qyapi.weixin.qq.com/cgi-bin/
    config.yml:24:16: apps[1].proxy_url: it must start with http:// or https:// or socks5:// or socks5h://: write it like http://user:password@proxy.example.com:3128
    config.yml:26:5: receivers[0].to_user: no recipient: name at least one user, department or tag; to address everybody, write to_user: '@all'
    config.yml:26:11: receivers[0].name: the name "a//b" has a slash at a wrong place; use single slashes between other characters, as in namespace/name/receiver
    config.yml:27:10: receivers[0].app: there is no app "opps"; did you mean ops?
    config.yml:28:19: receivers[0].message_type: "textcrad" is not a type of message; write text, markdown, textcard or template_card
    config.yml:29:20: receivers[0].send_resolved: true or false is expected, but this is a text; write true or false, without quotes
    config.yml:33:14: receivers[1].message: this is empty; write a template, or remove the key
    config.yml:34:15: receivers[1].fallback: a receiver cannot be its own fallback; name another receiver
    config.yml:38:15: receivers[2].fallback: the fallbacks form a circle: one → two → one; remove one of these fallbacks
    config.yml:39:21: receivers[2].fallback_after: "soon" is not a duration; write it with a unit, such as 90s, 2m, 1h30m or 7d
    config.yml:40:5: receivers[3].app: there are several apps, and this receiver names none; name the app that sends: ops
    config.yml:46:15: receivers[4].fallback: there is no receiver "onecall"; did you mean oncall?
    "#);
}

#[test]
fn values_of_the_wrong_type_cause_no_further_errors() {
    insta::assert_snapshot!(problems("apps: ops\nreceivers:\n  - wechat\n  - name: a\n    app: b\n    to_user: c\nserver: []\n"), @r"
        config.yml:1:7: apps: a list is expected, but this is a text; start each item with a dash, or write [ … ]
        config.yml:3:5: receivers[0]: a mapping is expected, but this is a text; its keys are name, app, robot, also, to_user, to_party, to_tag, chat_id, mentioned_list, mentioned_mobile_list, language, template_language, message_type, message, title, description, url, btntxt, template_card, actions, plain_copy, max_parts, send_resolved, fallback, fallback_after
        config.yml:7:9: server: a mapping is expected, but this is a list; its keys are listen, callback_listen, callback_external_url, auth, tls, max_memory, console
        ");
    insta::assert_snapshot!(problems("- a\n- b\n"), @"config.yml:1:1: a mapping is expected, but this is a list; its keys are server, outbox, timezone, language, templates, apps, robots, alertmanager, receivers");
    insta::assert_snapshot!(problems("just a text"), @"config.yml:1:1: a mapping is expected, but this is a text; its keys are server, outbox, timezone, language, templates, apps, robots, alertmanager, receivers");
    insta::assert_snapshot!(problems("apps:\nreceivers: []\n"), @r"
        config.yml:1:5: apps: there is no app and no robot; list at least one, with name, corp_id, agent_id and a secret
        config.yml:2:12: receivers: there is no receiver; list at least one, with name and to_user, to_party or to_tag
        ");
}

#[test]
fn an_empty_file_is_an_error_with_help() {
    insta::assert_snapshot!(problems("# nothing yet\n"), @"config.yml: the configuration is empty; see config.example.yml; at least apps and receivers are needed");
}

#[test]
fn a_syntax_error_has_its_location() {
    insta::assert_snapshot!(problems("apps:\n  - name: ops\n    api_secret: @all\n"), @"config.yml:3:17: this is not YAML: unexpected character: `@'; quote a text that starts with @, %, ` or |");
}

#[test]
fn an_unreadable_file_is_named() {
    let error = config::load(Path::new("no/such/config.yml"), &env).unwrap_err();
    insta::assert_snapshot!(error, @"no/such/config.yml: the configuration cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_circle_of_fallbacks_is_reported_once() {
    let receiver = |name, fallback| format!("  - {{name: {name}, to_user: u, fallback: {fallback}}}\n");
    let source = MINIMAL.replace("  - name: wechat\n    to_user: zhangsan\n", "")
        + &receiver("tail", "a")
        + &receiver("a", "b")
        + &receiver("b", "c")
        + &receiver("c", "a");
    insta::assert_snapshot!(problems(&source), @"config.yml:9:37: receivers[1].fallback: the fallbacks form a circle: a → b → c → a; remove one of these fallbacks");
}

#[test]
fn empty_recipients_are_never_everybody() {
    let source = MINIMAL.replace("to_user: zhangsan", "to_user: ' | '");
    insta::assert_snapshot!(problems(&source), @"config.yml:9:14: receivers[0].to_user: no recipient: name at least one user, department or tag; to address everybody, write to_user: '@all'");
}

#[test]
fn receivers_must_name_their_app_if_there_are_several() {
    let two =
        MINIMAL.replace("receivers:", "  - {name: b, corp_id: c, agent_id: 2, api_secret: x}\nreceivers:");
    insta::assert_snapshot!(problems(&two), @"config.yml:9:5: receivers[0].app: there are several apps, and this receiver names none; name the app that sends: ops, b");
}

#[test]
fn bad_secrets_and_templates_are_reported() {
    let source = "
apps:
  - {name: a, corp_id: c, agent_id: 1, api_secret_file: keys/empty}
  - {name: b, corp_id: c, agent_id: 2, api_secret_file: keys/two-lines}
  - {name: c, corp_id: c, agent_id: 3, api_secret_file: keys}
  - {name: d, corp_id: c, agent_id: 4, api_secret_env: EMPTY_SECRET}
  - {name: e, corp_id: c, agent_id: 5, api_secret_env: NO_SECRET}
  - {name: f, corp_id: c, agent_id: 6, api_secret: ''}
  - {name: g, corp_id: c, agent_id: 7}
receivers:
  - {name: r, app: a, to_user: u}
templates:
  - templates/*.tera
  - templates/*.html
  - templates/other/b.txt
  - templates/none.tera
";
    let files = [
        ("config.yml", source),
        ("keys/empty", "\n"),
        ("keys/two-lines", "not-a-real\nsecret\n"),
        ("templates/b.tera", "B"),
        ("templates/other/b.txt", "B"),
    ];
    let (_folder, loaded) = load_in_folder(&files);
    insta::assert_snapshot!(loaded.unwrap_err(), @r#"
        config.yml:3:57: apps[0].api_secret_file: the secret is empty; put the secret of the app there
        config.yml:4:57: apps[1].api_secret_file: the secret has spaces, line breaks or control characters in it; put the secret there alone, in one line
        config.yml:5:57: apps[2].api_secret_file: the file cannot be read: it is a folder, and must be a regular file; name a file that this user can read; a relative path starts at the configuration's folder
        config.yml:6:56: apps[3].api_secret_env: the secret is empty; put the secret of the app there
        config.yml:7:56: apps[4].api_secret_env: the environment variable NO_SECRET is not set; set it, or use api_secret_file
        config.yml:8:52: apps[5].api_secret: this is empty; write the secret here, or use api_secret_file
        config.yml:9:5: apps[6].api_secret: the app has no secret; set exactly one of api_secret, api_secret_file and api_secret_env
        config.yml:14:5: templates[1]: "templates/*.html": no file matches; *, ? and [a-z] are allowed; a relative path starts at the configuration's folder
        config.yml:15:5: templates[2]: templates/b.tera and templates/other/b.txt would both be the template "b"; rename one of them
        config.yml:16:5: templates[3]: "templates/none.tera": No such file or directory (os error 2); *, ? and [a-z] are allowed; a relative path starts at the configuration's folder
        "#);
}

#[test]
fn keys_of_another_message_type_are_refused() {
    let app = MINIMAL.split("receivers:").next().unwrap();
    let source = format!(
        "{app}    limits: {{ per_minute: 3 }}
receivers:
  - {{ name: a, to_user: u, title: t, template_card: {{ a: b }}, plain_copy: true }}
  - {{ name: b, to_user: u, message_type: markdown, url: 'https://a.example' }}
  - {{ name: c, to_user: u, message_type: textcard, template_card: {{ a: b }}, btntxt: ' ' }}
  - {{ name: d, to_user: u, message_type: template_card, description: d }}
  - {{ name: e, to_user: u, message_type: template_card, template_card: [a] }}
  - {{ name: f, to_user: u, message_type: template_card, template_card: {{ a: b, a: c }} }}
  - {{ name: g, to_user: u, max_parts: 4 }}
  - {{ name: h, to_user: u, max_parts: 0 }}
"
    );
    insta::assert_snapshot!(problems(&source), @r#"
        config.yml:9:35: receivers[0].title: this key needs message_type textcard, and the type here is text; remove the key, or change message_type
        config.yml:9:53: receivers[0].template_card: this key needs message_type template_card, and the type here is text; remove the key, or change message_type
        config.yml:9:75: receivers[0].plain_copy: a text needs no plain copy; remove the key, because the message is a text already
        config.yml:10:57: receivers[1].url: this key needs message_type textcard, and the type here is markdown; remove the key, or change message_type
        config.yml:11:67: receivers[2].template_card: this key needs message_type template_card, and the type here is textcard; remove the key, or change message_type
        config.yml:11:85: receivers[2].btntxt: this is empty; write a template, or remove the key
        config.yml:12:70: receivers[3].description: this key needs message_type textcard, and the type here is template_card; remove the key, or change message_type
        config.yml:13:72: receivers[4].template_card: a mapping is expected, but this is a list
        config.yml:14:80: receivers[5].template_card.a: duplicate key, first written in line 14; keep one of them
        config.yml:15:39: receivers[6].max_parts: the app may not send 4 parts in a minute; write at most 3, because limits.per_minute and plain_copy allow no more
        config.yml:16:39: receivers[7].max_parts: "0" is not a number of parts; write a whole number of at least 1, such as 5
        "#);
}

#[test]
fn department_and_tag_ids_must_be_numbers() {
    let source = MINIMAL.replace("to_user: zhangsan", "to_party: 3 | 运维部\n    to_tag: '+7'");
    insta::assert_snapshot!(problems(&source), @r#"
    config.yml:9:15: receivers[0].to_party: "运维部" is not an id; write the number that the console shows at 通讯录 → the department's menu → 部门ID; separate several with |
    config.yml:10:13: receivers[0].to_tag: "+7" is not an id; write the number that the console shows at 通讯录 → 标签 → the tag's details → 标签ID; separate several with |
    "#);
    let source =
        MINIMAL.replace("to_user: zhangsan", "to_user: '{{ commonLabels.owner }}'\n    to_party: 1.0");
    insta::assert_snapshot!(problems(&source), @r#"config.yml:10:15: receivers[0].to_party: "1.0" is not an id; write the number that the console shows at 通讯录 → the department's menu → 部门ID; separate several with |"#);
}

#[test]
fn a_fallback_must_have_fixed_recipients() {
    let source = MINIMAL.to_owned()
        + "    fallback: oncall\n  - { name: oncall, to_user: '{{ commonLabels.owner }}', to_party: 3 }\n";
    insta::assert_snapshot!(problems(&source), @"config.yml:8:5: receivers[0]: the fallback oncall has templates for recipients; name a receiver with fixed recipients");
}

#[test]
fn a_secret_that_cannot_be_meant_is_refused_without_showing_it() {
    let secrets = [
        "s3cr3t\u{200B}",
        "s3cr3t\u{FF0C}",
        "s3cr3t\u{A0}",
        "\u{201C}s3cr3t\u{201D}",
        "\"s3cr3t\"",
        "'s3cr3t'",
        "${OPS_SECRET}",
    ];
    let refused = secrets.map(|secret| {
        let source = MINIMAL.replace("api_secret: not-a-real-secret", "api_secret_file: secret");
        let (_folder, loaded) = load_in_folder(&[("config.yml", &source), ("secret", secret)]);
        loaded.unwrap_err()
    });
    assert!(refused.iter().all(|error| !error.contains("s3cr3t")), "{refused:#?}");
    insta::assert_snapshot!(refused.join("\n"), @"
    config.yml:6:22: apps[0].api_secret_file: the secret has the character U+200B in it; put the secret there alone, in one line
    config.yml:6:22: apps[0].api_secret_file: the secret has the character ， (U+FF0C) in it; put the secret there alone, in one line
    config.yml:6:22: apps[0].api_secret_file: the secret has spaces, line breaks or control characters in it; put the secret there alone, in one line
    config.yml:6:22: apps[0].api_secret_file: the secret has the character “ (U+201C) in it; put the secret there alone, in one line
    config.yml:6:22: apps[0].api_secret_file: the secret is in quotes; put the secret there alone, in one line
    config.yml:6:22: apps[0].api_secret_file: the secret is in quotes; put the secret there alone, in one line
    config.yml:6:22: apps[0].api_secret_file: the secret is a placeholder that was not filled in; put the secret there alone, in one line
    ");
}

#[test]
fn impossible_ids_are_refused_with_the_character_named() {
    let refused = [
        ("to_user: zhangsan", "to_user: 张三"),
        ("to_user: zhangsan", "to_user: zhangsan | +8613800000000"),
        ("to_user: zhangsan", "to_party: 运维部"),
        ("ww1234567890abcdef", "ww1234567890abcdef，"),
    ];
    let refused = refused.map(|(right, wrong)| problems(&MINIMAL.replace(right, wrong)));
    insta::assert_snapshot!(refused.join("\n"), @r#"
    config.yml:9:14: receivers[0].to_user: "张三" is not a user id, because it has the character 张 (U+5F20); write the account that the console shows at 通讯录 → the member → 账号; separate several with |
    config.yml:9:14: receivers[0].to_user: "+8613800000000" is not a user id, because it has the character + (U+002B); write the account that the console shows at 通讯录 → the member → 账号; separate several with |
    config.yml:9:15: receivers[0].to_party: "运维部" is not an id; write the number that the console shows at 通讯录 → the department's menu → 部门ID; separate several with |
    config.yml:4:14: apps[0].corp_id: this is not a corp id, because it has the character ， (U+FF0C); write the corp's id, such as ww1234567890abcdef, which the console shows at 我的企业 → 企业ID
    "#);
}

#[test]
fn a_missing_environment_variable_is_named_with_its_location() {
    let source = MINIMAL
        .replace("ww1234567890abcdef", "${CORP_ID}")
        .replace("not-a-real-secret", "${NO_SECRET}")
        .replace("zhangsan", "'{{ x }} ${'");
    insta::assert_snapshot!(problems(&source), @"
    config.yml:4:14: apps[0].corp_id: the environment variable CORP_ID is not set, or is empty; set it, write the value here, or give a default with ${NAME:-default}
    config.yml:6:17: apps[0].api_secret: the environment variable NO_SECRET is not set, or is empty; set it, write the value here, or give a default with ${NAME:-default}
    config.yml:9:14: receivers[0].to_user: this has ${ without the name of an environment variable; write ${NAME}, or $${ for the text ${
    ");
}
