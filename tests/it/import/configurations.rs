//! Configurations of Alertmanager, as people write them. `API` stands for the URL of WeCom's API, and `FOLDER` for the
//! folder of the file, which has the templates [`TEMPLATES`].

pub(super) struct Configuration {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    /// The number of messages for the firing alerts, and for the resolved ones.
    pub(super) messages: [usize; 2],
}

/// The files beside the configurations.
pub(super) const TEMPLATES: [(&str, &str); 3] = [
    (
        "default.tmpl",
        r#"{{ define "wechat.default.message" }}{{ .Status | toUpper }} {{ .CommonLabels.alertname }}
{{ range .Alerts }}{{ template "line" . }}{{ end }}{{ end }}
{{ define "line" }}- {{ .Labels.instance }}{{ with .Annotations.summary }}: {{ . }}{{ end }}
{{ end }}
{{ define "wechat.default.to_user" }}wangwu{{ end }}"#,
    ),
    (
        "chinese.tmpl",
        r#"{{ define "ops.message" -}}
{{- if gt (len .Alerts.Firing) 0 -}}
{{- range $index, $alert := .Alerts.Firing -}}
{{- if eq $index 0 }}
======== 告警 ========
告警名称: {{ $alert.Labels.alertname }}
告警级别: {{ $alert.Labels.severity }}
{{- end }}
实例: {{ $alert.Labels.instance }}
开始时间: {{ ($alert.StartsAt.Add 28800e9).Format "2006-01-02 15:04:05" }}
{{- end }}
{{- end }}
{{- if gt (len .Alerts.Resolved) 0 -}}
{{- range .Alerts.Resolved }}
======== 恢复 ========
{{ .Labels.alertname }} {{ .Labels.instance }}
恢复时间: {{ (.EndsAt.Add 28800e9).Format "2006-01-02 15:04:05" }}
{{- end }}
{{- end }}
{{- end }}"#,
    ),
    (
        "users.tmpl",
        r#"{{ define "team.users" }}{{ if eq .Status "firing" }}zhangsan|lisi{{ else }}lisi{{ end }}{{ end }}"#,
    ),
];

