//! `doctor` and the Alertmanager of the buttons.

use serde_json::Value;

use super::{Alertmanager, Stage};

#[tokio::test]
async fn doctor_reads_silences_and_the_cluster() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    let request = stage.relay.client.post(format!("{}/api/v1/doctor", stage.relay.url));
    let body: Value = request.send().await.unwrap().json().await.unwrap();
    let findings = body["findings"].as_array().unwrap().iter();
    let found: Vec<_> = findings.filter(|finding| finding["subject"] == "alertmanager").collect();
    let text = |index: usize, key: &str| found[index][key].as_str().unwrap().to_owned();
    assert_eq!((text(0, "status"), text(0, "check")), ("ok".to_owned(), "api v2".to_owned()));
    let expected = format!("{} answers, and the relay may read silences", alertmanager.url());
    assert_eq!(text(0, "message"), expected);
    assert_eq!((text(1, "status"), text(1, "check")), ("ok".to_owned(), "cluster".to_owned()));
    let message = text(1, "message");
    assert!(message.starts_with("Alertmanager 0."), "{message}");
    assert!(message.ends_with(" is not part of a cluster"), "{message}");
    assert_eq!(found.len(), 2);
    assert!(alertmanager.silences().await.is_empty());
    stage.stop().await;
}
