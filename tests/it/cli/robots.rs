//! The commands with robots and group chats.

use wecom_relay::sandbox::{BUILTIN_YAML, Directory};

use super::Workdir;
use crate::support::{Options, Wecom, redacted};

const KEY: &str = "sandbox-robot-key-ops";
const GROUP: &str = "运维群";

fn workdir(wecom: &Wecom, keys: &str) -> Workdir {
    let url = &wecom.url;
    let options = Options {
        more: format!("robots:\n  - name: team\n    key: {url}/cgi-bin/webhook/send?key={KEY}\n"),
        receivers: format!("  - name: wechat\n    robot: team\n{keys}"),
        ..Options::default()
    };
    Workdir::with(&options, url)
}

#[tokio::test]
async fn check_shows_the_messages_of_a_robot() {
    let wecom = Wecom::live(Default::default()).await;
    let keys = "    mentioned_list: ['@all']\n";
    let out = workdir(&wecom, keys).run(&["check", "--samples"]).await.success();
    assert!(out.contains("receiver wechat: robot team, to the robot's group"), "{out}");
    assert!(out.contains("firing: group_text to the robot's group, "), "{out}");
    assert!(out.contains("  | (mentions @all)"), "{out}");
    assert!(out.contains("the configuration is valid: 1 app, 1 robot, 1 receiver, "), "{out}");
    let out = workdir(&wecom, "    message_type: markdown_v2\n").run(&["check", "--samples"]).await.success();
    assert!(out.contains(" of 4096 bytes:"), "{out}");
}

#[tokio::test]
async fn render_prints_the_request_of_a_robot() {
    let wecom = Wecom::live(Default::default()).await;
    let workdir = workdir(&wecom, "    message: '{{ status }}'\n    mentioned_list: [lisi]\n");
    let out = workdir.run(&["render", "-r", "wechat", "--sample", "firing", "--json"]).await.success();
    let expected = r#"{"msgtype":"text","text":{"content":"firing","mentioned_list":["lisi"]}}"#;
    assert_eq!(out.trim_end(), expected);
}

#[tokio::test]
async fn send_reaches_the_group_of_a_robot() {
    let wecom = Wecom::live(Default::default()).await;
    let out = workdir(&wecom, "").run(&["send", "-r", "wechat", "Hello"]).await.success();
    assert_eq!(out, "sent to the robot's group\n");
    assert_eq!(&*wecom.sandbox.delivered_to_group(GROUP)[0].text, "Hello");
}

