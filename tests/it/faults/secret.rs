//! A wrong secret: WeCom bans the IP address for an hour if it is used too often.

use std::{sync::Arc, time::Duration};

use wecom_relay::{
    app::Tuning,
    sandbox::{Api, CallResponse, Settings},
};

use super::{held, second_app, shown};
use crate::support::{Options, Relay, SECRET, ShiftedClock, Wecom, payload, short_delays};

/// The number of calls with a wrong secret.
fn refused(wecom: &Wecom) -> usize {
    let calls = wecom.sandbox.calls();
    let wrong = calls
        .iter()
        .filter(|call| call.api == Api::Gettoken && call.response == CallResponse::Errcode(40001));
    wrong.count()
}

struct Site {
    wecom: Wecom,
    clock: Arc<ShiftedClock>,
    rounds: usize,
}

impl Site {
    /// A relay with a wrong secret for zhangsan's app, a correct one for lisi's, and the default delays of probes.
    fn options(&self, secret: &'static str) -> Options {
        Options {
            receivers: "  - { name: wechat, app: ops, to_user: zhangsan }\n  - { name: other, app: second, \
                        to_user: lisi }\n"
                .to_owned(),
            secret,
            app: second_app(&self.wecom),
            tuning: Tuning { probes: Tuning::default().probes, ..short_delays() },
            clock: self.clock.clone(),
            ..Options::default()
        }
    }

    /// Posts alerts for both, and returns when lisi's app has delivered. So the relay had time to use a wrong secret.
    async fn alerts(&mut self, relay: &Relay) {
        for _ in 0..5 {
            self.rounds += 1;
            let alert = payload(&format!("Group{}", self.rounds), &[("a", true)]);
            relay.post(&alert).await;
            let (status, _) = relay.request(reqwest::Method::POST, "/webhook/other", alert.to_string()).await;
            assert_eq!(status, 200);
            shown(&self.wecom, "lisi", self.rounds).await;
        }
    }
}

#[tokio::test]
async fn a_wrong_secret_is_used_once_and_a_new_one_at_once() {
    let wecom = Wecom::live(Settings::default()).await;
    let mut site = Site { wecom, clock: Arc::default(), rounds: 0 };
    let relay = Relay::with(&site.wecom.url, site.options("wrong")).await;
    site.alerts(&relay).await;
    assert_eq!(held(&relay, true).await[0].errcode, Some(40001));
    assert_eq!(refused(&site.wecom), 1);
    let mut folder = relay.stop().await;

    for _ in 0..3 {
        let options = Options { folder: Some(folder), ..site.options("wrong") };
        let relay = Relay::with(&site.wecom.url, options).await;
        site.alerts(&relay).await;
        assert_eq!(refused(&site.wecom), 1);
        folder = relay.stop().await;
    }

    site.clock.advance(Duration::from_secs(61));
    let relay = Relay::with(&site.wecom.url, Options { folder: Some(folder), ..site.options("wrong") }).await;
    site.alerts(&relay).await;
    assert_eq!(refused(&site.wecom), 2);
    let folder = relay.stop().await;

    let relay = Relay::with(&site.wecom.url, Options { folder: Some(folder), ..site.options(SECRET) }).await;
    assert_eq!(shown(&site.wecom, "zhangsan", site.rounds).await.len(), site.rounds);
    assert_eq!(refused(&site.wecom), 2);
    held(&relay, false).await;
    relay.stop().await;
}
