//! `demo`

use std::process::Command;

use super::{command, run};
use crate::support::{
    Printing,
    tools::{CURL, find},
};

#[tokio::test]
async fn the_demo_loses_nothing_and_folds_the_storm() {
    let out = run(command(&["demo", "--once", "--language", "en"]), String::new()).await.success();
    let verdict = out.lines().find_map(|line| line.strip_prefix("Verdict: ")).unwrap();
    assert_eq!(verdict, "206 accepted, 206 delivered, 0 lost", "{out}");
    let messages = out.lines().find_map(|line| line.strip_prefix("The phones show ")).unwrap();
    let messages: u32 = messages.split(' ').next().unwrap().parse().unwrap();
    assert!(messages < 60, "{out}");
    assert!(out.contains("the phone shows 30, and 170 are silently dropped"), "{out}");
    assert!(out.contains("which show 24 of 24 alerts"), "{out}");
    assert!(!out.contains('\u{1b}'), "{out}");
}

#[tokio::test]
async fn the_demo_speaks_the_language_of_the_terminal() {
    let mut chinese = command(&["demo"]);
    chinese.env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", "zh_CN.UTF-8");
    let mut demo = Printing::start(chinese);
    demo.line_with("1. 一条告警").await;
    assert!(demo.interrupt().await.success());
    assert!(demo.out.last().unwrap().starts_with("演示结束"), "{:?}", demo.out);
}

#[tokio::test]
async fn the_curl_line_of_the_demo_works_as_printed() {
    let Some(_) = find(&CURL) else { return };
    let mut demo = Printing::start(command(&["demo", "--language", "en"]));
    let line = demo.line_with("curl -s ").await;
    demo.line_with("Stop with Ctrl-C").await;
    for _ in 0..2 {
        // A second within the same second is a duplicate, so the alert gets a later start.
        let line = line.replacen("%FT%TZ", "%FT%T.%NZ", 1);
        let curl = tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &line]).output());
        let answer = curl.await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&answer.stdout).contains("accepted"), "{answer:?}");
        demo.line_with("a message:").await;
        demo.line_with("zhangsan:").await;
        demo.line_with("DiskFull").await;
    }
    assert!(demo.interrupt().await.success());
    assert_eq!(demo.out.last().unwrap(), "The demo has ended, and nothing is left behind.");
}
