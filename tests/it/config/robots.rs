//! `robots`, and the keys of receivers for groups.

use wecom_relay::{config::Sender, intake::Address, wecom::Recipients};

use super::{load_in_folder, parse};

const ROBOT: &str = "\
server: { listen: '127.0.0.1:8061' }
robots:
  - name: team
    key: https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=not-a-real-key
receivers:
  - name: wechat
";

/// An app beside the robot.
const APP: &str = "\
apps: [{ name: ops, corp_id: ww1234567890abcdef, agent_id: 1, api_secret: not-a-real-secret }]
";

fn error(source: &str) -> String {
    let error = parse(source).map(|_| String::new()).unwrap_or_else(|error| error.to_string());
    assert!(!error.contains("not-a-real-key"), "{error}");
    error
}

#[test]
fn a_robot_has_the_defaults_of_wecom() {
    let loaded = parse(ROBOT).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let config = loaded.config;
    let robot = &config.robots[0];
    assert_eq!(robot.key.expose(), "not-a-real-key");
    assert_eq!(robot.connection.api_url.as_str(), "https://qyapi.weixin.qq.com/cgi-bin/");
    assert_eq!((robot.limits.per_minute.map(u32::from), robot.limits.per_hour), (Some(20), None));
    let receiver = config.receiver("wechat").unwrap();
    assert!(matches!(&receiver.sender, Sender::Robot(robot) if robot.name.as_str() == "team"));
    assert_eq!(receiver.recipients, Address::Literal(Recipients::Group));
    assert_eq!(config.summary(), "1 robot, 1 receiver");
    assert!(!format!("{config:?}").contains("not-a-real-key"));
}

#[test]
fn the_webhook_url_may_come_from_a_file_or_the_environment() {
    let url = "https://gate.example/wecom/cgi-bin/webhook/send?key=not-a-real-key\n";
    let source = ROBOT.replace(
        "key: https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=not-a-real-key",
        "key_file: robot",
    );
    let (_folder, loaded) = load_in_folder(&[("config.yml", &source), ("robot", url)]);
    let config = loaded.unwrap().config;
    assert_eq!(config.robots[0].key.expose(), "not-a-real-key");
    assert_eq!(config.robots[0].connection.api_url.as_str(), "https://gate.example/wecom/cgi-bin/");
    let source = source.replace("key_file: robot", "key_file: robot\n    api_url: https://other.example");
    let (_folder, loaded) = load_in_folder(&[("config.yml", &source), ("robot", url)]);
    assert_eq!(
        loaded.unwrap().config.robots[0].connection.api_url.as_str(),
        "https://other.example/cgi-bin/"
    );
}