pub(super) const ALL: [Configuration; 11] = [
    Configuration {
        name: "the shortest",
        messages: [4, 0],
        text: "route: { receiver: ops, group_by: [alertname], group_wait: 1s, group_interval: 5s }
receivers:
  - name: ops
    wechat_configs:
      - { api_url: API, corp_id: ww1234567890abcdef, agent_id: '1000002', api_secret: sandbox-secret-1000002, to_user: zhangsan }
",
    },
    Configuration {
        name: "defaults of global, and resolved alerts",
        messages: [4, 4],
        text: "global:
  resolve_timeout: 5m
  wechat_api_url: 'API'
  wechat_api_corp_id: 'ww1234567890abcdef'
  wechat_api_secret: 'sandbox-secret-1000002'
route:
  receiver: 'wechat'
  group_by: ['alertname']
  group_wait: 1s
  group_interval: 5s
  repeat_interval: 1h
receivers:
- name: 'wechat'
  wechat_configs:
  - send_resolved: true
    agent_id: '1000002'
    to_user: 'zhangsan|lisi'
",
    },
    Configuration {
        name: "a file that overrides the default message and its recipients",
        messages: [4, 4],
        text: "global: { wechat_api_url: API, wechat_api_corp_id: ww1234567890abcdef }
templates: ['FOLDER/default.tmpl']
route: { receiver: wechat, group_by: [alertname], group_wait: 1s, group_interval: 5s }
receivers:
- name: wechat
  wechat_configs:
  - agent_id: 1000002
    api_secret: sandbox-secret-1000002
    send_resolved: true
",
    },
    Configuration {
        name: "a Chinese template with times of its own",
        messages: [4, 4],
        text: "templates:
- 'FOLDER/chin*.tmpl'
route: { receiver: 运维, group_by: [alertname], group_wait: 1s, group_interval: 5s }
receivers:
- name: 运维
  wechat_configs:
  - corp_id: ww1234567890abcdef
    api_url: API
    agent_id: 1000002
    api_secret: sandbox-secret-1000002
    send_resolved: true
    to_user: '@all'
    message: '{{ template \"ops.message\" . }}'
",
    },
    Configuration {
        name: "markdown",
        messages: [4, 4],
        text: "route: { receiver: md, group_by: [alertname], group_wait: 1s, group_interval: 5s }
receivers:
- name: md
  wechat_configs:
  - corp_id: ww1234567890abcdef
    api_url: API
    agent_id: 1000002
    api_secret: sandbox-secret-1000002
    send_resolved: true
    to_user: lisi
    message_type: markdown
    message: |
      **{{ .Status }}** <font color=\"warning\">{{ .CommonLabels.alertname }}</font>
      {{ range .Alerts }}
      > {{ .Labels.instance | toUpper }} `{{ .Labels.severity }}`
      {{ end }}
",
    },
    Configuration {
        name: "departments and tags as numbers",
        messages: [4, 4],
        text: "route: { receiver: all, group_by: [alertname], group_wait: 1s, group_interval: 5s }
receivers:
- name: all
  wechat_configs:
  - corp_id: ww1234567890abcdef
    api_url: API
    agent_id: 1000002
    api_secret: sandbox-secret-1000002
    send_resolved: true
    to_party: 3
    to_tag: 1
",
    },
    Configuration {
        name: "two apps for one receiver",
        messages: [8, 4],
        text: "route: { receiver: two, group_by: [alertname], group_wait: 1s, group_interval: 5s }
receivers:
- name: two
  wechat_configs:
  - corp_id: ww1234567890abcdef
    api_url: API
    agent_id: 1000002
    api_secret: sandbox-secret-1000002
    send_resolved: true
    to_user: zhaoliu
  - corp_id: ww1234567890abcdef
    api_url: API
    agent_id: 1000030
    api_secret: sandbox-secret-1000030
    to_user: wangwu
    message: '{{ .Receiver }}: {{ .CommonLabels.alertname }}'
",
    },
    Configuration {
        name: "receivers by severity",
        messages: [4, 1],
        text: "global: { wechat_api_url: API, wechat_api_corp_id: ww1234567890abcdef, wechat_api_secret: sandbox-secret-1000002 }
route:
  receiver: others
  group_by: [alertname]
  group_wait: 1s
  group_interval: 5s
  routes:
  - matchers: [severity=\"critical\"]
    receiver: critical
receivers:
- name: critical
  wechat_configs:
  - { agent_id: 1000002, to_user: zhangsan, send_resolved: true }
- name: others
  wechat_configs:
  - { agent_id: 1000002, to_user: lisi, send_resolved: false }
",
    },
    Configuration {
        name: "templates as recipients, from a file",
        messages: [4, 4],
        text: "templates: [FOLDER/users.tmpl]
route: { receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 5s }
receivers:
- name: team
  wechat_configs:
  - corp_id: ww1234567890abcdef
    api_url: API
    agent_id: 1000002
    api_secret: sandbox-secret-1000002
    send_resolved: true
    to_user: '{{ template \"team.users\" . }}'
    message: '{{ len .Alerts.Firing }} {{ len .Alerts.Resolved }} {{ .GroupLabels.SortedPairs.Values | join \",\" }}'
",
    },
    Configuration {
        name: "functions, comments and Windows line ends",
        messages: [4, 4],
        text: "# the shop\r
route: { receiver: 'shop/default/wechat', group_by: [alertname], group_wait: 1s, group_interval: 5s }\r
receivers:\r
- name: 'shop/default/wechat' # as the Prometheus Operator names it\r
  \"wechat_configs\":\r
  # the app\r
  - corp_id: ww1234567890abcdef\r
    api_url: API\r
    agent_id: 1000002\r
    api_secret: sandbox-secret-1000002\r
    send_resolved: true\r
    to_user: zhangsan\r
    message: >-\r
      {{ reReplaceAll \"(.*):.*\" \"$1\" .CommonLabels.instance | title }}\r
      {{ match \"^Inst\" .CommonLabels.alertname }} {{ .ExternalURL }} {{ .Receiver }}\r
      {{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value | printf \"%q\" }};{{ end }}\r
",
    },
    Configuration {
        name: "parts of one alert",
        messages: [4, 4],
        text: "route: { receiver: parts, group_by: [alertname], group_wait: 1s, group_interval: 5s }
receivers:
- name: parts
  wechat_configs:
  - send_resolved: true
    corp_id: ww1234567890abcdef
    api_url: API
    agent_id: 1000002
    api_secret: sandbox-secret-1000002
    to_user: zhangsan
    message: '{{ (index .Alerts 0).Fingerprint | len }}{{ if .CommonAnnotations.description }} {{ .CommonAnnotations.description }}{{ end }} {{ (.CommonLabels.Remove (stringSlice \"alertname\")).Names | join \",\" }}'
",
    },
];
