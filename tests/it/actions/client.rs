//! The client of Alertmanager's API, against a real Alertmanager.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use wecom_relay::{
    alertmanager::{
        Matchers, NewSilence, Silences, SilencesErrorKind,
        client::{AlertmanagerClient, AlertmanagerSettings, AlertmanagerUrl, Credentials},
    },
    secret::Secret,
    tls::ExtraRoots,
};

use super::{Alertmanager, now};

pub(super) fn client(url: &str, credentials: Credentials) -> AlertmanagerClient {
    let settings = AlertmanagerSettings {
        url: AlertmanagerUrl::parse(url).unwrap(),
        credentials,
        extra_roots: ExtraRoots::default(),
        timeout: Duration::from_secs(30),
    };
    AlertmanagerClient::new(settings).unwrap()
}

fn matchers(pairs: &[(&str, &str)]) -> Matchers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn silence(matchers: &Matchers, comment: &str) -> NewSilence {
    NewSilence {
        matchers: matchers.clone(),
        starts_at: now(),
        ends_at: Timestamp::from_second(now().as_second() + 3600).unwrap(),
        created_by: "zhangsan".to_owned(),
        comment: comment.to_owned(),
    }
}

#[tokio::test]
async fn a_silence_is_found_by_its_marker_and_matchers() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let client = client(alertmanager.url(), Credentials::None);
    let odd = matchers(&[("alertname", "a\"b\\c\n磁盘 {x=~\".*\"},"), ("empty", "")]);
    assert_eq!(client.find(&odd, "[press 1]").await, Ok(None));
    let id = client.create(&silence(&odd, "text [press 1]")).await.unwrap();
    let found = client.find(&odd, "[press 1]").await.unwrap().unwrap();
    assert_eq!(found.id, id);
    assert!(found.ends_at > now());
    assert_eq!(client.find(&odd, "[press 2]").await, Ok(None));
    assert_eq!(client.is_in_force(&odd, &id).await, Ok(true));
    assert_eq!(client.is_in_force(&odd, "another").await, Ok(false));
    assert_eq!(client.find(&matchers(&[("alertname", "other")]), "[press 1]").await, Ok(None));
    assert_eq!(alertmanager.silence().await["createdBy"], "zhangsan");
    alertmanager.expire(&id).await;
    assert_eq!(client.is_in_force(&odd, &id).await, Ok(false));
    assert_eq!(client.find(&odd, "[press 1]").await, Ok(None));
}

#[tokio::test]
async fn alerts_are_found_by_their_labels_until_they_resolve() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let client = client(alertmanager.url(), Credentials::None);
    let labels = matchers(&[("alertname", "Down")]);
    assert_eq!(client.has_alerts(&labels).await, Ok(false));
    alertmanager.alert("Down", true).await;
    assert_eq!(client.has_alerts(&labels).await, Ok(true));
    client.create(&silence(&labels, "x")).await.unwrap();
    assert_eq!(client.has_alerts(&labels).await, Ok(true));
    assert_eq!(client.has_alerts(&matchers(&[("alertname", "Up")])).await, Ok(false));
    alertmanager.alert("Down", false).await;
    assert_eq!(client.has_alerts(&labels).await, Ok(false));
    let started_at = client.started_at().await.unwrap().unwrap();
    assert!(started_at <= now());
}

#[tokio::test]
async fn a_silence_that_alertmanager_refuses_is_surely_not_created() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let client = client(alertmanager.url(), Credentials::None);
    let matchers = matchers(&[("alertname", "Down")]);
    let past = NewSilence { ends_at: Timestamp::UNIX_EPOCH, ..silence(&matchers, "x") };
    let error = client.create(&past).await.unwrap_err();
    assert_eq!(error.kind, SilencesErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("Alertmanager refuses the silence (HTTP 400): "), "{error}");
    assert_eq!(client.find(&BTreeMap::new(), "x").await, Ok(None));
}

#[tokio::test]
async fn an_alertmanager_that_is_away_has_surely_created_nothing() {
    let credentials = Credentials::Bearer(Secret::new("not-a-real-token"));
    let client = client("http://127.0.0.1:9", credentials);
    let matchers = matchers(&[("alertname", "Down")]);
    let error = client.create(&silence(&matchers, "x")).await.unwrap_err();
    assert_eq!(error.kind, SilencesErrorKind::NotDone);
    assert!(error.to_string().starts_with("http://127.0.0.1:9: Alertmanager cannot be reached: "), "{error}");
}
