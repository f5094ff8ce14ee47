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

use self::servers::{plain, tls, tls_with_pem};
use super::{Finished, PROXY_PASSWORD, WRONG_SECRET, Workdir};
use crate::support::{Options, Relay, SECRET, Wecom, eventually, payload, redacted};

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
    /// The failures of a run that failed, with their help.
    #[track_caller]
    fn failures(&self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(1), ""), "{self:?}");
        self.problems()
    }

    /// The warnings of a run without failures, with their help.
    #[track_caller]
    fn warnings(&self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:?}");
        self.problems()
    }

    /// The failures and warnings, with their help. The limit of open files depends on the machine.
    fn problems(&self) -> String {
        let mut is_shown = false;
        let mut lines = Vec::new();
        for line in self.out.lines() {
            if !line.starts_with(' ') {
                let is_problem = line.starts_with("failed ") || line.starts_with("warning ");
                is_shown = is_problem && !line.contains("open files");
            }
            if is_shown {
                lines.push(line);
            }
        }
        redacted(&lines.join("\n"))
    }

    /// Asserts that these checks of app ops were skipped.
    #[track_caller]
    fn skips(&self, checks: &[&str], because: &str) {
        for check in checks {
            let line = format!("skipped  app ops: {check}: not checked: {because}");
            assert!(self.out.lines().any(|found| found == line), "{line}:\n{}", self.out);
        }
        let recipients = "skipped  receiver wechat: recipients: not checked: see app ops";
        assert!(self.out.lines().any(|found| found == recipients), "{}", self.out);
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
        "ok       configuration: file: valid: 1 app, 3 receivers\n\
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
         0 failed, 0 warnings"
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
    let line = |check: &str| lines.iter().find(|line| line["check"] == check).unwrap();
    assert_eq!((&line("dns")["status"], &line("dns")["subject"]), (&"ok".into(), &"app ops".into()));
    assert_eq!(line("agent id")["status"], "failed");
    insta::assert_snapshot!(line("agent id")["help"].as_str().unwrap(), @"WeCom refused agent/get (40056): agent_id is not an app of this company. Copy agent_id from admin console → App management → the app → AgentId.");
    assert_eq!(line("recipients")["status"], "skipped");
}

