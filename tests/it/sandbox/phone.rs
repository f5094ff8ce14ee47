//! The page with the phones of members.

use reqwest::{Method, Response, StatusCode, header};
use serde_json::json;
use wecom_relay::sandbox::{DemoPress, PhoneExtras, Settings};

use super::{
    cards::{card, interactive},
    text,
};
use crate::support::{AGENT, Wecom, event_server::EventServer, http_client, soon};

/// A page as a browser asks for it.
async fn get(wecom: &Wecom, path: &str) -> Response {
    let request = http_client().get(format!("{}{path}", origin(wecom)));
    request.header(header::ACCEPT, "text/html,application/xhtml+xml").send().await.unwrap()
}

async fn page(wecom: &Wecom, path: &str) -> String {
    let answer = get(wecom, path).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

fn origin(wecom: &Wecom) -> &str {
    wecom.url.trim_end_matches("/cgi-bin/").trim_end_matches('/')
}

/// The token of the forms of a page.
fn token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"token\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// Presses a button of the page.
async fn press(wecom: &Wecom, button: &str, headers: &[(&'static str, &str)]) -> Response {
    let token = token(&page(wecom, "/").await);
    post(wecom, &format!("token={token}&press={button}&next=%3Fmember%3Dlisi"), headers).await
}

async fn post(wecom: &Wecom, body: &str, headers: &[(&'static str, &str)]) -> Response {
    post_to(wecom, "press", body, headers).await
}

#[expect(clippy::disallowed_methods, reason = "the test looks at redirects")]
async fn post_to(wecom: &Wecom, path: &str, body: &str, headers: &[(&'static str, &str)]) -> Response {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let request = client.build().unwrap().post(format!("{}/{path}", origin(wecom))).body(body.to_owned());
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

fn articles(page: &str, class: &str) -> usize {
    page.matches(&format!("<article class=\"phone-message phone-{class}\">")).count()
}

#[tokio::test]
async fn a_phone_shows_messages_and_those_that_wecom_drops() {
    let wecom = Wecom::start().await;
    let access = wecom.token().await;
    for number in 0..40 {
        wecom.send(&access, &text(&format!("alert {number}"))).await;
    }
    let shown = page(&wecom, "/?member=zhangsan").await;
    assert_eq!((articles(&shown, "shown"), articles(&shown, "dropped")), (30, 10));
    assert!(shown.contains("Dropped by WeCom"), "{shown}");
    assert!(shown.contains("shown 30 · dropped 10 · duplicates 0"), "{shown}");
    assert!(shown.contains("message/send: 0 × 40"), "{shown}");
    assert!(
        shown.find("alert 39").unwrap() < shown.find("alert 38").unwrap(),
        "the newest message is the first"
    );
    let other = page(&wecom, "/?member=lisi").await;
    assert_eq!(articles(&other, "shown"), 0);
    assert!(other.contains("No messages yet."), "{other}");
}

#[tokio::test]
async fn a_phone_shows_duplicates_and_groups() {
    let wecom = Wecom::start().await;
    let access = wecom.token().await;
    let mut message = text("twice");
    message["enable_duplicate_check"] = json!(1);
    for _ in 0..2 {
        wecom.send(&access, &message).await;
    }
    assert_eq!(articles(&page(&wecom, "/?member=zhangsan").await, "duplicate"), 1);
    let robot = format!("{}/cgi-bin/webhook/send?key=sandbox-robot-key-ops", origin(&wecom));
    let body =
        json!({ "msgtype": "markdown_v2", "markdown_v2": { "content": "| a | b |\n|---|---|\n| c | d |" } });
    http_client().post(robot).body(body.to_string()).send().await.unwrap();
    let group = page(&wecom, "/?group=%E8%BF%90%E7%BB%B4%E7%BE%A4").await;
    assert!(group.contains("<table class=\"look-table\"><tr><th>a</th>"), "{group}");
}

#[tokio::test]
async fn a_long_record_shows_its_last_messages() {
    let wecom =
        Wecom::live(wecom_relay::sandbox::Settings { member_limits: Vec::new(), ..Default::default() }).await;
    let access = wecom.token().await;
    for number in 0..130 {
        wecom.send(&access, &text(&format!("alert {number}"))).await;
    }
    let shown = page(&wecom, "/?member=zhangsan").await;
    assert_eq!(articles(&shown, "shown"), 100);
    assert!(shown.contains("Older messages are not shown: 30"), "{shown}");
}

#[tokio::test]
async fn buttons_inject_and_end_faults() {
    let wecom = Wecom::start().await;
    let access = wecom.token().await;
    let own = [("origin", origin(&wecom))];
    for (button, errcode) in [
        ("untrusted-ip", 60020),
        ("end-faults", 0),
        ("busy", -1),
        ("end-faults", 0),
        ("token-expired", 42001),
    ] {
        let answer = press(&wecom, button, &own).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()["location"], "./?member=lisi");
        assert_eq!(wecom.send(&access, &text(button)).await["errcode"], errcode, "{button}");
    }
    press(&wecom, "untrusted-ip", &own).await;
    let shown = page(&wecom, "/").await;
    assert!(shown.contains("<li>errcode 60020 · message/send · until it is ended</li>"), "{shown}");
    assert!(shown.contains("<title>(1) "), "{shown}");
    press(&wecom, "clear", &own).await;
    assert_eq!(wecom.sandbox.messages().len(), 0);
    assert_eq!(press(&wecom, "nothing", &own).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn forms_of_other_pages_are_refused() {
    let wecom = Wecom::start().await;
    let own = origin(&wecom).to_owned();
    let foreign: [&[(&str, &str)]; 5] = [
        &[],
        &[("origin", "null")],
        &[("origin", "http://evil.example")],
        &[("origin", &own), ("sec-fetch-site", "cross-site")],
        &[("origin", "http://evil.example"), ("host", "evil.example")],
    ];
    for headers in foreign {
        let answer = press(&wecom, "busy", headers).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{headers:?}");
    }
    let refusal = press(&wecom, "busy", &[("origin", "http://evil.example")]).await.text().await.unwrap();
    assert!(
        refusal.contains("http://evil.example") && refusal.contains(own.trim_start_matches("http://")),
        "{refusal}"
    );
    let wrong = post(&wecom, "token=x&press=busy", &[("origin", &own)]).await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    assert_eq!(wecom.control(Method::GET, "/faults", "").await.1, json!([]));
}

#[tokio::test]
async fn no_page_of_another_site_uses_the_control_api() {
    let wecom = Wecom::start().await;
    let url = format!("{}/sandbox/faults", wecom.url);
    let own = origin(&wecom);
    for (headers, status) in [
        ([("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")], 403),
        ([("origin", own), ("sec-fetch-site", "same-origin")], 204),
        ([("x-a", "b"), ("x-c", "d")], 204),
    ] {
        let request = http_client().post(&url).body(r#"{"fault":{"errcode":45009},"count":1}"#);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(request.send().await.unwrap().status(), status, "{headers:?}");
    }
    let rebound =
        http_client().get(&url).header("host", "evil.example").header("sec-fetch-site", "same-origin");
    assert_eq!(rebound.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn the_page_is_shown_only_under_names_of_this_machine() {
    let wecom = Wecom::start().await;
    let request = http_client().get(origin(&wecom)).header(header::HOST, "evil.example");
    let answer = request.header(header::ACCEPT, "text/html").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let text = answer.text().await.unwrap();
    assert!(text.contains("evil.example") && text.contains("localhost"), "{text}");
}

#[tokio::test]
async fn the_page_shows_hostile_texts_as_they_are() {
    let wecom = Wecom::start().await;
    let access = wecom.token().await;
    let hostile = "<script>alert(1)</script> <img src=x onerror=alert(1)> {{ x }} <a href=\"javascript:x\">y</a> \u{202E}";
    wecom.send(&access, &text(hostile)).await;
    let answer = get(&wecom, "/?member=%3Cscript%3E").await;
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let shown = answer.text().await.unwrap();
    assert!(
        !shown.contains("<script>") && !shown.contains("<img") && !shown.contains("href=\"javascript"),
        "{shown}"
    );
    assert!(!shown.contains('\u{202E}'), "{shown}");
    let shown = page(&wecom, "/?member=zhangsan").await;
    assert!(shown.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{shown}");
    assert!(shown.contains("WeCom does not open this link"), "{shown}");
}

#[tokio::test]
async fn the_page_is_in_the_language_of_the_browser() {
    let wecom = Wecom::start().await;
    let request = http_client().get(origin(&wecom)).header(header::ACCEPT, "text/html");
    let shown = request.header(header::ACCEPT_LANGUAGE, "zh-CN,zh;q=0.9").send().await.unwrap();
    let shown = shown.text().await.unwrap();
    assert!(shown.contains("<html lang=\"zh-CN\"") && shown.contains("让企业微信出故障"), "{shown}");
}

/// Presses a button of the card `t1` on the phone of lisi.
async fn press_card(wecom: &Wecom, key: &str) -> Response {
    let token = token(&page(wecom, "/?member=lisi").await);
    let body = format!("token={token}&member=lisi&task_id=t1&key={key}&next=%3Fmember%3Dlisi");
    post_to(wecom, "card", &body, &[("origin", origin(wecom))]).await
}

#[tokio::test]
async fn the_buttons_of_a_card_call_back() {
    let (wecom, server) = (interactive(Settings::default()).await, EventServer::start().await);
    wecom.sandbox.set_callback(AGENT, server.callback()).unwrap();
    wecom.send(&wecom.token().await, &card("t1")).await;
    let shown = page(&wecom, "/?member=lisi").await;
    assert!(shown.contains(r#" name="key" value="silence:3600">静默 1 小时</button>"#), "{shown}");
    assert!(shown.contains("No button was pressed."), "{shown}");
    let answer = press_card(&wecom, "silence%3A3600").await;
    assert_eq!(
        (answer.status(), &answer.headers()["location"]),
        (StatusCode::SEE_OTHER, &"./?member=lisi".parse().unwrap())
    );
    press(&wecom, "wrong_signature", &[("origin", origin(&wecom))]).await;
    assert!(page(&wecom, "/").await.contains("The next button that is pressed: Wrong signature"));
    press_card(&wecom, "ack").await;
    for pressed in wecom.sandbox.presses() {
        soon(wecom.sandbox.pressed(pressed.id)).await.unwrap();
    }
    let keys: Vec<(bool, String)> = server
        .seen()
        .iter()
        .map(|event| (event.has_right_signature, event.element("EventKey").to_owned()))
        .collect();
    assert!(
        keys.contains(&(true, "silence:3600".to_owned())) && keys.contains(&(false, "ack".to_owned())),
        "{keys:?}"
    );
    let shown = page(&wecom, "/?member=lisi").await;
    assert!(shown.contains("lisi ack (Wrong signature): 200"), "{shown}");
    assert!(!shown.contains("The next button that is pressed"), "{shown}");
}

#[tokio::test]
async fn updates_and_recalls_change_a_phone() {
    let wecom = interactive(Settings::default()).await;
    let access = wecom.token().await;
    let sent = wecom.send(&access, &card("t1")).await;
    let body = json!({ "userids": ["lisi"], "agentid": AGENT, "response_code": sent["response_code"],
                       "button": { "replace_name": "已认领" } });
    wecom.call("message/update_template_card", &access, &body).await;
    let grey = page(&wecom, "/?member=lisi").await;
    assert!(grey.contains(r#"look-replaced" dir="auto">已认领</span>"#), "{grey}");
    assert!(!grey.contains(r#"name="key""#) && grey.contains("Before the update (1)"), "{grey}");
    let other = page(&wecom, "/?member=zhangsan").await;
    assert!(other.contains(r#"name="key" value="ack""#) && !other.contains("已认领"), "{other}");
    let stale = press_card(&wecom, "ack").await;
    assert_eq!(stale.status(), StatusCode::CONFLICT);
    wecom.call("message/recall", &access, &json!({ "msgid": sent["msgid"] })).await;
    let recalled = page(&wecom, "/?member=lisi").await;
    assert!(recalled.contains(r#"<p class="phone-recall">告警 recalled a message</p>"#), "{recalled}");
    assert!(!recalled.contains("磁盘满"), "{recalled}");
}

#[tokio::test]
async fn the_demo_adds_its_buttons_and_a_link() {
    let wecom = Wecom::start().await;
    assert!(!page(&wecom, "/").await.contains("send-storm"));
    let (presses, mut pressed) = tokio::sync::mpsc::unbounded_channel();
    let console = Some("http://127.0.0.1:1/".to_owned());
    wecom.sandbox.extend_page(PhoneExtras { console, presses: Some(presses) });
    assert!(page(&wecom, "/").await.contains("href=\"http://127.0.0.1:1/\""));
    press(&wecom, "send-storm", &[("origin", origin(&wecom))]).await;
    assert_eq!(pressed.recv().await, Some(DemoPress::Storm));
}
