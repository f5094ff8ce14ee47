//! `import`

mod robots;

use std::{fs, os::unix::fs::PermissionsExt};

use super::{Finished, Workdir};

const SIMPLE: &str = "\
global: { resolve_timeout: 5m }
route: { receiver: ops }
receivers:
  - name: ops # the only one
    wechat_configs:
      - corp_id: ww1234567890abcdef
        agent_id: '1000002'
        api_secret: sandbox-secret-1000002
        to_user: zhangsan
        send_resolved: true
";

/// All forms of YAML that the command edits.
const FORMS: &str = "\
# The alerts of a shop
global:
  resolve_timeout: 5m
  wechat_api_corp_id: ww1234567890abcdef  # corp
  wechat_api_secret: sandbox-secret-1000002
  wechat_api_url: https://qyapi.weixin.qq.com/cgi-bin/
route:
  receiver: ops
receivers:
# first
- name: ops
  wechat_configs:
  - agent_id: '1000002'
    to_party: 2
    send_resolved: true
    message: |
      {{ .Status }}:{{ range .Alerts }} {{ .Labels.alertname }}
      {{ end }}

  - agent_id: '1000030'
    api_secret: sandbox-secret-1000030
    to_user: \"zhangsan\"
# second
- wechat_configs:
  - to_user: '@all'
    agent_id: 1000002
  # between
  name: team/db
  webhook_configs:
  - url: http://chat.example/?token=wrong-secret-7f3a9c
- name: mail
  email_configs:
  - to: a@example.com
";

impl Workdir {
    async fn import(&self, alertmanager: &str, args: &[&str]) -> Finished {
        self.write("alertmanager.yml", alertmanager);
        self.run(&[&["import", "alertmanager.yml"], args].concat()).await
    }

    fn mode(&self, path: &str) -> u32 {
        self.folder.path().join(path).metadata().unwrap().permissions().mode() & 0o777
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap()
    }
}