#[tokio::test]
async fn doctor_reports_the_same_config_errors_as_check() {
    let workdir = Workdir::of("apps: []\nreceivers:\n  - { name: wechat, to_user: a }\n");
    let err = workdir.run(&["check"]).await.failure(1);
    let ended = workdir.run(&["doctor"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    // Only `check` ends with a verdict.
    let (errors, _verdict) = err.trim_end().rsplit_once('\n').unwrap();
    let failed: String =
        errors.lines().map(|line| format!("failed   configuration: file: {line}\n")).collect();
    assert!(ended.out.starts_with(&failed), "{failed}\n{}", ended.out);
    insta::assert_snapshot!(ended.problems(), @"failed   configuration: file: config.yml:1:7: apps: there is no app and no robot; list at least one, with name, corp_id, agent_id and a secret");
}

#[tokio::test]
async fn doctor_reports_a_host_that_is_not_found() {
    let ended = examine("http://wecom.invalid", &Options::default(), |yaml| yaml).await;
    let failures = ended.failures();
    // The resolver of the system has its own words.
    let (failure, rest) = failures.split_once("is not found: ").unwrap();
    let help = rest.split_once('\n').unwrap().1;
    insta::assert_snapshot!(format!("{failure}is not found: …\n{help}"), @"
    warning  configuration: file: config.yml:9:14: apps[0].api_url: the secret goes over the network unencrypted; use https
    failed   app ops: dns: wecom.invalid is not found: …
             check the spelling of api_url, and this machine's DNS (/etc/resolv.conf; a container has its own)
    ");
    let rest = ["connect", "tls", "wecom", "clock", "gettoken", "trusted ip", "agent id"];
    ended.skips(&rest, "the host is not found");
}

#[tokio::test]
async fn doctor_reports_a_refused_connection() {
    let ended = examine("http://127.0.0.1:9", &Options::default(), |yaml| yaml).await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: connect: 127.0.0.1 port 9 does not accept connections: Connection refused (os error 111)
             nothing listens there, or a firewall refuses: check the host and port in api_url
    ");
    ended.skips(&["tls", "wecom", "clock", "gettoken", "trusted ip", "agent id"], "there is no connection");
}

#[tokio::test]
async fn doctor_reports_a_proxy_that_does_not_run() {
    let proxy = format!("http://user:{PROXY_PASSWORD}@127.0.0.1:9");
    let edit = proxied(&proxy, "https://wecom.invalid");
    let ended = examine("http://wecom.invalid", &Options::default(), edit).await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: proxy: 127.0.0.1 port 9 does not accept connections: Connection refused (os error 111)
             nothing listens there: check that the proxy runs, and the port in proxy_url
    ");
}

#[tokio::test]
async fn doctor_reports_a_proxy_that_refuses_the_login() {
    let proxy = plain("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    let proxy = format!("http://user:{PROXY_PASSWORD}@{proxy}");
    // https uses CONNECT; http forwards the request.
    let mut failures = Vec::new();
    for api in ["https://wecom.invalid", "http://wecom.invalid"] {
        let edit = proxied(&proxy, api);
        let ended = examine("http://wecom.invalid", &Options::default(), edit).await;
        failures.push(ended.failures());
        ended.skips(&["tls", "wecom", "gettoken"], "WeCom is not reached");
    }
    insta::assert_snapshot!(failures.join("\n"), @"
    failed   app ops: proxy: it refuses the login (407)
             write the proxy's user and password into proxy_url, with special characters percent-encoded: http://user:password@proxy.example.com:3128
    warning  configuration: file: config.yml:9:14: apps[0].api_url: the secret goes over the network unencrypted; use https
    failed   app ops: proxy: it refuses the login (407)
             write the proxy's user and password into proxy_url, with special characters percent-encoded: http://user:password@proxy.example.com:3128
    ");
}

#[tokio::test]
async fn doctor_reports_a_proxy_that_refuses_the_connection() {
    let proxy = format!("http://{}", plain("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"));
    let edit = proxied(&proxy, "https://wecom.invalid");
    let ended = examine("http://wecom.invalid", &Options::default(), edit).await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: proxy: it does not allow calls to wecom.invalid: error sending request: client error (Connect): tunnel error: unsuccessful
             allow wecom.invalid port 443 (CONNECT) in the proxy's rules, and check the scheme in proxy_url
    ");
}

#[tokio::test]
async fn doctor_reports_an_untrusted_certificate() {
    let ended = examine(&format!("https://{}", tls()), &Options::default(), |yaml| yaml).await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: tls: the certificate of 127.0.0.1 has an unknown issuer
             a proxy or firewall intercepts TLS with its own certificate, or the server in api_url has a private one: name the CA in ca_file of the app or in SSL_CERT_FILE, or exempt WeCom's host from the interception
    ");
    ended.skips(&["wecom", "clock", "gettoken"], "WeCom is not reached");
}

#[tokio::test]
async fn a_ca_file_makes_a_private_certificate_trusted() {
    let (address, pem) = tls_with_pem();
    let options = Options { app: "    ca_file: company.crt\n".to_owned(), ..Options::default() };
    let workdir = Workdir::with(&options, &format!("https://{address}"));
    workdir.write("company.crt", pem);
    let ended = workdir.run(&["doctor", "--timeout", "5s"]).await;
    assert!(!ended.failures().contains("tls"), "{}", ended.failures());
}

#[tokio::test]
async fn doctor_reports_a_port_without_tls() {
    let server = plain("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    let ended = examine(&format!("https://{server}"), &Options::default(), |yaml| yaml).await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: tls: no TLS with 127.0.0.1: error sending request: client error (Connect): received corrupt message of type InvalidContentType
             the server there is not an HTTPS server: check the scheme and port in api_url, and the firewalls and proxies in between
    ");
}

/// Keeps the first digit of a number of seconds only, because the commands take time.
fn without_seconds(text: &str) -> String {
    let (before, after) = text.split_once(" s ").unwrap();
    let (start, number) = before.rsplit_once(' ').unwrap();
    let (first, rest) = number.split_at(1);
    format!("{start} {first}{} s {after}", "x".repeat(rest.len()))
}

#[tokio::test]
async fn doctor_reports_a_wrong_clock() {
    let wecom = Wecom::live(Default::default()).await;
    let skewed = |secs| Fault::new(Effect::ClockSkew(SignedDuration::from_secs(secs))).on(Api::Gettoken);
    wecom.sandbox.inject(skewed(3600));
    let ended = examine_default(&wecom, |yaml| yaml).await;
    insta::assert_snapshot!(without_seconds(&ended.failures()), @"
    failed   app ops: clock: is 3xxx s behind WeCom's
             let NTP set this machine's clock (timedatectl set-ntp true)
    ");
    // The other checks do not depend on the clock.
    assert_eq!(ended.out.lines().filter(|line| line.starts_with("skipped ")).count(), 0, "{ended:?}");
    wecom.sandbox.clear_faults();
    wecom.sandbox.inject(skewed(-120));
    insta::assert_snapshot!(without_seconds(&examine_default(&wecom, |yaml| yaml).await.warnings()), @"
    warning  app ops: clock: is 1xx s ahead of WeCom's
             let NTP set this machine's clock (timedatectl set-ntp true)
    ");
}

#[tokio::test]
async fn a_refused_secret_is_tried_once() {
    let wecom = Wecom::live(Default::default()).await;
    // Two apps share the secret.
    let ended = examine_default(&wecom, |yaml| {
        let yaml = yaml.replace(SECRET, WRONG_SECRET).replace("{ name: wechat,", "{ name: wechat, app: ops,");
        let app = yaml.split("apps:\n").nth(1).unwrap().split("receivers:").next().unwrap().to_owned();
        yaml.replace(
            "receivers:",
            &format!("{}receivers:", app.replace("name: ops", "name: other").replace("1000002", "1000003")),
        )
    })
    .await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: gettoken: gettoken answered errcode 40001
             WeCom refused gettoken (40001): api_secret does not belong to corp_id, was reset, or the app is disabled. Copy corp_id from admin console → My company → Company ID (企业ID) and api_secret from admin console → App management → the app → Secret, and check that the app is enabled.
    failed   app other: gettoken: gettoken answered errcode 40001
             WeCom refused gettoken (40001): api_secret does not belong to corp_id, was reset, or the app is disabled. Copy corp_id from admin console → My company → Company ID (企业ID) and api_secret from admin console → App management → the app → Secret, and check that the app is enabled.
    ");
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
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: gettoken: gettoken answered errcode 40013
             WeCom refused gettoken (40013): corp_id is not valid. Copy it from admin console → My company → Company ID (企业ID).
    ");
}

#[tokio::test]
async fn doctor_reports_an_untrusted_ip() {
    let wecom = Wecom::live(Default::default()).await;
    let yaml = BUILTIN_YAML
        .replace("sandbox-secret-1000002 }", "sandbox-secret-1000002, trusted_ips: [192.0.2.1] }");
    wecom.sandbox.replace_directory(Directory::from_yaml(&yaml).unwrap());
    let ended = examine_default(&wecom, |yaml| yaml).await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: trusted ip: agent/get answered errcode 60020
             WeCom refused agent/get (60020): IP 127.0.0.1 is not a trusted IP of the app. Add it in admin console → App management → the app → Company's trusted IP (企业可信IP), and wait about a minute until it takes effect.
    ");
    ended.skips(&["agent id"], "the IP is not trusted");
}

#[tokio::test]
async fn doctor_reports_a_wrong_agent_id() {
    let wecom = Wecom::live(Default::default()).await;
    let mut failures = Vec::new();
    for agent_id in ["1", "1000030"] {
        let edit = |yaml: String| yaml.replace("agent_id: 1000002", &format!("agent_id: {agent_id}"));
        let ended = examine_default(&wecom, edit).await;
        failures.push(ended.failures());
        ended.skips(&[], "");
    }
    insta::assert_snapshot!(failures.join("\n"), @"
    failed   app ops: agent id: agent/get answered errcode 40056
             WeCom refused agent/get (40056): agent_id is not an app of this company. Copy agent_id from admin console → App management → the app → AgentId.
    failed   app ops: agent id: agent/get answered errcode 301002
             WeCom refused agent/get (301002): the access token belongs to another app than agent_id. Copy agent_id and api_secret from the same page, admin console → App management → the app.
    ");
}

#[tokio::test]
async fn doctor_reports_unknown_recipients() {
    let wecom = Wecom::live(Default::default()).await;
    let mut failures = Vec::new();
    for to in ["to_user: 'zhangsan|nobody'", "to_party: 99", "to_tag: 99"] {
        let options = receivers(&format!("  - {{ name: wechat, {to} }}\n"));
        let ended = examine(&wecom.url, &options, |yaml| yaml).await;
        failures.push(ended.failures());
    }
    insta::assert_snapshot!(failures.join("\n"), @"
    failed   receiver wechat: recipients: user nobody gets nothing: user/get answered errcode 60111
             WeCom refused user/get (60111): a user ID does not exist or is not visible. Add them in admin console → App management → the app → Visible range (可见范围).
    failed   receiver wechat: recipients: party 99 gets nothing: department/get answered errcode 60123
             WeCom refused department/get (60123): a department ID does not exist. Use the department IDs of admin console → Contacts.
    failed   receiver wechat: recipients: tag 99 gets nothing: tag/get answered errcode 40068
             WeCom refused tag/get (40068): a tag ID is not valid. Use the tag IDs of admin console → Contacts → Tags.
    ");
}

#[tokio::test]
async fn doctor_reports_recipients_outside_the_visible_range() {
    let wecom = Wecom::live(Default::default()).await;
    let options = receivers("  - { name: wechat, to_user: 'wangwu|zhaoliu', to_party: '1|2' }\n");
    let other = |yaml: String| yaml.replace("1000002", "1000030");
    let ended = examine(&wecom.url, &options, other).await;
    insta::assert_snapshot!(ended.warnings(), @"
    warning  receiver wechat: recipients: user zhaoliu is not visible to the app
             WeCom refused user/get (60011): the app may not see a member, department or tag. Add them in admin console → App management → the app → Visible range (可见范围).
    warning  receiver wechat: recipients: party 1 is not visible to the app
             WeCom refused department/get (60011): the app may not see a member, department or tag. Add them in admin console → App management → the app → Visible range (可见范围).
    ");
    assert!(ended.out.ends_with("0 failed, 2 warnings\n"), "{ended:?}");
}

#[tokio::test]
async fn doctor_reports_a_server_that_is_not_wecom() {
    let server = plain("HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>");
    let ended = examine(&format!("http://{server}"), &Options::default(), |yaml| yaml).await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: wecom: a reply of 13 bytes that is not WeCom's: not a JSON object
             gettoken got no reply from WeCom (a reply of 13 bytes that is not WeCom's: not a JSON object). Another server than WeCom answered. Check api_url and proxy_url.
    ");
    let server = plain("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    let ended = examine(&format!("http://{server}"), &Options::default(), |yaml| yaml).await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: wecom: HTTP 404
             gettoken got no reply from WeCom (HTTP 404). api_url or proxy_url does not lead to WeCom's API. Correct its host or path.
    ");
}

#[tokio::test]
async fn doctor_gives_up_on_a_wecom_that_hangs() {
    let wecom = Wecom::live(Default::default()).await;
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::Gettoken));
    let workdir = Workdir::with(&Options::default(), &wecom.url);
    let ended = workdir.run(&["doctor", "--timeout", "1s"]).await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   app ops: wecom: error sending request: operation timed out
             gettoken got no reply from WeCom (error sending request: operation timed out). WeCom, the network or a proxy has a problem. If this lasts, check the network and proxy_url.
    ");
    ended.skips(&["clock", "gettoken"], "WeCom is not reached");
}

#[tokio::test]
async fn unchecked_recipients_are_counted() {
    let wecom = Wecom::live(Default::default()).await;
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::UserGet));
    let users: Vec<_> = (0..100).map(|number| format!("user{number}")).collect();
    let options = receivers(&format!("  - {{ name: wechat, to_user: '{}' }}\n", users.join("|")));
    let ended = Workdir::with(&options, &wecom.url).run(&["doctor", "--timeout", "1s"]).await;
    let warnings: Vec<String> = ended.warnings().lines().map(str::to_owned).collect();
    insta::assert_snapshot!(warnings[..2].join("\n"), @"
    warning  receiver wechat: recipients: user user0 cannot be checked: user/get: error sending request: operation timed out
             user/get got no reply from WeCom (error sending request: operation timed out). WeCom, the network or a proxy has a problem. If this lasts, check the network and proxy_url.
    ");
    let [.., rest, help] = &warnings[..] else { panic!("{warnings:?}") };
    insta::assert_snapshot!(format!("{}\n{help}", rest.split_once(" of 100 ").unwrap().1), @"
    not checked: out of time
             raise --timeout, or look at them in WeCom's admin console
    ");
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
        let path = format!("  path: {}\n", path.display());
        let lines = yaml.lines().map(|line| match line.trim_start().starts_with("path: ") {
            true => path.clone(),
            false => format!("{}\n", line.replace("127.0.0.1:0", address)),
        });
        lines.collect()
    })
    .await;
    let out = redacted(&ended.out);
    let server_lines: Vec<&str> =
        out.lines().filter(|line| line.contains(" server: ") && !line.contains("open files")).collect();
    insta::assert_snapshot!(server_lines.join("\n"), @"
    ok       server: outbox: FOLDER/outbox.db, in use by a running relay
    ok       server: listen: a relay answers at 127.0.0.1:PORT
    ");
    insta::assert_snapshot!(ended.warnings(), @"
    warning  app ops: hold: the relay holds its messages since TIME, and makes the next attempt at TIME
             WeCom refused message/send (60020): IP 127.0.0.1 is not a trusted IP of the app. Add it in admin console → App management → the app → Company's trusted IP (企业可信IP), and wait about a minute until it takes effect.
    ");
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
    insta::assert_snapshot!(ended.failures(), @"
    failed   server: listen: 127.0.0.1:PORT is in use by another program
             stop that program, or change server.listen and Alertmanager's URL of the relay
    ");
    drop(taken);

    let file = workdir.write("file", "");
    let own = workdir.folder.path().join("outbox.db");
    fs::write(&config, yaml.replace(own.to_str().unwrap(), file.join("outbox.db").to_str().unwrap()))
        .unwrap();
    let ended = workdir.run(&["doctor"]).await;
    insta::assert_snapshot!(ended.failures(), @"
    failed   server: outbox: FOLDER/file/outbox.db cannot be created in FOLDER/file: Not a directory (os error 20)
             make the relay's user the owner of outbox.path and its folder, and run this command as that user
    ");
}

#[tokio::test]
async fn a_clock_skew_is_set_over_http() {
    let wecom = Wecom::live(Default::default()).await;
    let fault = r#"{"fault":{"clock_skew_s":-600}}"#;
    assert_eq!(wecom.control(Method::POST, "/faults", fault).await.0, 204);
    insta::assert_snapshot!(without_seconds(&examine_default(&wecom, |yaml| yaml).await.failures()), @"
    failed   app ops: clock: is 6xx s ahead of WeCom's
             let NTP set this machine's clock (timedatectl set-ntp true)
    ");
}

/// The findings about an Alertmanager at this URL.
async fn alertmanager_at(url: &str, more: &str) -> String {
    let wecom = Wecom::live(Default::default()).await;
    let more = format!("alertmanager: {{ url: '{url}'{more} }}\n");
    let ended = examine(&wecom.url, &Options { more, ..Options::default() }, |yaml| yaml).await;
    let skipped = "skipped  alertmanager: cluster: not checked: its API does not answer\n";
    assert!(ended.out.contains(skipped), "{}", ended.out);
    ended.failures()
}

#[tokio::test]
async fn doctor_reports_an_alertmanager_that_does_not_answer() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    insta::assert_snapshot!(alertmanager_at(&format!("http://{closed}"), "").await, @r"
    failed   alertmanager: api v2: http://127.0.0.1:PORT: Alertmanager cannot be reached: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
             buttons do nothing until this works: check alertmanager.url, and the firewall or network policy in between
    ");
}

#[tokio::test]
async fn doctor_reports_credentials_that_alertmanager_refuses() {
    let address = plain("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let token = ", bearer_token: not-a-real-token";
    insta::assert_snapshot!(alertmanager_at(&format!("http://{address}"), token).await, @"failed   alertmanager: api v2: http://127.0.0.1:PORT: Alertmanager refuses the relay's credentials (HTTP 401); correct bearer_token or basic_auth of alertmanager");
}

#[tokio::test]
async fn doctor_reports_an_alertmanager_without_its_api() {
    let address = plain("HTTP/1.1 200 OK\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>");
    insta::assert_snapshot!(alertmanager_at(&format!("http://{address}"), "").await, @r"
    failed   alertmanager: api v2: http://127.0.0.1:PORT: the answer is not one of Alertmanager's API v2; correct alertmanager.url
             buttons do nothing until this works: check alertmanager.url, and the firewall or network policy in between
    ");
}

#[tokio::test]
async fn doctor_reports_an_alertmanager_with_a_private_ca() {
    let (address, pem) = tls_with_pem();
    insta::assert_snapshot!(alertmanager_at(&format!("https://{address}"), "").await, @r"
    failed   alertmanager: api v2: https://127.0.0.1:PORT: the certificate of Alertmanager is not trusted: error sending request: client error (Connect): invalid peer certificate: UnknownIssuer; name its CA in ca_file of alertmanager, or write the name in the certificate into alertmanager.url
             buttons do nothing until this works: check alertmanager.url, and the firewall or network policy in between
    ");
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, pem).unwrap();
    // This server answers 404 to everything.
    let trusted = format!(", ca_file: '{}'", ca.display());
    insta::assert_snapshot!(alertmanager_at(&format!("https://{address}"), &trusted).await, @"failed   alertmanager: api v2: https://127.0.0.1:PORT: there is no Alertmanager API v2 at this URL (HTTP 404); correct alertmanager.url");
}
