//! `doctor`

mod servers;

use std::{fs, net::TcpListener};

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::Value;
use wecom_relay::{
    outbox::Outbox,
    sandbox::{Api, BUILTIN_YAML, CallResponse, Directory, Effect, Fault},
};

use self::servers::{plain, tls};
use super::{Finished, PROXY_PASSWORD, WRONG_SECRET, Workdir};
use crate::support::{Options, Relay, SECRET, Wecom, eventually, payload};

/// Runs `doctor` with a configuration for `wecom` after `edit`.
async fn examine(wecom: &str, options: &Options, edit: impl Fn(String) -> String) -> Finished {
    let workdir = Workdir::with(options, wecom);
    let yaml = fs::read_to_string(workdir.folder.path().join("config.yml")).unwrap();
    workdir.write("config.yml", edit(yaml));
    workdir.run(&["doctor", "--timeout", "5s"]).await
}

async fn examine_default(wecom: &Wecom, edit: impl Fn(String) -> String) -> Finished {
    examine(&wecom.url, &Options::default(), edit).await
}

fn receivers(yaml: &str) -> Options {
    Options { receivers: yaml.to_owned(), ..Options::default() }
}

fn proxied(proxy: &str, api: &str) -> impl Fn(String) -> String {
    let app = format!("api_url: {api}\n    proxy_url: {proxy}\n");
    move |yaml| yaml.replace("api_url: http://wecom.invalid/cgi-bin/\n", &app)
}

impl Finished {
    /// Asserts that one line failed, that it starts with `line`, and that the help contains `help`.
    #[track_caller]
    fn fails_with(&self, line: &str, help: &str) {
        assert_eq!((self.code, self.err.as_str()), (Some(1), ""), "{self:?}");
        let failed: Vec<_> = self.out.lines().filter(|line| line.starts_with("failed ")).collect();
        assert_eq!(failed.len(), 1, "{}", self.out);
        self.shows(&format!("failed   {line}"), help);
    }

    /// Asserts that nothing failed, that a warning starts with `line`, and that its help contains `help`.
    #[track_caller]
    fn warns_of(&self, line: &str, help: &str) {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:?}");
        self.shows(&format!("warning  {line}"), help);
    }

    #[track_caller]
    fn shows(&self, line: &str, help: &str) {
        let mut lines = self.out.lines().skip_while(|found| !found.starts_with(line));
        assert!(lines.next().is_some(), "{line}:\n{}", self.out);
        let below = lines.next().unwrap();
        assert!(below.starts_with("         ") && below.contains(help), "{help}:\n{}", self.out);
    }

    /// Asserts that these checks of app ops were skipped.
    #[track_caller]
    fn skips(&self, checks: &[&str], because: &str) {
        for check in checks {
            let line = format!("skipped  app ops: {check}: not checked: {because}");
            assert!(self.out.lines().any(|found| found == line), "{line}:\n{}", self.out);
        }
        assert!(self.out.contains("receiver wechat: recipients: not checked: see app ops"), "{}", self.out);
    }
}

#[tokio::test]
async fn doctor_finds_nothing_wrong_in_a_good_setup() {
    let wecom = Wecom::live(Default::default()).await;
    let workdir = Workdir::with(
        &receivers(
            "  - { name: wechat, to_user: 'ZhangSan|lisi', to_party: 3, to_tag: 1 }\n  - { name: all, to_user: '@all' }\n  \
             - { name: owner, to_user: '{{ commonLabels.owner }}' }\n",
        ),
        &wecom.url,
    );
    let out = workdir.run(&["doctor"]).await.success();
    let port = wecom.url.rsplit(':').next().unwrap();
    let shown = out.replace(workdir.folder.path().to_str().unwrap(), "FOLDER").replace(port, "PORT");
    let lines: Vec<_> = shown.lines().filter(|line| !line.contains("open files")).collect();
    assert_eq!(
        lines.join("\n"),
        "ok       configuration: file: valid: 1 app(s), 3 receiver(s)\n\
         ok       server: outbox: FOLDER/outbox.db does not exist yet; `serve` creates it\n\
         ok       server: listen: 127.0.0.1:0 is free\n\
         ok       app ops: dns: 127.0.0.1 is an address\n\
         ok       app ops: connect: 127.0.0.1 port PORT accepts connections\n\
         ok       app ops: tls: not used, because api_url is http\n\
         ok       app ops: wecom: 127.0.0.1 answers as WeCom does\n\
         ok       app ops: clock: agrees with WeCom's\n\
         ok       app ops: gettoken: corp_id and api_secret are accepted\n\
         ok       app ops: trusted ip: WeCom accepts calls from this machine\n\
         ok       app ops: agent id: 1000002 is 告警\n\
         ok       receiver wechat: recipients: the app sees user ZhangSan|lisi, party 3, tag 1\n\
         ok       receiver all: recipients: everybody in the app's visible range\n\
         ok       receiver owner: recipients: templates choose them for each payload\n\
         0 failed, 0 warning(s)"
    );
    assert_eq!(wecom.sandbox.send_calls(), 0);
    assert!(!workdir.folder.path().join("outbox.db").exists());
}

