//! `send`

use super::{WRONG_SECRET, Workdir};
use crate::support::{Options, SECRET, Wecom, redacted};

#[tokio::test]
async fn send_delivers_a_message_and_prints_its_msgid() {
    let wecom = Wecom::live(Default::default()).await;
    let workdir = Workdir::with(&Options::default(), &wecom.url);
    let out = workdir.run(&["send", "--receiver", "wechat", "你好"]).await.success();
    let seen = wecom.sandbox.delivered_to("zhangsan");
    assert_eq!(&*seen[0].text, "你好");
    assert_eq!(out, format!("sent to user zhangsan: msgid {}\n", seen[0].msgid));
}

#[tokio::test]
async fn send_names_invalid_recipients() {
    let wecom = Wecom::live(Default::default()).await;
    let receivers = "  - { name: wechat, to_user: 'zhangsan|nobody-here' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Workdir::with(&options, &wecom.url).run(&["send", "-r", "wechat", "Hello"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.err, "warning: not delivered to invalid recipients: invaliduser nobody-here\n");
}

#[tokio::test]
async fn send_with_a_wrong_secret_fails_with_advice() {
    let wecom = Wecom::live(Default::default()).await;
    let workdir = Workdir::with(&Options::default(), &wecom.url);
    let yaml = std::fs::read_to_string(workdir.folder.path().join("config.yml")).unwrap();
    workdir.write("config.yml", yaml.replace(SECRET, WRONG_SECRET));
    let err = workdir.run(&["send", "-r", "wechat", "Hello"]).await.failure(1);
    insta::assert_snapshot!(redacted(&err), @"
    not sent to user zhangsan: gettoken answered errcode 40001: invalid credential, hint: [HINT], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=40001
    WeCom refused gettoken (40001): api_secret does not belong to corp_id, was reset, or the app is disabled. Copy corp_id from admin console → My company → Company ID (企业ID) and api_secret from admin console → App management → the app → Secret, and check that the app is enabled.
    ");
}

#[tokio::test]
async fn send_without_a_connection_fails_with_advice() {
    let options = Options {
        app: "    proxy_url: http://user:proxy-password-51d0@127.0.0.1:9\n".to_owned(),
        ..Options::default()
    };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    let err = workdir.run(&["--log-level", "trace", "send", "-r", "wechat", "Hello"]).await.failure(1);
    let said: Vec<&str> = err.lines().filter(|line| !line.starts_with("20")).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    not sent to user zhangsan: gettoken was not reached: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    gettoken got no reply from WeCom (error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)). The connection failed. Check DNS, the firewall, api_url and proxy_url.
    ");
}

#[tokio::test]
async fn an_empty_text_is_not_sent() {
    let workdir = Workdir::with(&Options::default(), "http://127.0.0.1:9");
    let err = workdir.run(&["send", "-r", "wechat", " "]).await.failure(1);
    assert_eq!(err, "there is nothing to send: TEXT is empty\n");
}

#[tokio::test]
async fn send_reads_a_text_from_standard_input() {
    let wecom = Wecom::live(Default::default()).await;
    let workdir = Workdir::with(&Options::default(), &wecom.url);
    workdir.run_with(&["send", "-r", "wechat", "-"], "load is high\n").await.success();
    assert_eq!(wecom.sandbox.delivered_to("zhangsan")[0].text.trim_end(), "load is high");
}