#[tokio::test]
async fn import_writes_a_configuration_that_is_valid() {
    let workdir = Workdir::of("");
    let out = workdir.import(SIMPLE, &["--timezone", "Asia/Shanghai"]).await.success();
    insta::assert_snapshot!(out, @"
    Written
      wecom-relay-import/secrets/app-1000002 (only its owner can read it)
      wecom-relay-import/config.yml
      wecom-relay-import/alertmanager.yml (only its owner can read it)
    Changes of alertmanager.yml, without secrets
      @@ -3,8 +3,5 @@
       receivers:
         - name: ops # the only one
      -    wechat_configs:
      -      - corp_id: ww1234567890abcdef
      -        agent_id: '1000002'
      -        api_secret: <hidden>
      -        to_user: zhangsan
      -        send_resolved: true
      +    webhook_configs:
      +    - url: 'http://127.0.0.1:8061/webhook/ops'
      +      send_resolved: true
    Carried over
      receiver ops, app app-1000002: firing and resolved
    Check of the new configuration
    receiver ops: app app-1000002, to user zhangsan
    mixed: text to user zhangsan, 1162 of 2048 bytes:
      | [FIRING:2] shop 
      | 
      | Alerts Firing:
      | Labels:
      |  - alertname = PodCrashLooping
      |  - namespace = shop
      |  - node = node-7
      |  - pod = cart-7d9f
      |  - severity = warning
      | Annotations:
      |  - message = 容器反复重启：5 分钟内 4 次 <exit 137>
      | Source: https://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1
      | Labels:
      |  - alertname = DeploymentReplicasMismatch
      |  - deployment = cart
      |  - namespace = shop
      |  - severity = critical
      | Annotations:
      |  - summary = **cart** has 1 of 3 replicas
      | see `kubectl -n shop get deploy`
      | Source: https://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1
      | 
      | Alerts Resolved:
      | Labels:
      |  - alertname = PodCrashLooping
      |  - namespace = shop
      |  - node = node-7
      |  - pod = cart-8c1a
      |  - severity = warning
      | Annotations:
      |  - message = 容器反复重启：5 分钟内 4 次
      | Source: https://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1
      | Labels:
      |  - alertname = DeploymentReplicasMismatch
      |  - deployment = pay
      |  - namespace = shop
      |  - severity = critical
      | Annotations:
      |  - summary = pay has 2 of 3 replicas
      | Source: https://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1
      | 
      | AlertmanagerUrl:
      | https://alertmanager.example.com/#/alerts?receiver=wechat
    times in messages are in the zone Asia/Shanghai
    the configuration is valid: 1 app, 1 receiver, 0 warnings
    Next steps
      1. under systemd, put the files into /etc/wecom-relay, and add a line to the unit for each secret: LoadCredential=app-1000002:/etc/wecom-relay/secrets/app-1000002
      2. wecom-relay check --config wecom-relay-import/config.yml
      3. wecom-relay serve --config wecom-relay-import/config.yml
      4. give Alertmanager wecom-relay-import/alertmanager.yml, and reload it; keep the old file as a way back
    ");
    insta::assert_snapshot!(workdir.read("wecom-relay-import/config.yml"), @"
    # Made by wecom-relay import. config.example.yml explains every key.
    server:
      listen: '127.0.0.1:8061'

    outbox:
      # systemd sets STATE_DIRECTORY. Without systemd the outbox is beside this file.
      path: ${STATE_DIRECTORY:-.}/outbox.db

    timezone: Asia/Shanghai

    apps:
      - name: app-1000002
        corp_id: ww1234567890abcdef
        agent_id: 1000002
        api_secret_file: '${CREDENTIALS_DIRECTORY:-secrets}/app-1000002'

    receivers:
      - name: ops
        app: app-1000002
        template_language: go
        to_user: zhangsan
        send_resolved: true
    ");
    insta::assert_snapshot!(workdir.read("wecom-relay-import/alertmanager.yml"), @"
    global: { resolve_timeout: 5m }
    route: { receiver: ops }
    receivers:
      - name: ops # the only one
        webhook_configs:
        - url: 'http://127.0.0.1:8061/webhook/ops'
          send_resolved: true
    ");
    assert_eq!(workdir.read("wecom-relay-import/secrets/app-1000002"), "sandbox-secret-1000002");
    let mode = |path: &str| workdir.mode(&format!("wecom-relay-import/{path}"));
    assert_eq!(
        [mode(""), mode("secrets"), mode("secrets/app-1000002"), mode("config.yml")],
        [0o755, 0o700, 0o600, 0o644]
    );
    assert_eq!(workdir.read("alertmanager.yml"), SIMPLE);
}

#[tokio::test]
async fn import_edits_each_form_and_keeps_the_rest() {
    let workdir = Workdir::of("");
    workdir.import(FORMS, &["--out", "new"]).await.success();
    insta::assert_snapshot!(workdir.read("new/alertmanager.yml"), @"
    # The alerts of a shop
    global:
      resolve_timeout: 5m
    route:
      receiver: ops
    receivers:
    # first
    - name: ops
      webhook_configs:
      - url: 'http://127.0.0.1:8061/webhook/ops'
        send_resolved: true
      - url: 'http://127.0.0.1:8061/webhook/ops-2'
        send_resolved: false
    # second
      # between
    - name: team/db
      webhook_configs:
      - url: http://chat.example/?token=wrong-secret-7f3a9c
      - url: 'http://127.0.0.1:8061/webhook/team%2Fdb'
        send_resolved: false
    - name: mail
      email_configs:
      - to: a@example.com
    ");
    insta::assert_snapshot!(workdir.read("new/config.yml"), @"
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
        api_url: 'https://qyapi.weixin.qq.com/cgi-bin/'
      - name: app-1000030
        corp_id: ww1234567890abcdef
        agent_id: 1000030
        api_secret_file: '${CREDENTIALS_DIRECTORY:-secrets}/app-1000030'
        api_url: 'https://qyapi.weixin.qq.com/cgi-bin/'

    receivers:
      - name: ops
        app: app-1000002
        template_language: go
        to_party: '2'
        message: |
          {{ .Status }}:{{ range .Alerts }} {{ .Labels.alertname }}
          {{ end }}
        send_resolved: true
      - name: ops-2
        app: app-1000030
        template_language: go
        to_user: zhangsan
        send_resolved: false
      - name: team/db
        app: app-1000002
        template_language: go
        to_user: '@all'
        send_resolved: false
    ");
}

#[tokio::test]
async fn import_keeps_line_ends() {
    let workdir = Workdir::of("");
    workdir.import(&SIMPLE.replace('\n', "\r\n"), &[]).await.success();
    let new = workdir.read("wecom-relay-import/alertmanager.yml");
    assert_eq!(new.matches('\n').count(), new.matches("\r\n").count());
    assert!(new.contains("webhook_configs:\r\n"), "{new}");
}

#[tokio::test]
async fn import_puts_secrets_where_it_is_told() {
    let workdir = Workdir::of("");
    let out = workdir.import(SIMPLE, &["--secrets", "inline", "--out", "inline"]).await.success();
    assert_eq!(workdir.mode("inline/config.yml"), 0o600);
    assert!(out.contains("1. run the relay as the owner of inline/config.yml, which has secrets"), "{out}");
    assert!(workdir.read("inline/config.yml").contains("api_secret: sandbox-secret-1000002\n"));
    let out = workdir.import(SIMPLE, &["--secrets", "env", "--out", "env"]).await.success();
    assert!(workdir.read("env/config.yml").contains("api_secret_env: WECOM_SECRET_APP_1000002\n"));
    assert_eq!(workdir.mode("env/config.yml"), 0o644);
    assert!(out.contains("set for the relay: WECOM_SECRET_APP_1000002\n"), "{out}");
    // Programs such as envsubst fill in this value.
    let variable = SIMPLE.replace("sandbox-secret-1000002", "'${SHOP_SECRET}'");
    workdir.import(&variable, &["--out", "variable"]).await.success();
    assert!(workdir.read("variable/config.yml").contains("api_secret_env: SHOP_SECRET\n"));
}

#[tokio::test]
async fn import_reads_true_and_false_as_alertmanager_does() {
    let workdir = Workdir::of("");
    for (number, (word, meaning)) in [
        ("yes", "true"),
        ("On", "true"),
        ("y", "true"),
        ("TRUE", "true"),
        ("no", "false"),
        ("Off", "false"),
        ("", "false"),
    ]
    .into_iter()
    .enumerate()
    {
        let out = number.to_string();
        let alertmanager = SIMPLE.replace("send_resolved: true", &format!("send_resolved: {word}"));
        workdir.import(&alertmanager, &["--out", &out]).await.success();
        for file in ["config.yml", "alertmanager.yml"] {
            let text = workdir.read(&format!("{out}/{file}"));
            assert!(text.contains(&format!("send_resolved: {meaning}\n")), "{word}: {text}");
        }
    }
}

#[tokio::test]
async fn import_carries_the_proxy_and_a_ca() {
    let workdir = Workdir::of("");
    let http = "        http_config:\n          proxy_url: http://u:proxy-password-51d0@proxy.example:3128\n          tls_config: { \
                ca_file: missing.crt, insecure_skip_verify: true }\n          basic_auth: {}\n";
    let out = workdir.import(&format!("{SIMPLE}{http}"), &[]).await;
    assert_eq!(out.code, Some(1));
    assert!(out.out.contains("http_config.basic_auth has no equivalent"), "{}", out.out);
    assert!(out.out.contains("http_config.tls_config.insecure_skip_verify has no equivalent"), "{}", out.out);
    let config = workdir.read("wecom-relay-import/config.yml");
    assert!(config.contains("secrets}/app-1000002_proxy'\n"), "{config}");
    assert!(config.contains("/missing.crt\n"), "{config}");
}

#[tokio::test]
async fn import_tells_what_it_cannot_carry_over() {
    let cases = [
        ("send_resolved: true", "send_resolve: true"),
        ("send_resolved: true", "send_resolved: 1"),
        ("agent_id: '1000002'", "agent_id: '{{ .CommonLabels.agent }}'"),
        ("agent_id: '1000002'", "agent_id: 你的应用"),
        ("to_user: zhangsan", "to_user: ''"),
        ("to_user: zhangsan", "to_party: PartyID1 | PartyID2"),
        ("corp_id: ww1234567890abcdef", "corp_id: <corp>"),
    ];
    let mut told = String::new();
    for (old, new) in cases {
        let workdir = Workdir::of("");
        let Finished { code, out, err } = workdir.import(&SIMPLE.replace(old, new), &[]).await;
        assert_eq!(code, Some(1), "{new}\n{out}{err}");
        let found = out.lines().skip_while(|line| !matches!(*line, "Not carried over" | "Warnings"));
        let found = found
            .take_while(|line| *line != "Check of the new configuration")
            .filter(|line| line.starts_with("  "));
        told.push_str(&format!("{new}\n"));
        found.chain(err.lines()).for_each(|line| told.push_str(&format!("    {}\n", line.trim())));
    }
    insta::assert_snapshot!(told, @r#"
    send_resolve: true
        alertmanager.yml:10:9: wechat_configs has no key send_resolve; Alertmanager refuses it, too; did you mean send_resolved?
    send_resolved: 1
        alertmanager.yml:10:24: send_resolved is neither true nor false; write true or false
    agent_id: '{{ .CommonLabels.agent }}'
        alertmanager.yml:7:19: agent_id is a template, and the relay has one app for each fixed value; list an app for each value, and a receiver for each app
        wecom-relay-import/config.yml:12:15: apps[0].agent_id: "{{ .CommonLabels.agent }}" is not an agent id; write the app's AgentId, a whole number above 0, such as 1000030
        the configuration is wrong: 1 error
    agent_id: 你的应用
        wecom-relay-import/config.yml:12:15: apps[0].agent_id: "你的应用" is not an agent id; write the app's AgentId, a whole number above 0, such as 1000030
        the configuration is wrong: 1 error
    to_user: ''
        wecom-relay-import/config.yml:19:14: receivers[0].to_user: no recipient: name at least one user, department or tag; to address everybody, write to_user: '@all'
        the configuration is wrong: 1 error
    to_party: PartyID1 | PartyID2
        wecom-relay-import/config.yml:19:15: receivers[0].to_party: "PartyID1" is not an id; write the number that the console shows at 通讯录 → the department's menu → 部门ID; separate several with |
        the configuration is wrong: 1 error
    corp_id: <corp>
        alertmanager.yml:6:18: corp_id is a placeholder; write the value into the new configuration
        wecom-relay-import/config.yml:11:14: apps[0].corp_id: this is not a corp id, because it has the character < (U+003C); write the corp's id, such as ww1234567890abcdef, which the console shows at 我的企业 → 企业ID
        the configuration is wrong: 1 error
    "#);
}

#[tokio::test]
async fn import_refuses_what_is_not_alertmanager_yml() {
    let files = [
        "",
        "a: [",
        "kind: Secret\napiVersion: v1\n",
        "alertmanager: { config: {} }\n",
        "scrape_configs: []\n",
        "apps: []\n",
        "x: 1\n",
        "receivers: [{ name: a, email_configs: [] }]\n",
        "receivers: [{ name: a, wechat_configs: [] }]\n",
    ];
    let mut told = String::new();
    for file in files {
        let workdir = Workdir::of("");
        told.push_str(&workdir.import(file, &[]).await.failure(1));
        assert!(!workdir.folder.path().join("wecom-relay-import").exists());
    }
    let workdir = Workdir::of("");
    told.push_str(&workdir.run(&["import", "missing.yml"]).await.failure(1));
    insta::assert_snapshot!(told, @r"
    wecom-relay: alertmanager.yml: this has no receivers, so it is not alertmanager.yml; name the configuration of Alertmanager
    wecom-relay: alertmanager.yml:1:4: this is not YAML: unclosed bracket '['; correct it, so that amtool check-config accepts it
    wecom-relay: alertmanager.yml: this is a Kubernetes object, and not alertmanager.yml; pipe the file that is in it: kubectl get secret NAME -o jsonpath='{.data.alertmanager\.yaml}' | base64 -d | wecom-relay import -
    wecom-relay: alertmanager.yml: these are values of a Helm chart, and not alertmanager.yml; write the part below `config` into a file of its own
    wecom-relay: alertmanager.yml: this is the configuration of Prometheus, and not of Alertmanager; name alertmanager.yml
    wecom-relay: alertmanager.yml: this is a configuration of wecom-relay already; name alertmanager.yml
    wecom-relay: alertmanager.yml: this has no receivers, so it is not alertmanager.yml; name the configuration of Alertmanager
    alertmanager.yml: no receiver has wechat_configs or the webhook of a robot, so there is nothing to import
    alertmanager.yml: no receiver has wechat_configs or the webhook of a robot, so there is nothing to import
    wecom-relay: missing.yml cannot be read: No such file or directory (os error 2)
    ");
}

#[tokio::test]
async fn import_reads_standard_input_and_overwrites_nothing() {
    let workdir = Workdir::of("");
    workdir.run_with(&["import", "-"], SIMPLE).await.success();
    let err = workdir.run_with(&["import", "-"], SIMPLE).await.failure(1);
    insta::assert_snapshot!(err, @"wecom-relay: wecom-relay-import is not empty, and no file is overwritten; name another folder with --out");
    let err = workdir.run(&["import", "x.yml", "--relay-url", "relay:8061"]).await.failure(2);
    assert!(err.contains("such as http://127.0.0.1:8061"), "{err}");
}

#[tokio::test]
async fn a_receiver_in_one_line_is_left_to_a_person() {
    let workdir = Workdir::of("");
    let flow = "receivers: [{ name: ops, wechat_configs: [{ corp_id: ww1234567890abcdef, agent_id: 1000002, api_secret: \
                sandbox-secret-1000002, to_user: zhangsan }] }]\n";
    let Finished { code, out, .. } = workdir.import(flow, &[]).await;
    assert_eq!(code, Some(1));
    let advice = "replace its wechat_configs by webhook_configs: [{ url: 'http://127.0.0.1:8061/webhook/ops', send_resolved: false }]";
    assert!(out.contains(advice), "{out}");
    assert_eq!(workdir.read("wecom-relay-import/alertmanager.yml"), flow);
}

#[tokio::test]
async fn import_takes_the_templates_that_are_there() {
    let workdir = Workdir::of("");
    workdir.write(
        "ops.tmpl",
        "{{ define \"wechat.default.to_user\" }}lisi{{ end }}{{ define \"x\" }}y{{ end }}",
    );
    workdir.write("other.template", "{{ define \"z\" }}{{ end }}");
    let templates = SIMPLE.replace("        to_user: zhangsan\n", "")
        + "templates: ['*.tmpl', '*.template', none/*.tmpl]\n";
    let Finished { code, out, err } = workdir.import(&templates, &[]).await;
    assert_eq!(code, Some(1), "{out}{err}");
    let folder = workdir.folder.path().canonicalize().unwrap();
    let hidden = |text: &str| text.replace(folder.to_str().unwrap(), "[FOLDER]");
    let found = out
        .lines()
        .skip_while(|line| *line != "Not carried over")
        .take_while(|line| !line.starts_with("Check"));
    insta::assert_snapshot!(hidden(&found.collect::<Vec<_>>().join("\n")), @"
    Not carried over
      templates: [FOLDER]/other.template does not end in .tmpl, by which the relay knows a Go template; rename it, and add it to the new configuration
    Warnings
      templates: no file matches [FOLDER]/none/*.tmpl here, so it is left out; add it to the new configuration on the machine that has the files
    ");
    let config = hidden(&workdir.read("wecom-relay-import/config.yml"));
    assert!(config.contains("templates:\n  - '[FOLDER]/*.tmpl'\n"), "{config}");
    assert!(config.contains("to_user: '{{ template \"wechat.default.to_user\" . }}'\n"), "{config}");
}

#[tokio::test]
async fn a_file_that_cannot_be_edited_is_left_to_a_person() {
    let workdir = Workdir::of("");
    // Another notifier needs a line that would be removed.
    let shared = SIMPLE.replace("send_resolved: true", "send_resolved: &shared true")
        + "    email_configs:\n      - { to: a@example.com, send_resolved: *shared }\n";
    insta::assert_snapshot!(workdir.import(&shared, &[]).await.failure(1), @"
    wecom-relay: alertmanager.yml: the edited file could not be read: this is not YAML: an alias (*…) without its anchor (&…), so nothing was written; replace wechat_configs yourself by webhook_configs with:
    [{ url: 'http://127.0.0.1:8061/webhook/ops', send_resolved: true }]
    ");
    assert!(!workdir.folder.path().join("wecom-relay-import").exists());
}
