//! `check`

use super::{Workdir, command, run};
use crate::support::Options;

#[tokio::test]
async fn check_fits_on_a_screen_and_ends_with_a_verdict() {
    let receiver = |number| format!("  - {{ name: team{number}, to_user: zhangsan }}\n");
    let receivers: String = (1..=30).map(receiver).collect();
    let options = Options { receivers, ..Options::default() };
    let out = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await.success();
    insta::assert_snapshot!(out, @"
    receiver team1: app ops, to user zhangsan
    receiver team2: app ops, to user zhangsan
    receiver team3: app ops, to user zhangsan
    receiver team4: app ops, to user zhangsan
    receiver team5: app ops, to user zhangsan
    receiver team6: app ops, to user zhangsan
    receiver team7: app ops, to user zhangsan
    receiver team8: app ops, to user zhangsan
    receiver team9: app ops, to user zhangsan
    receiver team10: app ops, to user zhangsan
    receiver team11: app ops, to user zhangsan
    receiver team12: app ops, to user zhangsan
    and 18 more receivers; --samples shows all
    times in messages are in the zone UTC
    the configuration is valid: 1 app, 30 receivers, 0 warnings
    ");
}

#[tokio::test]
async fn check_shows_sample_messages_of_each_receiver() {
    let receivers = "  - { name: wechat, to_user: zhangsan }\n  - { name: oncall, to_party: 2, message: '告警 {{ status }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let out = Workdir::with(&options, "http://127.0.0.1:9").run(&["check", "--samples"]).await.success();
    // The first line of each message is enough.
    let lines: Vec<&str> = out.lines().collect();
    let is_body = |at: usize| lines[at].starts_with("  | ");
    let shown = (0..lines.len()).filter(|at| !is_body(*at) || !is_body(at - 1)).map(|at| lines[at]);
    insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @"
    receiver wechat: app ops, to user zhangsan
    firing: text to user zhangsan, 560 of 2048 bytes:
      | [FIRING:1] InstanceDown (prod 10.0.0.1:9100 node critical)
    resolved: text to user zhangsan, 562 of 2048 bytes:
      | [RESOLVED] InstanceDown (prod 10.0.0.1:9100 node critical)
    mixed: text to user zhangsan, 1162 of 2048 bytes:
      | [FIRING:2] shop 
    storm: text to user zhangsan, 1939 of 2048 bytes:
      | (1/5)
    storm: text to user zhangsan, 1899 of 2048 bytes:
      | (2/5)
    storm: text to user zhangsan, 1901 of 2048 bytes:
      | (3/5)
    storm: text to user zhangsan, 1901 of 2048 bytes:
      | (4/5)
    storm: text to user zhangsan, 1953 of 2048 bytes:
      | (5/5)
    missing-labels: text to user zhangsan, 165 of 2048 bytes:
      | [FIRING:1]  (billing)
    grafana: text to user zhangsan, 509 of 2048 bytes:
      | [FIRING:1] High CPU Infra 
    receiver oncall: app ops, to party 2
    firing: text to party 2, 13 of 2048 bytes:
      | 告警 firing
    resolved: text to party 2, 15 of 2048 bytes:
      | 告警 resolved
    mixed: text to party 2, 13 of 2048 bytes:
      | 告警 firing
    storm: text to party 2, 13 of 2048 bytes:
      | 告警 firing
    missing-labels: text to party 2, 13 of 2048 bytes:
      | 告警 firing
    grafana: text to party 2, 13 of 2048 bytes:
      | 告警 firing
    times in messages are in the zone UTC
    the configuration is valid: 1 app, 2 receivers, 0 warnings
    ");
}

#[tokio::test]
async fn every_command_reports_all_config_errors() {
    let workdir = Workdir::of(
        "outbox: { path: outbox.db, dedupe_window: 120 }\napps:\n  - name: ops\n    corp_id: ww1\n    agent_id: none\n    \
         api_secret: sandbox-secret-1000002\n    proxy_url: ftp://user:proxy-password-51d0@proxy\nreceivers:\n  \
         - { name: wechat, app: opps, to_user: a }\n  - { name: wechat, app: ops }\n",
    );
    let checked = workdir.run(&["check"]).await.failure(1);
    let err = checked.strip_suffix("the configuration is wrong: 6 errors\n").unwrap();
    insta::assert_snapshot!(err, @r#"
    config.yml:1:43: outbox.dedupe_window: "120" is not a duration; write it with a unit, such as 90s, 2m, 1h30m or 7d
    config.yml:5:15: apps[0].agent_id: "none" is not an agent id; write the app's AgentId, a whole number above 0, such as 1000030
    config.yml:7:16: apps[0].proxy_url: it must start with http:// or https:// or socks5:// or socks5h://: write it like http://user:password@proxy.example.com:3128
    config.yml:9:26: receivers[0].app: there is no app "opps"; did you mean ops?
    config.yml:10:5: receivers[1].to_user: no recipient: name at least one user, department or tag; to address everybody, write to_user: '@all'
    config.yml:10:13: receivers[1].name: the name "wechat" is already used by receivers[0].name in line 9; use another name
    "#);
    // The same mistakes keep every other command from starting.
    assert_eq!(workdir.run(&["serve"]).await.failure(64), err);
    assert_eq!(workdir.run(&["render", "--receiver", "wechat"]).await.failure(64), err);
    // The commands of the outbox need only the outbox.
    assert_eq!(workdir.run(&["outbox", "list"]).await.failure(64).lines().next(), err.lines().next());
}

#[tokio::test]
async fn a_broken_template_is_reported_with_its_location() {
    let receivers = "  - name: wechat\n    to_user: zhangsan\n    message: '{% if %}'\n  - name: oncall\n    to_user: lisi\n    \
                     message: '{{ status | shout }}'\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    let err = workdir.run(&["check"]).await.failure(1);
    insta::assert_snapshot!(err, @"
    config.yml:13:14: receivers[0].message: line 1, column 7 of the template: Found `%}` but expected one of: integer, float, string, bool, ident, `-`, `not`, `<`, `{`, `[` or `(`
    config.yml:16:14: receivers[1].message: line 1, column 13 of the template: Unknown filter `shout`; docs/templates.md lists the filters
    the configuration is wrong: 2 errors
    ");
}

#[tokio::test]
async fn an_unknown_filter_is_reported_by_name() {
    let receivers = "  - name: oncall\n    to_user: lisi\n    message: '{{ status | shout }}'\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let err = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await.failure(1);
    insta::assert_snapshot!(err, @"
    config.yml:13:14: receivers[0].message: line 1, column 13 of the template: Unknown filter `shout`; docs/templates.md lists the filters
    the configuration is wrong: 1 error
    ");
}

#[tokio::test]
async fn a_broken_template_file_is_reported_with_its_line() {
    let options = Options { more: "templates: [ '*.tera' ]\n".to_owned(), ..Options::default() };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    workdir.write("ops.message.tera", "fine\n{{ status | }}\n");
    let err = workdir.run(&["check"]).await.failure(1);
    insta::assert_snapshot!(err, @"
    ops.message.tera:2:13: Found `}}` but expected identifier.
    the configuration is wrong: 1 error
    ");
}

#[tokio::test]
async fn a_template_that_fails_on_a_sample_fails_the_check() {
    let receivers = "  - { name: wechat, to_user: zhangsan, message: '{{ commonLabels.no_such_label }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    insta::assert_snapshot!(ended.err, @r#"
    config.yml:11:49: receivers[0].message: line 1, column 17 of the template: undefined variable `commonLabels.no_such_label`; write `{{ commonLabels.no_such_label or "" }}` if it may be missing (all samples)
    the configuration is wrong: 1 error
    "#);
}

#[tokio::test]
async fn a_mistake_in_a_template_has_its_place_and_its_correction() {
    let mut errors = String::new();
    for message in [
        "{{ CommonLabels.alertname }}",
        "{{ labels.alertname }}",
        "{{ alert.labels.alertname }}",
        "{{ alerts[0].Labels.alertname }}",
        "{{ alerts.0.labels.alertname }}",
        "{% if firing %}x",
        "{% for a in alerts %}x{% endif %}",
        "{% if firing %}x{% else if resolved %}y{% endif %}",
        "{% if firing %}x{% elseif resolved %}y{% endif %}",
        "{% if firing %}x{% end %}",
        "{% if firing && resolved %}x{% endif %}",
        "{% if firing || resolved %}x{% endif %}",
        "{% if !firing %}x{% endif %}",
        "{{ status | default(value=“x”) }}",
        "{{ status ，}}",
        "{{ alerts[0].startsAt.strftime() }}",
        "{{ headlin() }}",
        "{% include \"wechat.zh.mesage\" %}",
        "{% include \"my.tmpl\" %}",
    ] {
        let quoted = message.replace('\'', "''");
        let receivers = format!("  - {{ name: wechat, to_user: zhangsan, message: '{quoted}' }}\n");
        let workdir = Workdir::with(&Options { receivers, ..Options::default() }, "http://127.0.0.1:9");
        let ended = workdir.run(&["check"]).await;
        assert_eq!(ended.code, Some(1), "{message}: {ended:?}");
        let wrong = ended.err.lines().filter(|line| !line.starts_with("warning: "));
        let lines: Vec<&str> = wrong.collect();
        let [problem, "the configuration is wrong: 1 error"] = lines.as_slice() else { panic!("{ended:?}") };
        let (place, problem) =
            problem.split_once(" of the template: ").unwrap_or_else(|| panic!("{ended:?}"));
        assert!(place.contains("config.yml:") && place.contains("receivers[0].message: line 1"), "{place}");
        errors += &format!("{message}\n    {problem}\n");
    }
    insta::assert_snapshot!(errors, @r#"
    {{ CommonLabels.alertname }}
        undefined variable `CommonLabels`; did you mean `commonLabels`? (all samples)
    {{ labels.alertname }}
        undefined variable `labels`; did you mean `commonLabels`? (all samples)
    {{ alert.labels.alertname }}
        undefined variable `alert`; it exists only within {% for alert in alerts %} … {% endfor %} (all samples)
    {{ alerts[0].Labels.alertname }}
        undefined variable `alerts[0].Labels`; did you mean `alerts[0].labels`? (all samples)
    {{ alerts.0.labels.alertname }}
        Found float but expected identifier; write x[0] for x.0
    {% if firing %}x
        Unexpected end of input; close every {% if %} with {% endif %}, every {% for %} with {% endfor %}, and every {{ with }}
    {% for a in alerts %}x{% endif %}
        Unknown tag; {% endif %} does not match: close the inner block first, a for with endfor and an if with endif
    {% if firing %}x{% else if resolved %}y{% endif %}
        Found identifier but expected %}; write {% elif … %} for else if
    {% if firing %}x{% elseif resolved %}y{% endif %}
        Unknown tag; write {% elif … %}, within {% if … %}
    {% if firing %}x{% end %}
        Unknown tag; write {% endif %} or {% endfor %}
    {% if firing && resolved %}x{% endif %}
        Unexpected character; write `and` for &&
    {% if firing || resolved %}x{% endif %}
        Found `|` but expected identifier; write `or` for ||
    {% if !firing %}x{% endif %}
        Found `!` but expected one of: integer, float, string, bool, ident, `-`, `not`, `<`, `{`, `[` or `(`; write `not x` for !x
    {{ status | default(value=“x”) }}
        Unexpected character; “ (U+201C) is a full-width quote: write " or '
    {{ status ，}}
        Unexpected character; it is ， (U+FF0C)
    {{ alerts[0].startsAt.strftime() }}
        Function calls are only allowed at the first element of a chain; use a filter, as in {{ alert.startsAt | date }}
    {{ headlin() }}
        Unknown function `headlin`; did you mean `headline`?
    {% include "wechat.zh.mesage" %}
        Unknown template `wechat.zh.mesage`; did you mean `wechat.zh.message`?
    {% include "my.tmpl" %}
        Unknown template `my.tmpl`; list its file under `templates`; its name is that of the file without .tera
    "#);
}

#[tokio::test]
async fn the_other_template_language_is_recognized() {
    let receivers = "  - { name: wechat, to_user: zhangsan, message: '{{ template \"a\" . }}' }\n  - { name: oncall, to_user: \
                     zhangsan, template_language: go, message: '{% include \"a\" %}' }\n  - { name: ops, to_user: zhangsan, \
                     template_language: golang }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    let err = workdir.run(&["check"]).await.failure(1);
    insta::assert_snapshot!(err, @r#"
    config.yml:13:56: receivers[2].template_language: "golang" is not a language of templates; write tera, or go for templates of Alertmanager
    the configuration is wrong: 1 error
    "#);
    let receivers =
        receivers.replace(", template_language: golang", "").replace("\n                     ", "");
    let options = Options { receivers, more: "templates: [ a.tmpl ]\n".to_owned(), ..Options::default() };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    workdir.write("a.tmpl", "{% for a in alerts %}{{ a.labels.x }}{% endfor %}");
    let err = workdir.run(&["check"]).await.failure(1);
    insta::assert_snapshot!(err, @r#"
    a.tmpl: this is a Tera template, and Go is expected here: write `template_language: tera` for the receiver, or let the name of the file end in `.tera`
    config.yml:11:49: receivers[0].message: line 1, column 13 of the template: this is a Go template as Alertmanager has them, and Tera is expected here: write `template_language: go` for the receiver, or let the name of the file end in `.tmpl`; Tera writes {% include "wechat.default.message" %} and {{ commonLabels.alertname }}
    config.yml:12:72: receivers[1].message: this is a Tera template, and Go is expected here: write `template_language: tera` for the receiver, or let the name of the file end in `.tera`
    the configuration is wrong: 3 errors
    "#);
}

#[tokio::test]
async fn a_go_template_that_fails_on_a_sample_fails_the_check() {
    let receivers = "  - { name: wechat, to_user: zhangsan, template_language: go, message: '{{ (index .Alerts 1).Labels.x }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    insta::assert_snapshot!(ended.err, @r#"
    config.yml:11:72: receivers[0].message: line 1, column 5 of the template: executing "receiver/wechat/message" at <index .Alerts 1>: error calling index: reflect: slice index out of range (samples: firing, resolved, missing-labels)
    receiver wechat: template receiver/wechat/message wrote an empty message (samples: mixed, storm, grafana)
    the configuration is wrong: 2 errors
    "#);
}

#[tokio::test]
async fn a_card_that_wecom_would_refuse_fails_the_check() {
    let receivers =
        "  - { name: wechat, to_user: zhangsan, message_type: textcard, url: '{{ groupKey }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    insta::assert_snapshot!(ended.err, @r#"
    receiver wechat: WeCom would refuse the card, and the text is sent: url does not start with http:// or https://: {}:{alertname="InstanceDown"} (samples: firing, resolved)
    receiver wechat: WeCom would refuse the card, and the text is sent: url does not start with http:// or https://: {}:{namespace="shop"} (sample: mixed)
    receiver wechat: WeCom would refuse the card, and the text is sent: url does not start with http:// or https://: {}:{alertname="DiskFull"} (sample: storm)
    receiver wechat: WeCom would refuse the card, and the text is sent: url does not start with http:// or https://: {}:{} (sample: missing-labels)
    receiver wechat: WeCom would refuse the card, and the text is sent: url does not start with http:// or https://: {}/{__grafana_autogenerated__="true"}:{alertname="High CPU"… (sample: grafana)
    the configuration is wrong: 5 errors
    "#);
}

#[tokio::test]
async fn empty_templated_recipients_are_a_warning() {
    let receivers =
        "  - { name: wechat, to_user: \"{{ commonLabels.owner | default(value='') }}\", message: x }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    insta::assert_snapshot!(ended.err, @"warning: receiver wechat: to_user, to_party and to_tag are empty after rendering; the message would be a dead letter, because there is no fallback (all samples)");
    insta::assert_snapshot!(ended.out, @"
    receiver wechat: app ops, to recipients from templates
    times in messages are in the zone UTC
    the configuration is valid: 1 app, 1 receiver, 1 warning
    ");
}

#[tokio::test]
async fn a_missing_configuration_is_reported_with_its_path() {
    let workdir = Workdir::of("");
    std::fs::remove_file(workdir.folder.path().join("config.yml")).unwrap();
    let err = workdir.run(&["check", "--config", "none.yml"]).await.failure(1);
    insta::assert_snapshot!(err, @"
    none.yml: the configuration cannot be read: No such file or directory (os error 2)
    the configuration is wrong: 1 error
    ");
}

#[tokio::test]
async fn a_button_until_nine_needs_the_time_zone_of_the_members() {
    let yaml = |timezone: &str| {
        format!(
            "{timezone}alertmanager: {{ url: 'http://127.0.0.1:9093' }}
apps:
  - name: ops
    corp_id: ww1234567890abcdef
    agent_id: 1
    api_secret: not-a-real-secret
    callback: {{ token: NotARealToken, encoding_aes_key: NotARealKeyNotARealKeyNotARealKeyNotARealKe }}
receivers:
  - {{ name: wechat, to_user: zhangsan, message_type: template_card, actions: {{}} }}
"
        )
    };
    for (timezone, system, is_warned) in
        [("", "UTC", true), ("", "Asia/Shanghai", false), ("timezone: UTC\n", "UTC", false)]
    {
        let workdir = Workdir::of(&yaml(timezone));
        let mut check = command(&["check"]);
        check.current_dir(workdir.folder.path()).env("TZ", system);
        let finished = run(check, String::new()).await;
        let warning = "a button silences until a time of day, and that time is in UTC";
        assert_eq!(finished.err.contains(warning), is_warned, "{timezone} {system}: {finished:?}");
    }
}
