//! Tokens that WeCom refuses.

use wecom_relay::sandbox::{Api, Expired, Fault};

use super::{all_delivered, shown};
use crate::support::{Relay, Wecom, payload};

#[derive(Debug)]
enum Refused {
    Expired(Expired),
    Once(i64),
}

/// The delays are the defaults, so a fast delivery shows that there was no delay.
#[tokio::test]
async fn a_refused_token_is_renewed_within_the_first_attempt() {
    for refused in [
        Refused::Expired(Expired::With42001),
        Refused::Expired(Expired::With40014),
        Refused::Once(41001),
        Refused::Once(40001),
    ] {
        let wecom = Wecom::live(wecom_relay::sandbox::Settings::default()).await;
        let relay = Relay::start(&wecom.url).await;
        relay.post(&payload("First", &[("a", true)])).await;
        shown(&wecom, "zhangsan", 1).await;
        match refused {
            Refused::Expired(answer) => wecom.sandbox.expire_tokens(answer),
            Refused::Once(errcode) => {
                wecom.sandbox.inject(Fault::errcode(errcode).on(Api::MessageSend).times(1));
            }
        }
        relay.post(&payload("Second", &[("a", true)])).await;
        let seen = shown(&wecom, "zhangsan", 2).await;
        assert!(seen[1].starts_with("[FIRING:1] Second "), "{refused:?}: {}", seen[1]);
        all_delivered(&relay, 2).await;
        let second = relay.listed(&[]).await[1].id;
        assert_eq!(relay.shown(second.0).await.attempts.len(), 1, "{refused:?}");
        assert_eq!(wecom.sandbox.gettoken_calls(), 2, "{refused:?}");
        assert_eq!(wecom.sandbox.send_calls(), 3, "{refused:?}");
        relay.stop().await;
        assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 2);
    }
}

#[tokio::test]
async fn a_token_that_is_refused_after_its_renewal_holds_the_app() {
    let wecom = Wecom::live(wecom_relay::sandbox::Settings::default()).await;
    let relay = Relay::with(&wecom.url, super::quick()).await;
    wecom.sandbox.inject(Fault::errcode(42001).on(Api::MessageSend).times(4));
    relay.post(&payload("Down", &[("a", true)])).await;
    assert_eq!(super::held(&relay, true).await[0].errcode, Some(42001));
    assert_eq!(shown(&wecom, "zhangsan", 1).await.len(), 1);
    // The first attempt renews the token. Three probes use the renewed token, and the last one is accepted.
    assert_eq!((wecom.sandbox.gettoken_calls(), wecom.sandbox.send_calls()), (2, 5));
    super::held(&relay, false).await;
    relay.stop().await;
}
