//! Presses while Alertmanager fails.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde_json::json;
use wecom_relay::outbox::CardStore;

use super::{
    Alertmanager, Stage,
    proxy::{Proxy, Spoiling},
    warnings,
};
use crate::support::eventually;

const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const FAILED: &str =
    "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfull";
const REDIRECT: &str = "HTTP/1.1 301 Moved Permanently\r\nlocation: https://am.example.com/?token=not-a-real-token\r\n\
                        content-length: 0\r\nconnection: close\r\n\r\n";
const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>";

/// The end of a press that failed.
#[derive(Debug, PartialEq)]
struct Failed {
    /// The first line that the member reads.
    text: String,
    /// The result that operators read, without the URL.
    result: String,
    /// The same on the Chinese page of the console.
    chinese: String,
}

fn failed(text: &str, result: &str, chinese: &str) -> Failed {
    Failed { text: text.to_owned(), result: result.to_owned(), chinese: chinese.to_owned() }
}

async fn press_at(alertmanager: &str) -> Failed {
    let stage = Stage::start(alertmanager, "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    let text = stage.notified("zhangsan", |text| text.starts_with("[NOT DONE]")).await;
    let result = stage.result().await;
    let (_, metrics) = stage.relay.request(reqwest::Method::GET, "/metrics", "").await;
    assert!(metrics.contains("wecom_relay_presses_total{action=\"silence\",result=\"failed\"} 1\n"));
    let pressed = stage.pressed_in_chinese().await;
    stage.stop().await;
    let result = result.strip_prefix(&format!("nothing was done: {alertmanager}: ")).unwrap();
    let chinese = pressed.strip_prefix(&format!("zhangsan: 静默 1 小时 未执行：{alertmanager}：")).unwrap();
    failed(text.lines().next().unwrap(), result, chinese)
}

#[tokio::test]
async fn a_member_reads_what_to_do_and_an_operator_reads_why() {
    for (spoiling, expected) in [
        (
            Spoiling::Answer(UNAUTHORIZED),
            failed(
                "[NOT DONE] Alertmanager does not accept the relay's credentials. Ask the administrator of the relay.",
                "Alertmanager refuses the relay's credentials (HTTP 401); correct bearer_token or basic_auth of \
                 alertmanager",
                "Alertmanager 拒绝了 relay 的凭据（HTTP 401），请修正 alertmanager 的 bearer_token 或 basic_auth",
            ),
        ),
        (
            Spoiling::Answer(FAILED),
            failed(
                "[NOT DONE] Alertmanager has an internal error. Press again later.",
                "Alertmanager failed (HTTP 500): full; look into its log",
                "Alertmanager 出错（HTTP 500）: full，请查看其日志",
            ),
        ),
        (
            Spoiling::Answer(REDIRECT),
            failed(
                "[NOT DONE] the relay finds no Alertmanager at the configured address. Ask the administrator of the relay.",
                "Alertmanager redirects to https://am.example.com (HTTP 301); write the final URL in alertmanager.url",
                "Alertmanager 返回重定向 https://am.example.com（HTTP 301），请在 alertmanager.url 中写最终地址",
            ),
        ),
        (
            Spoiling::Answer(PAGE),
            failed(
                "[NOT DONE] the relay finds no Alertmanager at the configured address. Press again later.",
                "the answer is not one of Alertmanager's API v2; correct alertmanager.url",
                "返回的内容不是 Alertmanager API v2 的响应，请修正 alertmanager.url",
            ),
        ),
        (
            Spoiling::Silence,
            failed(
                "[NOT DONE] Alertmanager does not respond. Press again later.",
                "Alertmanager does not answer within 2 s",
                "Alertmanager 在 2 秒内没有响应",
            ),
        ),
    ] {
        let proxy = Proxy::start(spoiling).await;
        assert_eq!(press_at(&proxy.url).await, expected);
    }
}

#[tokio::test]
async fn a_member_reads_no_error_of_the_network() {
    let Failed { text, result, chinese } = press_at("http://127.0.0.1:9").await;
    assert_eq!(text, "[NOT DONE] Alertmanager cannot be reached. Press again later.");
    assert!(result.starts_with("Alertmanager cannot be reached: "), "{result}");
    assert!(chinese.starts_with("无法连接 Alertmanager："), "{chinese}");
}

#[tokio::test]
async fn a_press_that_waits_for_a_retry_shows_why() {
    let (written, _log) = warnings();
    let proxy = Proxy::start(Spoiling::Silence).await;
    let stage = Stage::start(&proxy.url, "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    let failures = async || stage.presses().await.into_iter().find_map(|press| press.last_failure);
    let reason = eventually(failures, Option::is_some).await.unwrap();
    assert_eq!(reason, format!("{}: Alertmanager does not answer within 2 s", proxy.url));
    let page = stage.pressed_in_chinese().await;
    assert!(page.contains(&format!("将会重试：{}：Alertmanager 在 2 秒内没有响应", proxy.url)), "{page}");
    let log = written.text();
    let line = log.lines().find(|line| line.contains("press failed, will retry")).unwrap();
    assert!(line.contains("WARN") && line.contains("zhangsan") && line.contains(&reason), "{line}");
    stage.result().await;
    assert_eq!(stage.presses().await[0].last_failure, None);
    stage.stop().await;
}

#[tokio::test]
async fn a_lost_answer_makes_one_silence() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let spoiling = Spoiling::FirstCreation { alertmanager: alertmanager.url().to_owned() };
    let proxy = Proxy::start(spoiling).await;
    let stage = Stage::start(&proxy.url, "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    let result = stage.result().await;
    let silence = alertmanager.silence().await;
    assert!(result.ends_with(&format!("(silence {})", silence["id"].as_str().unwrap())), "{result}");
    assert_eq!(proxy.counts.created.load(Ordering::Relaxed), 1);
    assert_eq!(silence["status"]["state"], json!("active"));
    // Alertmanager knows no such alert, so it cannot say that it is resolved.
    let watched = stage.relay.outbox.watched_cards(10, Timestamp::MAX, Timestamp::MAX).await.unwrap();
    assert_eq!(watched, []);
    stage.stop().await;
}
