//! Rows of the outbox that cannot be read: everything else goes out.

use reqwest::Method;
use rusqlite::Connection;
use wecom_relay::{
    outbox::{OutboxQuery, State},
    sandbox::{Effect, Fault, Moment},
};

use super::{quick, seen_by, shown};
use crate::support::{
    Options, Relay, Wecom, eventually,
    members::{BY_MEMBER, member, payload_for},
};

/// SQL that damages the row of a delivery, and the reason that the dead letter then has.
const DAMAGES: &[(&str, &str)] = &[
    ("msgtype = 'fax'", "the outbox is damaged: a message type cannot be fax"),
    ("content = CAST(x'ff' AS TEXT)", "the outbox is damaged: invalid utf-8 sequence"),
    ("kind = 9", "the outbox is damaged: kind cannot be 9"),
    ("to_users = CAST(x'ff' AS TEXT)", "the outbox is damaged: invalid utf-8 sequence"),
    ("kind = 9, state = 2, claim = 1, claimed_at = 1", "the outbox is damaged: kind cannot be 9"),
    ("accepted_at = 9223372036854775807", "the outbox is damaged: a time cannot be 9223372036854775807"),
];

/// Damages rows, starts the relay again with the app under `name`, and waits until everything else is delivered.
async fn only_damaged_rows_die(name: &str) {
    let wecom = Wecom::with_members(2 * DAMAGES.len()).await;
    let options = || Options { receivers: BY_MEMBER.to_owned(), ..quick() };
    let relay = Relay::with(&wecom.url, options()).await;
    wecom.sandbox.inject(Fault::new(Effect::Drop(Moment::Before)));
    // Each member has a damaged notification, and one that waits behind it.
    for number in 0..DAMAGES.len() {
        for state in [true, false] {
            relay.post(&payload_for(&member(number), &format!("Group{number}"), &[("a", state)])).await;
        }
    }
    let accepted = relay.listed(&[]).await;
    let folder = relay.stop().await;
    let connection = Connection::open(folder.path().join("outbox.db")).unwrap();
    for (listed, (damage, _)) in accepted.iter().step_by(2).zip(DAMAGES) {
        let sql = format!("UPDATE delivery SET {damage} WHERE id = {}", listed.id);
        assert_eq!(connection.execute(&sql, []).unwrap(), 1);
    }
    drop(connection);

    wecom.sandbox.clear_faults();
    let relay =
        Relay::with(&wecom.url, Options { folder: Some(folder), name: name.to_owned(), ..options() }).await;
    for number in 0..DAMAGES.len() {
        let seen = shown(&wecom, &member(number), 1).await;
        assert!(seen[0].starts_with(&format!("[RESOLVED] Group{number} ")), "{}", seen[0]);
    }
    let dead = async || relay.listed(&[State::Dead]).await;
    let dead = eventually(dead, |dead| dead.len() == DAMAGES.len()).await;
    for (listed, (damage, reason)) in dead.iter().zip(DAMAGES) {
        assert!(listed.reason.contains(reason), "{damage}: {}", listed.reason);
        let detail = relay.outbox.show(listed.id).await.unwrap().unwrap();
        assert_eq!((&detail.listed, detail.group_key.is_empty()), (listed, false), "{damage}");
    }
    let counted = format!(
        r#"wecom_relay_deliveries_total{{receiver="wechat",state="dead",reason="damaged"}} {}"#,
        DAMAGES.len()
    );
    let metrics = async || relay.request(Method::GET, "/metrics", String::new()).await.1;
    eventually(metrics, |metrics| metrics.contains(&counted)).await;
    relay.stop().await;
    assert!((0..DAMAGES.len()).all(|number| seen_by(&wecom, &member(number)).len() == 1));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_no_other_one() {
    only_damaged_rows_die("ops").await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_no_renamed_app() {
    only_damaged_rows_die("dev").await;
}
