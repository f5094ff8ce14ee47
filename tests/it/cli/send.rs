//! `send`

use super::{Place, WRONG_SECRET};
use crate::support::{Options, SECRET, Wecom};

#[tokio::test]
async fn a_message_reaches_the_member_and_its_msgid_is_printed() {
    let wecom = Wecom::live(Default::default()).await;
    let place = Place::with(&Options::default(), &wecom.url);
    let out = place.run(&["send", "--receiver", "wechat", "你好"]).await.success();
    let seen = wecom.sandbox.delivered_to("zhangsan");
    assert_eq!(&*seen[0].text, "你好");
    assert_eq!(out, format!("sent to user zhangsan: msgid {}\n", seen[0].msgid));
}

#[tokio::test]
async fn those_whom_wecom_passed_over_are_named() {
    let wecom = Wecom::live(Default::default()).await;
    let receivers = "  - { name: wechat, to_user: 'zhangsan|nobody-here' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Place::with(&options, &wecom.url).run(&["send", "-r", "wechat", "Hello"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.err, "warning: WeCom passed over invaliduser nobody-here\n");
}

#[tokio::test]
async fn a_wrong_secret_fails_with_advice() {
    let wecom = Wecom::live(Default::default()).await;
    let place = Place::with(&Options::default(), &wecom.url);
    let yaml = std::fs::read_to_string(place.folder.path().join("config.yml")).unwrap();
    place.write("config.yml", yaml.replace(SECRET, WRONG_SECRET));
    let told = place.run(&["send", "-r", "wechat", "Hello"]).await.failure(1);
    assert!(told.starts_with("not sent to user zhangsan: gettoken answered errcode 40001: "), "{told}");
    let advice = told.lines().nth(1).unwrap();
    assert!(advice.contains("api_secret"), "{advice}");
}

#[tokio::test]
async fn a_wecom_that_cannot_be_reached_fails_with_advice() {
    let options = Options {
        app: "    proxy_url: http://user:proxy-password-51d0@127.0.0.1:9\n".to_owned(),
        ..Options::default()
    };
    let place = Place::with(&options, "http://127.0.0.1:9");
    let told = place.run(&["--log-level", "trace", "send", "-r", "wechat", "Hello"]).await.failure(1);
    assert!(told.contains("check DNS, firewall, api_url and proxy_url"), "{told}");
}

#[tokio::test]
async fn an_empty_text_is_not_sent() {
    let place = Place::with(&Options::default(), "http://127.0.0.1:9");
    let told = place.run(&["send", "-r", "wechat", " "]).await.failure(1);
    assert_eq!(told, "there is nothing to send: TEXT is empty\n");
}
