//! Webhooks of programs for group robots.

use super::{Finished, Workdir};

const FIRST: &str = "00000000-1111-2222-3333-444444444441";
const SECOND: &str = "00000000-1111-2222-3333-444444444442";
const THIRD: &str = "00000000-1111-2222-3333-444444444443";

const WEBHOOKS: &str = "\
route: { receiver: team }
receivers:
  - name: team
    webhook_configs:
      # a2w
      - url: http://a2w:5001/send?key=FIRST # the team
        send_resolved: false
  - name: pager
    webhook_configs:
      - { url: 'http://p:8080/prometheusalert?type=wx&tpl=t&wxurl=https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=SECOND,https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=FIRST&at=zhangsan,lisi', max_alerts: 0 }
      - url: http://chat.example/?token=wrong-secret-7f3a9c
    wechat_configs:
      - corp_id: ww1234567890abcdef
        agent_id: '1000002'
        api_secret: sandbox-secret-1000002
        to_user: zhangsan
  - name: direct
    webhook_configs: [{ url: \"https://mirror.example/cgi-bin/webhook/send?key=THIRD\" }]
";

fn webhooks() -> String {
    WEBHOOKS.replace("FIRST", FIRST).replace("SECOND", SECOND).replace("THIRD", THIRD)
}

#[tokio::test]
async fn import_makes_robots_of_the_webhooks_of_other_relays() {
    let workdir = Workdir::of("");
    let out = workdir.import(&webhooks(), &[]).await.success();
    assert!(![FIRST, SECOND, THIRD, "wrong-secret"].iter().any(|key| out.contains(key)), "{out}");
    assert!(out.contains("receiver pager-2, robot robot-2: firing and resolved\n"), "{out}");
    assert!(
        out.contains("alertmanager.yml:10:16: tpl is not carried over; its template sees one alert"),
        "{out}"
    );
    insta::assert_snapshot!(workdir.read("wecom-relay-import/config.yml"), @"
    # Made by wecom-relay import. config.example.yml explains every key.
    server:
      listen: '127.0.0.1:8061'

    outbox:
      # systemd sets STATE_DIRECTORY. Without systemd the outbox is beside this file.
      path: ${STATE_DIRECTORY:-.}/outbox.db

    apps:
      - name: app-1000002
        corp_id: ww1234567890abcdef
        agent_id: 1000002
        api_secret_file: '${CREDENTIALS_DIRECTORY:-secrets}/app-1000002'
    robots:
      - name: robot-1
        key_file: '${CREDENTIALS_DIRECTORY:-secrets}/robot-1'
      - name: robot-2
        key_file: '${CREDENTIALS_DIRECTORY:-secrets}/robot-2'
      - name: robot-3
        key_file: '${CREDENTIALS_DIRECTORY:-secrets}/robot-3'

    receivers:
      - name: pager
        app: app-1000002
        template_language: go
        to_user: zhangsan
        send_resolved: false
      - name: team
        robot: robot-1
        message_type: markdown
        language: zh
        send_resolved: false
      - name: pager-2
        robot: robot-2
        mentioned_list: [zhangsan, lisi]
        language: zh
        also: [pager-3]
        send_resolved: true
      - name: pager-3
        robot: robot-1
        mentioned_list: [zhangsan, lisi]
        language: zh
        send_resolved: true
      - name: direct
        robot: robot-3
        message_type: markdown
        language: zh
        send_resolved: true
    ");
    insta::assert_snapshot!(workdir.read("wecom-relay-import/alertmanager.yml"), @"
    route: { receiver: team }
    receivers:
      - name: team
        webhook_configs:
          # a2w
          - url: 'http://127.0.0.1:8061/webhook/team' # the team
            send_resolved: false
      - name: pager
        webhook_configs:
          - { url: 'http://127.0.0.1:8061/webhook/pager-2', max_alerts: 0 }
          - url: http://chat.example/?token=wrong-secret-7f3a9c
          - url: 'http://127.0.0.1:8061/webhook/pager'
            send_resolved: false
      - name: direct
        webhook_configs: [{ url: 'http://127.0.0.1:8061/webhook/direct' }]
    ");
    let secret = |name: &str| workdir.read(&format!("wecom-relay-import/secrets/{name}"));
    let mirror = format!("https://mirror.example/cgi-bin/webhook/send?key={THIRD}");
    assert_eq!(["robot-1", "robot-2", "robot-3"].map(secret), [FIRST, SECOND, mirror.as_str()]);
    assert_eq!(workdir.mode("wecom-relay-import/secrets/robot-1"), 0o600);
}

#[tokio::test]
async fn import_says_what_a_webhook_does_not_name() {
    let mut told = String::new();
    for query in ["type=wx&tpl=t", "type=workwechat&wxuser=zhangsan"] {
        let workdir = Workdir::of("");
        let yaml = format!(
            "receivers: [{{ name: a, webhook_configs: [{{ url: 'http://p/prometheusalert?{query}' }}] }}]\n"
        );
        let Finished { code, out, err } = workdir.import(&yaml, &[]).await;
        assert_eq!(code, Some(1), "{out}{err}");
        told.push_str(&out);
        told.push_str(&err);
    }
    insta::assert_snapshot!(told, @"
    Not carried over
      alertmanager.yml:1:49: this webhook goes to a robot that only the configuration of PrometheusAlert names; write the robot, a receiver with it, and its URL here
    alertmanager.yml: no receiver has wechat_configs or the webhook of a robot, so there is nothing to import
    Not carried over
      alertmanager.yml:1:49: this webhook goes to an app that only the configuration of PrometheusAlert names; write the app, a receiver with to_user, to_party and to_tag, and its URL here
    alertmanager.yml: no receiver has wechat_configs or the webhook of a robot, so there is nothing to import
    ");
}

#[tokio::test]
async fn a_url_that_cannot_be_edited_is_left_to_a_person() {
    let workdir = Workdir::of("");
    let yaml = format!(
        "receivers:\n  - name: a\n    webhook_configs: [{{ url: &a 'http://a2w/send?key={FIRST}' }}]\n  - name: b\n    \
         webhook_configs: [{{ url: *a }}]\n"
    );
    let Finished { code, out, err } = workdir.import(&yaml, &[]).await;
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("it was not edited; replace it by http://127.0.0.1:8061/webhook/b\n"), "{out}");
    assert!(!out.contains(FIRST), "{out}");
    assert_eq!(workdir.read("wecom-relay-import/alertmanager.yml"), yaml);
}
