//! `gettoken`, and the end of a token.

use std::time::Duration;

use wecom_relay::sandbox::{Directory, Expired, Settings};

use super::text;
use crate::support::{CORP, SECRET, Wecom};

#[tokio::test]
async fn gettoken_makes_its_checks_in_wecoms_order() {
    let wecom = Wecom::start().await;
    for (query, errcode, errmsg) in [
        (&[][..], 41004, "corpsecret missing"),
        (&[("corpid", "nobody"), ("corpsecret", "")], 41004, "corpsecret missing"),
        (&[("corpsecret", "wrong")], 41002, "corpid missing"),
        (&[("corpid", "nobody"), ("corpsecret", "wrong")], 40013, "invalid corpid"),
        (&[("corpid", CORP), ("corpsecret", "wrong")], 40001, "invalid credential"),
        (&[("corpid", CORP), ("corpsecret", SECRET)], 0, "ok"),
    ] {
        let reply = wecom.gettoken(query).await;
        assert_eq!(reply["errcode"], errcode, "{query:?}");
        assert!(reply["errmsg"].as_str().unwrap().starts_with(errmsg), "{reply}");
    }
    assert_eq!(wecom.sandbox.gettoken_calls(), 6);
}

#[tokio::test]
async fn a_disabled_app_gets_no_token_and_cannot_send() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let yaml = wecom_relay::sandbox::BUILTIN_YAML
        .replace("secret: sandbox-secret-1000002", "secret: sandbox-secret-1000002, disabled: true");
    wecom.sandbox.replace_directory(Directory::from_yaml(&yaml).unwrap());
    let reply = wecom.gettoken(&[("corpid", CORP), ("corpsecret", SECRET)]).await;
    assert_eq!(reply["errcode"], 40001);
    assert_eq!(wecom.send(&token, &text("x")).await["errcode"], 50003);
}

#[tokio::test]
async fn a_new_secret_invalidates_the_tokens_of_the_old_one() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let yaml = wecom_relay::sandbox::BUILTIN_YAML.replace("sandbox-secret-1000002", "another-secret");
    wecom.sandbox.replace_directory(Directory::from_yaml(&yaml).unwrap());
    assert_eq!(wecom.send(&token, &text("x")).await["errcode"], 40014);
}

#[tokio::test]
async fn the_token_stays_the_same_until_it_expires() {
    let wecom = Wecom::start().await;
    let first = wecom.gettoken(&[("corpid", CORP), ("corpsecret", SECRET)]).await;
    assert_eq!(first["expires_in"], 7200);
    wecom.clock.advance(Duration::from_secs(7_199));
    let second = wecom.gettoken(&[("corpid", CORP), ("corpsecret", SECRET)]).await;
    assert_eq!(second["access_token"], first["access_token"]);
    assert_eq!(second["expires_in"], 1);

    let old = wecom.token().await;
    wecom.clock.advance(Duration::from_secs(1));
    assert_eq!(wecom.send(&old, &text("late")).await["errcode"], 42001);
    let new = wecom.token().await;
    assert_ne!(new, old);
    assert_eq!(wecom.send(&new, &text("in time")).await["errcode"], 0);
}

#[tokio::test]
async fn a_token_may_expire_before_its_announced_end() {
    let wecom = Wecom::with(Settings {
        token_lives: Some(Duration::from_secs(60)),
        expired_answer: Expired::With40014,
        ..Settings::default()
    })
    .await;
    let token = wecom.token().await;
    assert_eq!(wecom.send(&token, &text("x")).await["errcode"], 0);
    wecom.clock.advance(Duration::from_secs(60));
    let reply = wecom.send(&token, &text("x")).await;
    assert_eq!(reply.to_string(), r#"{"errcode":40014,"errmsg":"invalid access_token"}"#);
}

#[tokio::test]
async fn tokens_expire_on_request_with_either_errcode() {
    let wecom = Wecom::start().await;
    for (answer, errcode) in [(Expired::With42001, 42001), (Expired::With40014, 40014)] {
        let token = wecom.token().await;
        wecom.sandbox.expire_tokens(answer);
        assert_eq!(wecom.send(&token, &text("x")).await["errcode"], errcode);
        assert_ne!(wecom.token().await, token);
    }
}

#[tokio::test]
async fn each_call_may_grant_another_valid_token() {
    let wecom = Wecom::with(Settings { new_token_each_call: true, ..Settings::default() }).await;
    let (first, second) = (wecom.token().await, wecom.token().await);
    assert_ne!(first, second);
    assert_eq!(wecom.send(&first, &text("1")).await["errcode"], 0);
    assert_eq!(wecom.send(&second, &text("2")).await["errcode"], 0);
}

#[tokio::test]
async fn wrong_secrets_ban_the_address_for_an_hour() {
    let wecom = Wecom::with(Settings { wrong_secrets_to_ban: 3, ..Settings::default() }).await;
    let token = wecom.token().await;
    for _ in 0..3 {
        let reply = wecom.gettoken(&[("corpid", CORP), ("corpsecret", "wrong")]).await;
        assert_eq!(reply["errcode"], 40001);
    }
    let right = [("corpid", CORP), ("corpsecret", SECRET)];
    assert_eq!(wecom.gettoken(&right).await["errcode"], 45009);
    assert_eq!(wecom.send(&token, &text("a token in hand is still good")).await["errcode"], 0);
    wecom.clock.advance(Duration::from_secs(3_599));
    assert_eq!(wecom.gettoken(&right).await["errcode"], 45009);
    wecom.clock.advance(Duration::from_secs(1));
    assert_eq!(wecom.gettoken(&right).await["errcode"], 0);
}