#[test]
fn mistakes_in_robots_are_explained_without_their_key() {
    let key = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=not-a-real-key";
    let errors = [
        error(&ROBOT.replace(key, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?not-a-real-key")),
        error(&ROBOT.replace(key, "https://oapi.dingtalk.com/robot/send?key=not-a-real-key")),
        error(&ROBOT.replace(key, "'not-a-real-key!'")),
        error(&ROBOT.replace(key, "''")),
        error(&ROBOT.replace("    key:", "    webhook_url:")),
        error(&format!("{ROBOT}    robot: taem\n")),
        error(&format!("{APP}{ROBOT}    robot: team\n    app: ops\n")),
        error(&format!("{ROBOT}    to_user: zhangsan\n")),
        error(&format!("{ROBOT}    message_type: textcard\n")),
        error(&format!("{ROBOT}    max_parts: 21\n")),
        error(&format!("{APP}{ROBOT}    app: ops\n    to_user: a\n    message_type: markdown_v2\n")),
        error(&ROBOT.replace("team", "ops").replace("robots:", &format!("{APP}robots:"))),
        error(&format!("{ROBOT}    also: [wechat, nobody]\n")),
        error("robots: []\nreceivers: [{ name: wechat }]\n"),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    config.yml:4:10: robots[0].key: the URL has no key= in it: write the webhook URL as the group shows it, https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…, or the part after key= alone
    config.yml:4:10: robots[0].key: this is not the webhook URL of a robot: write the webhook URL as the group shows it, https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…, or the part after key= alone
    config.yml:4:10: robots[0].key: a key has only letters, digits, - and _: write the webhook URL as the group shows it, https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…, or the part after key= alone
    config.yml:4:10: robots[0].key: this is empty; write the key here, or use key_file
    config.yml:3:5: robots[0].key: the robot has no key; set exactly one of key, key_file and key_env
    config.yml:4:5: robots[0].webhook_url: unknown key; write the webhook URL as key of a robot below robots, and robot: NAME in the receiver
    config.yml:7:12: receivers[0].robot: there is no robot "taem"; did you mean team?
    config.yml:8:12: receivers[0].robot: a receiver has one sender, and this one names an app and a robot; remove one of them, and name the receiver of the other one in also
    config.yml:7:14: receivers[0].to_user: this key needs an app, and this receiver has a robot; remove it, because a robot sends to its group; mentioned_list names members there
    config.yml:7:19: receivers[0].message_type: a robot sends no textcard; write text, markdown, markdown_v2 or template_card
    config.yml:7:16: receivers[0].max_parts: the robot may not send 21 parts in a minute; write at most 20, because limits.per_minute and plain_copy allow no more
    config.yml:10:19: receivers[0].message_type: an app sends no markdown_v2 to members; write text, markdown, textcard or template_card
    config.yml:4:11: robots[0].name: the name "ops" is already used by apps[0].name in line 2; use another name
    config.yml:7:5: receivers[0].to_user: no recipient: name at least one user, department or tag; to address everybody, write to_user: '@all'
    config.yml:7:12: receivers[0].also[0]: a receiver cannot be listed in its own also; name another receiver
    config.yml:7:20: receivers[0].also[1]: there is no receiver "nobody"; list it under receivers
    config.yml:1:1: apps: there is no app and no robot; list an app or a robot
    config.yml:2:13: receivers[0].to_user: no recipient: name at least one user, department or tag; to address everybody, write to_user: '@all'
    "#);
}

#[test]
fn mentions_are_checked() {
    let receiver = |keys: &str| format!("{ROBOT}    {}\n", keys.replace('\n', "\n    "));
    let config = parse(&receiver("mentioned_list: 'zhangsan | @ALL'\nmentioned_mobile_list: [13800138000]"));
    let mentions = config.unwrap().config.receiver("wechat").unwrap().mentions.clone();
    assert_eq!(mentions.users.fixed, ["zhangsan", "@all"]);
    assert_eq!(mentions.mobiles.fixed, ["13800138000"]);
    let errors = [
        error(&receiver("mentioned_list: '张三'")),
        error(&receiver("mentioned_list: []")),
        error(&receiver("mentioned_mobile_list: zhangsan")),
        error(&receiver("mentioned_list: zhangsan\nmessage_type: markdown")),
        error(&receiver("mentioned_list: zhangsan\nmessage_type: markdown_v2")),
        error(&format!("{APP}{}", receiver("app: ops\nto_user: a\nmentioned_list: zhangsan"))),
        error(&format!("{APP}{}", receiver("app: ops\nchat_id: x\nmentioned_mobile_list: '13800138000'"))),
        error(&format!(
            "{APP}{}",
            receiver("app: ops\nchat_id: x\nmentioned_list: lisi\nmentioned_mobile_list: '13800138000'")
        )),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    config.yml:7:21: receivers[0].mentioned_list: "张三" is not a user id, because it has the character 张 (U+5F20); write the account that the console shows at 通讯录 → the member → 账号, or '@all'
    config.yml:7:21: receivers[0].mentioned_list: this mentions nobody; list user ids, or remove the key
    config.yml:7:28: receivers[0].mentioned_mobile_list: "zhangsan" is not a mobile number; write digits, such as 13800138000, or '@all'
    config.yml:7:21: receivers[0].mentioned_list: this key needs message_type text; remove the key, and write <@userid> into the message
    config.yml:7:21: receivers[0].mentioned_list: this key needs message_type text; remove the key, or change message_type
    config.yml:10:21: receivers[0].mentioned_list: only messages to groups mention members; name a robot with robot: NAME, or a group chat with chat_id; to_user names the recipients of an app
    config.yml:10:28: receivers[0].mentioned_mobile_list: only robots mention mobile numbers; use mentioned_list with user ids
    config.yml:11:28: receivers[0].mentioned_mobile_list: only robots mention mobile numbers; use mentioned_list with user ids
    "#);
}

#[test]
fn a_chat_takes_the_place_of_members() {
    let receiver = |keys: &str| format!("{APP}{ROBOT}    {}\n", keys.replace('\n', "\n    "));
    let config = parse(&receiver("app: ops\nchat_id: wrOgQhDgAAMYQiS5ol9G7gK9JVAAAA")).unwrap().config;
    let recipients = config.receiver("wechat").unwrap().recipients.to_string();
    assert_eq!(recipients, "chat wrOgQhDgAAMYQiS5ol9G7gK9JVAAAA");
    let errors = [
        error(&receiver("app: ops\nchat_id: 'a b'")),
        error(&receiver("app: ops\nchat_id: x\nto_user: zhangsan")),
        error(&receiver("app: ops\nchat_id: x\nmessage_type: template_card")),
        error(&receiver("robot: team\nchat_id: x")),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    config.yml:9:14: receivers[0].chat_id: "a b" is not the id of a chat; write the id that `wecom-relay chat create` shows, as in wrOgQhDgAAMYQiS5ol9G7gK9JVAAAA
    config.yml:10:14: receivers[0].to_user: a receiver sends to members or to a chat, and this one has chat_id; remove it, or use two receivers and name one in also of the other
    config.yml:10:19: receivers[0].message_type: an app sends no template_card to a group chat; write text, markdown or textcard
    config.yml:9:14: receivers[0].chat_id: a robot has one group, which its key decides; remove chat_id, or name an app
    "#);
}

#[test]
fn a_robot_that_may_send_too_much_is_a_warning() {
    let source = ROBOT.replace("    key:", "    limits: { per_minute: 30 }\n    key:");
    let source = source.replace("receivers:", "  - { name: again, key: not-a-real-key }\nreceivers:");
    let source = source.replace("name: wechat", "name: wechat\n    robot: again");
    let warnings: Vec<_> = parse(&source).unwrap().warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"), @"
    config.yml:4:27: robots[0].limits.per_minute: WeCom refuses more than 20 messages per minute of one robot (45009), and blocks it for a while; write at most 20, and not 0
    config.yml:6:5: robots[1]: this is the same robot as robots[0], so both are one sender, within the lower limit of both; use one of them for both
    ");
}