#[tokio::test]
async fn doctor_prints_json_for_programs() {
    let wecom = Wecom::live(Default::default()).await;
    wecom.sandbox.inject(Fault::errcode(40056).on(Api::AgentGet));
    let ended = Workdir::with(&Options::default(), &wecom.url).run(&["doctor", "--json"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |check: &str| lines.iter().find(|line| line["check"] == check).unwrap();
    assert_eq!((&of("dns")["status"], &of("dns")["subject"]), (&"ok".into(), &"app ops".into()));
    assert_eq!(of("agent id")["status"], "failed");
    assert!(of("agent id")["help"].as_str().unwrap().contains("AgentId"), "{ended:?}");
    assert_eq!(of("recipients")["status"], "skipped");
}

#[tokio::test]
async fn doctor_reports_the_same_config_errors_as_check() {
    let workdir = Workdir::of("apps: []\nreceivers:\n  - { name: wechat, to_user: a }\n");
    let err = workdir.run(&["check"]).await.failure(1);
    let ended = workdir.run(&["doctor"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for line in err.lines() {
        assert!(ended.out.contains(&format!("failed   configuration: file: {line}\n")), "{line}: {ended:?}");
    }
    assert!(ended.out.contains("skipped  apps: all: not checked: the configuration has errors"), "{ended:?}");
}

#[tokio::test]
async fn doctor_reports_a_host_that_is_not_found() {
    let ended = examine("http://wecom.invalid", &Options::default(), |yaml| yaml).await;
    ended.fails_with("app ops: dns: wecom.invalid is not found: ", "check the spelling of api_url");
    let rest = ["connect", "tls", "wecom", "clock", "gettoken", "trusted ip", "agent id"];
    ended.skips(&rest, "the host is not found");
}

#[tokio::test]
async fn doctor_reports_a_refused_connection() {
    let ended = examine("http://127.0.0.1:9", &Options::default(), |yaml| yaml).await;
    ended.fails_with(
        "app ops: connect: 127.0.0.1 port 9 does not accept connections: ",
        "nothing listens there",
    );
    ended.skips(&["tls", "wecom", "clock", "gettoken", "trusted ip", "agent id"], "there is no connection");
}

#[tokio::test]
async fn doctor_reports_a_proxy_that_does_not_run() {
    let proxy = format!("http://user:{PROXY_PASSWORD}@127.0.0.1:9");
    let edit = proxied(&proxy, "https://wecom.invalid");
    let ended = examine("http://wecom.invalid", &Options::default(), edit).await;
    ended.fails_with(
        "app ops: proxy: 127.0.0.1 port 9 does not accept connections: ",
        "check that the proxy runs",
    );
}

#[tokio::test]
async fn doctor_reports_a_proxy_that_refuses_the_login() {
    let proxy = plain("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    let proxy = format!("http://user:{PROXY_PASSWORD}@{proxy}");
    // https uses CONNECT; http forwards the request.
    for api in ["https://wecom.invalid", "http://wecom.invalid"] {
        let edit = proxied(&proxy, api);
        let ended = examine("http://wecom.invalid", &Options::default(), edit).await;
        ended.fails_with("app ops: proxy: it refuses the login (407)", "user and password into proxy_url");
        ended.skips(&["tls", "wecom", "gettoken"], "WeCom is not reached");
    }
}

#[tokio::test]
async fn doctor_reports_a_proxy_that_refuses_the_connection() {
    let proxy = format!("http://{}", plain("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"));
    let edit = proxied(&proxy, "https://wecom.invalid");
    let ended = examine("http://wecom.invalid", &Options::default(), edit).await;
    ended.fails_with(
        "app ops: proxy: it does not allow calls to wecom.invalid: ",
        "allow wecom.invalid port 443",
    );
}

#[tokio::test]
async fn doctor_reports_an_untrusted_certificate() {
    let ended = examine(&format!("https://{}", tls()), &Options::default(), |yaml| yaml).await;
    ended.fails_with("app ops: tls: the certificate of 127.0.0.1 has an unknown issuer", "intercepts TLS");
    ended.skips(&["wecom", "clock", "gettoken"], "WeCom is not reached");
}

#[tokio::test]
async fn doctor_reports_a_port_without_tls() {
    let server = plain("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    let ended = examine(&format!("https://{server}"), &Options::default(), |yaml| yaml).await;
    ended.fails_with("app ops: tls: no TLS with 127.0.0.1: ", "check the scheme and port in api_url");
}

#[tokio::test]
async fn doctor_reports_a_wrong_clock() {
    let wecom = Wecom::live(Default::default()).await;
    let skewed = |secs| Fault::new(Effect::ClockSkew(SignedDuration::from_secs(secs))).on(Api::Gettoken);
    wecom.sandbox.inject(skewed(3600));
    let ended = examine_default(&wecom, |yaml| yaml).await;
    ended.fails_with("app ops: clock: is 3", "NTP");
    assert!(ended.out.contains(" s behind WeCom's"), "{ended:?}");
    // The other checks do not depend on the clock.
    assert!(ended.out.contains("ok       receiver wechat: recipients: "), "{ended:?}");
    wecom.sandbox.clear_faults();
    wecom.sandbox.inject(skewed(-120));
    examine_default(&wecom, |yaml| yaml).await.warns_of("app ops: clock: is 12", "NTP");
}

#[tokio::test]
async fn a_refused_secret_is_tried_once() {
    let wecom = Wecom::live(Default::default()).await;
    // Two apps share the secret.
    let ended = examine_default(&wecom, |yaml| {
        let yaml = yaml.replace(SECRET, WRONG_SECRET).replace("{ name: wechat,", "{ name: wechat, app: ops,");
        let app = yaml.split("apps:\n").nth(1).unwrap().split("receivers:").next().unwrap().to_owned();
        yaml.replace("receivers:", &format!("{}receivers:", app.replace("name: ops", "name: other")))
    })
    .await;
    let help = "Copy corp_id from admin console → My company → Company ID (企业ID)";
    for app in ["ops", "other"] {
        ended.shows(&format!("failed   app {app}: gettoken: gettoken answered errcode 40001"), help);
    }
    ended.skips(&["trusted ip", "agent id"], "there is no access token");
    let refused =
        wecom.sandbox.calls().iter().filter(|call| call.response == CallResponse::Errcode(40001)).count();
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn doctor_reports_a_wrong_corp_id() {
    let wecom = Wecom::live(Default::default()).await;
    let ended =
        examine_default(&wecom, |yaml| yaml.replace("ww1234567890abcdef", "ww0000000000abcdef")).await;
    ended.fails_with("app ops: gettoken: gettoken answered errcode 40013", "corp_id is not valid");
}

#[tokio::test]
async fn doctor_reports_an_untrusted_ip() {
    let wecom = Wecom::live(Default::default()).await;
    let yaml = BUILTIN_YAML
        .replace("sandbox-secret-1000002 }", "sandbox-secret-1000002, trusted_ips: [192.0.2.1] }");
    wecom.sandbox.replace_directory(Directory::from_yaml(&yaml).unwrap());
    let ended = examine_default(&wecom, |yaml| yaml).await;
    let help = "IP 127.0.0.1 is not a trusted IP of the app. Add it in admin console → App management → the app → \
                Company's trusted IP (企业可信IP)";
    ended.fails_with("app ops: trusted ip: agent/get answered errcode 60020", help);
    ended.skips(&["agent id"], "the IP is not trusted");
}

#[tokio::test]
async fn doctor_reports_a_wrong_agent_id() {
    let wecom = Wecom::live(Default::default()).await;
    for (agent_id, errcode) in [("1", 40056), ("1000030", 301002)] {
        let edit = |yaml: String| yaml.replace("agent_id: 1000002", &format!("agent_id: {agent_id}"));
        let ended = examine_default(&wecom, edit).await;
        ended
            .fails_with(&format!("app ops: agent id: agent/get answered errcode {errcode}"), "Copy agent_id");
        assert!(ended.out.contains("ok       app ops: trusted ip: "), "{ended:?}");
        assert!(ended.out.contains("skipped  receiver wechat: recipients: "), "{ended:?}");
    }
}

#[tokio::test]
async fn doctor_reports_unknown_recipients() {
    let wecom = Wecom::live(Default::default()).await;
    for (to, who, help) in [
        ("to_user: 'zhangsan|nobody'", "user nobody gets nothing: user/get answered errcode 60111", "60111"),
        ("to_party: 99", "party 99 gets nothing: department/get answered errcode 60123", "department IDs"),
        ("to_tag: 99", "tag 99 gets nothing: tag/get answered errcode 40068", "Use the tag IDs"),
    ] {
        let options = receivers(&format!("  - {{ name: wechat, {to} }}\n"));
        let ended = examine(&wecom.url, &options, |yaml| yaml).await;
        ended.fails_with(&format!("receiver wechat: recipients: {who}"), help);
    }
}

#[tokio::test]
async fn doctor_reports_recipients_outside_the_visible_range() {
    let wecom = Wecom::live(Default::default()).await;
    let options = receivers("  - { name: wechat, to_user: 'wangwu|zhaoliu', to_party: '1|2' }\n");
    let other = |yaml: String| yaml.replace("1000002", "1000030");
    let ended = examine(&wecom.url, &options, other).await;
    ended.warns_of("receiver wechat: recipients: user zhaoliu is not visible to the app", "可见范围");
    ended.warns_of("receiver wechat: recipients: party 1 is not visible to the app", "可见范围");
    assert!(ended.out.ends_with("0 failed, 2 warning(s)\n"), "{ended:?}");
}

#[tokio::test]
async fn doctor_reports_a_server_that_is_not_wecom() {
    let server = plain("HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>");
    let ended = examine(&format!("http://{server}"), &Options::default(), |yaml| yaml).await;
    ended.fails_with("app ops: wecom: a reply of 13 bytes that is not WeCom's", "Another server than WeCom");
    let server = plain("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    let ended = examine(&format!("http://{server}"), &Options::default(), |yaml| yaml).await;
    ended.fails_with("app ops: wecom: HTTP 404", "does not lead to WeCom's API");
}

#[tokio::test]
async fn doctor_gives_up_on_a_wecom_that_hangs() {
    let wecom = Wecom::live(Default::default()).await;
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::Gettoken));
    let workdir = Workdir::with(&Options::default(), &wecom.url);
    let ended = workdir.run(&["doctor", "--timeout", "1s"]).await;
    ended.fails_with("app ops: wecom: ", "has a problem");
    ended.skips(&["clock", "gettoken"], "WeCom is not reached");
}

#[tokio::test]
async fn unchecked_recipients_are_counted() {
    let wecom = Wecom::live(Default::default()).await;
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::UserGet));
    let users: Vec<_> = (0..100).map(|number| format!("user{number}")).collect();
    let options = receivers(&format!("  - {{ name: wechat, to_user: '{}' }}\n", users.join("|")));
    let ended = Workdir::with(&options, &wecom.url).run(&["doctor", "--timeout", "1s"]).await;
    ended.warns_of("receiver wechat: recipients: user user0 cannot be checked: ", "has a problem");
    assert!(ended.out.contains(" of 100 not checked: out of time"), "{ended:?}");
}

#[tokio::test]
async fn doctor_sees_the_outbox_port_and_holds_of_a_running_relay() {
    let wecom = Wecom::live(Default::default()).await;
    let relay = Relay::start(&wecom.url).await;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    relay.post(&payload("a", &[("db1", true)])).await;
    eventually(async || relay.outbox.holds().await.unwrap(), |holds| !holds.is_empty()).await;
    let address = relay.url.strip_prefix("http://").unwrap();
    let path = relay.folder.path().join("outbox.db");
    let ended = examine_default(&wecom, |yaml| {
        let of_the_relay = format!("path: {}\n", path.display());
        let lines = yaml.lines().map(|line| match line.trim_start().starts_with("path: ") {
            true => format!("  {of_the_relay}"),
            false => format!("{}\n", line.replace("127.0.0.1:0", address)),
        });
        lines.collect()
    })
    .await;
    assert!(ended.out.contains("outbox.db, in use by a running relay\n"), "{ended:?}");
    assert!(
        ended.out.contains(&format!("ok       server: listen: a relay answers at {address}\n")),
        "{ended:?}"
    );
    ended.warns_of("app ops: hold: the relay holds its messages since ", "企业可信IP");
    relay.stop().await;
}

#[tokio::test]
async fn doctor_reports_an_unwritable_outbox_and_a_used_port() {
    let wecom = Wecom::live(Default::default()).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let workdir = Workdir::with(&Options::default(), &wecom.url);
    let config = workdir.folder.path().join("config.yml");
    let yaml = fs::read_to_string(&config).unwrap().replace("127.0.0.1:0", &address);
    fs::write(&config, &yaml).unwrap();
    let ended = workdir.run(&["doctor", "--timeout", "1s"]).await;
    ended.fails_with(&format!("server: listen: {address} is in use by another program"), "server.listen");
    drop(taken);

    let file = workdir.write("file", "");
    let own = workdir.folder.path().join("outbox.db");
    fs::write(&config, yaml.replace(own.to_str().unwrap(), file.join("outbox.db").to_str().unwrap()))
        .unwrap();
    let ended = workdir.run(&["doctor"]).await;
    ended.fails_with("server: outbox: ", "the owner of outbox.path and its folder");
}

#[tokio::test]
async fn a_clock_skew_is_set_over_http() {
    let wecom = Wecom::live(Default::default()).await;
    let fault = r#"{"fault":{"clock_skew_s":-600}}"#;
    assert_eq!(wecom.control(Method::POST, "/faults", fault).await.0, 204);
    examine_default(&wecom, |yaml| yaml).await.fails_with("app ops: clock: is 6", "NTP");
}
