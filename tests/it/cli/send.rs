//! `send`

use super::{WRONG_SECRET, Workdir};
use crate::support::{Options, SECRET, Wecom};

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
    assert!(err.starts_with("not sent to user zhangsan: gettoken answered errcode 40001: "), "{err}");
    let advice = err.lines().nth(1).unwrap();
    assert!(advice.contains("api_secret"), "{advice}");
}

#[tokio::test]
async fn send_without_a_connection_fails_with_advice() {
    let options = Options {
        app: "    proxy_url: http://user:proxy-password-51d0@127.0.0.1:9\n".to_owned(),
        ..Options::default()
    };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    let err = workdir.run(&["--log-level", "trace", "send", "-r", "wechat", "Hello"]).await.failure(1);
    assert!(err.contains("Check DNS, the firewall, api_url and proxy_url"), "{err}");
}

#[tokio::test]
async fn an_empty_text_is_not_sent() {
    let workdir = Workdir::with(&Options::default(), "http://127.0.0.1:9");
    let err = workdir.run(&["send", "-r", "wechat", " "]).await.failure(1);
    assert_eq!(err, "there is nothing to send: TEXT is empty\n");
}