#[tokio::test]
async fn send_explains_a_removed_robot_without_its_key() {
    let wecom = Wecom::live(Default::default()).await;
    let other = BUILTIN_YAML.replace(KEY, "another-key");
    wecom.sandbox.replace_directory(Directory::from_yaml(&other).unwrap());
    let err = workdir(&wecom, "").run(&["send", "-r", "wechat", "Hello"]).await.failure(1);
    insta::assert_snapshot!(redacted(&err), @"
    not sent to the robot's group: webhook/send answered errcode 93000: invalid webhook url, hint: [HINT], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=93000
    WeCom refused webhook/send (93000): the webhook URL of the robot is wrong, or the robot was removed. Copy the robot's webhook URL from the group again (群设置 → 消息推送), and write it into key of the robot.
    ");
}

#[tokio::test]
async fn doctor_checks_the_key_of_a_robot_and_sends_nothing() {
    let wecom = Wecom::live(Default::default()).await;
    let out = workdir(&wecom, "").run(&["doctor"]).await.success();
    let robot: Vec<_> =
        out.lines().filter(|line| line.contains("team") || line.contains("receiver")).collect();
    let port = wecom.url.rsplit(':').next().unwrap();
    insta::assert_snapshot!(robot.join("\n").replace(port, "PORT"), @"
    ok       configuration: file: valid: 1 app, 1 robot, 1 receiver
    ok       robot team: dns: 127.0.0.1 is an address
    ok       robot team: connect: 127.0.0.1 port PORT accepts connections
    ok       robot team: tls: not used, because api_url is http
    ok       robot team: wecom: 127.0.0.1 answers as WeCom does
    ok       robot team: clock: agrees with WeCom's
    ok       robot team: key: WeCom knows the robot; no message was sent
    ok       receiver wechat: recipients: the robot's group
    ");
    assert!(wecom.sandbox.messages().is_empty());
    let disabled = BUILTIN_YAML.replace(&format!("key: {KEY},"), &format!("key: {KEY}, disabled: true,"));
    wecom.sandbox.replace_directory(Directory::from_yaml(&disabled).unwrap());
    let ended = workdir(&wecom, "").run(&["doctor"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let failed: Vec<_> = ended.out.lines().skip_while(|line| !line.starts_with("failed")).take(2).collect();
    insta::assert_snapshot!(failed.join("\n"), @"
    failed   robot team: key: webhook/send answered errcode 93004
             WeCom refused webhook/send (93004): the robot is disabled. Enable the robot in its group, or let the administrator of WeCom allow robots again.
    ");
}

#[tokio::test]
async fn a_chat_is_created_shown_and_listed() {
    let wecom = Wecom::live(Default::default()).await;
    let workdir = Workdir::with(&Options::default(), &wecom.url);
    let create = ["chat", "create", "--name", "值班", "--members", "zhangsan,lisi", "--id", "oncall"];
    let out = workdir.run(&create).await.success();
    assert_eq!(out, "created chat oncall of app ops\nfor a receiver: app: ops, chat_id: oncall\n");
    let out = workdir.run(&["chat", "show", "oncall"]).await.success();
    assert_eq!(out, "chat oncall of app ops\n  name: 值班\n  owner: zhangsan\n  members: zhangsan, lisi\n");
    let out = workdir.run(&["chat", "list"]).await.success();
    assert_eq!(out, "no receiver has a chat_id; `wecom-relay chat create` creates a chat and shows its id\n");
    let receivers = "  - { name: wechat, chat_id: oncall }\n  - { name: gone, chat_id: gone }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Workdir::with(&options, &wecom.url).run(&["chat", "list"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.starts_with("receiver wechat: chat oncall of app ops\n  name: 值班\n"), "{ended:?}");
    insta::assert_snapshot!(redacted(&ended.err), @"
    appchat/get answered errcode 40050: invalid chatid, hint: [HINT], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=40050
    WeCom refused appchat/get (40050): the group chat does not exist. Create the chat with this app and use its chatid.
    ");
    let out = Workdir::with(&options, &wecom.url).run(&["doctor"]).await.out;
    assert!(out.contains("ok       receiver wechat: recipients: the app sees chat oncall"), "{out}");
    assert!(out.contains("failed   receiver gone: recipients: chat gone gets nothing"), "{out}");
}

#[tokio::test]
async fn a_chat_that_cannot_be_created_is_explained() {
    let wecom = Wecom::live(Default::default()).await;
    let workdir = Workdir::with(&Options::default(), &wecom.url);
    let create = ["chat", "create", "--name", "x", "--members"];
    let err = workdir.run(&[&create[..], &["zhangsan"]].concat()).await.failure(1);
    assert_eq!(err, "a chat needs at least two members: name them with --members zhangsan,lisi\n");
    let options = Options { secret: crate::support::OTHER_SECRET, ..Options::default() };
    let yaml = Workdir::with(&options, &wecom.url);
    let text = std::fs::read_to_string(yaml.folder.path().join("config.yml")).unwrap();
    yaml.write("config.yml", text.replace("1000002", "1000030"));
    let err = yaml.run(&[&create[..], &["zhangsan,lisi"]].concat()).await.failure(1);
    insta::assert_snapshot!(redacted(&err), @"
    appchat/create answered errcode 48002: api forbidden, hint: [HINT], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=48002
    WeCom refused appchat/create (48002): the app may not use group chats, because it does not see the whole company. Add the root department in admin console → App management → the app → Visible range (可见范围).
    ");
}
