//! The client of a robot, and of group chats.

use wecom_relay::{
    secret::Secret,
    wecom::{
        Api, ChatId, Content, GroupText, Message, Outcome, Recipients, TransportErrorKind, WeCom,
        client::{Robot, RobotSettings, SenderClient},
    },
};

use super::{
    client_of, connection,
    server::{Reply, Server, json, refused, status},
};

const KEY: &str = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa";

fn robot(server: &Server) -> Robot {
    let settings = RobotSettings { key: Secret::new(KEY), connection: connection(&server.url()) };
    Robot::new(settings).unwrap()
}

fn message(content: Content) -> Message {
    Message { recipients: Recipients::Group, content, duplicate_check: None }
}

fn text() -> Message {
    message(Content::Text("磁盘已满 <@ALL>".to_owned()))
}

#[tokio::test]
async fn a_robot_posts_to_its_webhook_without_a_token() {
    let server = Server::wecom(|_| json(r#"{"errcode":0,"errmsg":"ok"}"#)).await;
    assert!(matches!(robot(&server).send(&text()).await, Outcome::Accepted(_)));
    let mentioning = GroupText {
        content: "a".to_owned(),
        mentioned_list: vec!["zhangsan".to_owned(), "@all".to_owned()],
        mentioned_mobile_list: Vec::new(),
    };
    robot(&server).send(&message(mentioning.into())).await;
    robot(&server).send(&message(Content::MarkdownV2("| a |".to_owned()))).await;
    let requests = server.requests();
    assert_eq!(server.gettokens(), 0);
    assert_eq!(requests[0].line, format!("POST /cgi-bin/webhook/send?key={KEY} HTTP/1.1"));
    let bodies: Vec<_> = requests.iter().map(|request| request.body.as_str()).collect();
    // A label must not mention everybody.
    insta::assert_snapshot!(bodies.join("\n"), @r#"
    {"msgtype":"text","text":{"content":"磁盘已满 (@all)"}}
    {"msgtype":"text","text":{"content":"a","mentioned_list":["zhangsan","@all"]}}
    {"msgtype":"markdown_v2","markdown_v2":{"content":"| a |"}}
    "#);
}

#[tokio::test]
async fn no_error_of_a_robot_shows_its_key() {
    let echo =
        format!(r#"{{"errcode":93000,"errmsg":"invalid webhook url, http://x/webhook/send?key={KEY}"}}"#);
    let location = format!("HTTP/1.1 301 Moved\r\nLocation: https://x/webhook/send?key={KEY}\r\n\r\n");
    let replies: Vec<Box<dyn Fn() -> Reply + Send + Sync>> = vec![
        Box::new(move || json(&echo)),
        Box::new(move || Reply::Raw(location.clone())),
        Box::new(|| status("502 Bad Gateway", KEY)),
        Box::new(|| Reply::Raw(format!("HTTP/1.1 200 OK\r\n\r\n<html>{KEY}"))),
        Box::new(|| Reply::Raw(String::new())),
    ];
    for reply in replies {
        let server = Server::wecom(move |_| reply()).await;
        let robot = robot(&server);
        let outcome = robot.send(&text()).await;
        let shown = format!("{outcome:?} {robot:?} {:?}", SenderClient::Robot(robot.clone()));
        assert!(!shown.contains(KEY), "{shown}");
        assert!(!matches!(outcome, Outcome::Accepted(_)), "{shown}");
    }
    let settings = RobotSettings { key: Secret::new(KEY), connection: connection("http://127.0.0.1:1") };
    let outcome = Robot::new(settings).unwrap().send(&text()).await;
    let Outcome::NotSent(error) = &outcome else { unreachable!("{outcome:?}") };
    assert_eq!((error.api, error.kind), (Api::WebhookSend, TransportErrorKind::Connect));
    assert!(!format!("{outcome:?}").contains(KEY), "{outcome:?}");
}

#[tokio::test]
async fn an_empty_message_asks_for_the_key_alone() {
    let server = Server::wecom(|_| refused(44004)).await;
    assert!(matches!(robot(&server).probe().await, Outcome::Rejected(error) if error.errcode.0 == 44004));
    assert_eq!(server.requests()[0].body, r#"{"msgtype":"text","text":{"content":""}}"#);
}

#[tokio::test]
async fn a_chat_gets_no_agent_id_and_no_duplicate_check() {
    let server = Server::wecom(|_| json(r#"{"errcode":0,"errmsg":"ok"}"#)).await;
    let chat = ChatId::parse("CHATID").map(Recipients::Chat).unwrap();
    let message = Message {
        recipients: chat,
        content: Content::Text("a".to_owned()),
        duplicate_check: Some(std::time::Duration::from_secs(120)),
    };
    assert!(matches!(client_of(&server).send(&message).await, Outcome::Accepted(_)));
    let requests = server.requests();
    assert!(requests[1].line.starts_with("POST /cgi-bin/appchat/send?access_token="), "{requests:?}");
    assert_eq!(requests[1].body, r#"{"chatid":"CHATID","msgtype":"text","text":{"content":"a"}}"#);
}
