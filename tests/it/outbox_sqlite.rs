//! What the SQLite engine does beyond the port: its file, its neighbours and its troubles.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::Connection;
use tempfile::TempDir;
use wecom_relay::outbox::{
    Enqueued, Outbox, OutboxQuery, State, StoreError, Which,
    sqlite::{Access, OpenError, Settings, SqliteOutbox},
};

use crate::outbox_conformance::{
    conformance,
    fixture::{
        CHECK, alert, at, claim, claim_one, deliver, drain, from, kill, list, ops, owned, says, states,
        stopped, take,
    },
};

conformance!(fresh);

/// Long enough for a busy machine; a wake-up that is lost never comes.
const LONG: Duration = Duration::from_secs(5);

/// A directory in memory where there is one: waiting for a disk proves nothing here.
pub(crate) fn directory() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

pub(crate) fn settings(directory: &TempDir) -> Settings {
    let path = directory.path().join("outbox.db");
    // Few are remembered, so that most of what waits is written down.
    Settings { busy_timeout: Duration::from_millis(50), max_lanes: 2, ..Settings::new(path, 1 << 30) }
}

pub(crate) fn fresh() -> (SqliteOutbox, TempDir) {
    let directory = directory();
    (SqliteOutbox::open(settings(&directory), Access::Owner).unwrap(), directory)
}

#[tokio::test]
async fn everything_is_there_after_it_was_closed() {
    let (outbox, directory) = fresh();
    take(&outbox, alert("a", "one"), at(0)).await;
    take(&outbox, alert("b", "two"), at(0)).await;
    claim_one(&outbox, at(1)).await;
    let before = list(&outbox).await;
    let other = outbox.clone();
    outbox.close().await;
    assert_eq!(other.probe(at(1)).await, Err(StoreError::Closed));
    assert!(!directory.path().join("outbox.db-wal").exists());
    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    assert_eq!(list(&outbox).await, before);
    assert_eq!(outbox.recover(at(2)).await.unwrap(), 1);
    let mut sent = drain(&outbox, at(3)).await;
    sent.sort_unstable();
    assert_eq!(sent, ["one", "two"]);
}

#[tokio::test]
async fn what_was_said_before_a_restart_is_remembered() {
    let (outbox, directory) = fresh();
    let fires = || from("one", "a", "fires");
    take(&outbox, fires(), at(0)).await;
    take(&outbox, from("one", "a", "resolved"), at(10)).await;
    let again = take(&outbox, fires(), at(20)).await;
    assert_eq!(outbox.enqueue(from("two", "a", "resolved"), at(21)).await.map(is_copy), Ok(true));
    outbox.close().await;
    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    assert_eq!(outbox.enqueue(fires(), at(30)).await, Ok(Enqueued::Duplicate(again)));
    assert_eq!(outbox.enqueue(from("two", "a", "fires"), at(31)).await, Ok(Enqueued::Duplicate(again)));
    assert_eq!(outbox.enqueue(from("two", "a", "resolved"), at(32)).await.map(is_copy), Ok(false));
    assert_eq!(outbox.enqueue(fires(), at(150)).await.map(is_copy), Ok(false));
}

fn is_copy(enqueued: Enqueued) -> bool {
    matches!(enqueued, Enqueued::Duplicate(_))
}

#[tokio::test]
async fn a_body_that_was_sent_before_a_restart_is_known() {
    let (outbox, directory) = fresh();
    take(&outbox, alert("a", "one"), at(0)).await;
    take(&outbox, alert("b", "two"), at(0)).await;
    let claimed = claim(&outbox, 2, at(1)).await;
    let first = claimed.into_iter().find(|claimed| claimed.message.content.text() == "one").unwrap();
    deliver(&outbox, &first, at(2)).await;
    outbox.close().await;
    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    outbox.recover(at(3)).await.unwrap();
    for (group, text) in [("c", "one"), ("d", "two"), ("e", "three")] {
        take(&outbox, alert(group, text), at(4)).await;
    }
    let mut checked = claim(&outbox, 4, at(5)).await;
    checked.sort_unstable_by_key(|claimed| claimed.id);
    let checked: Vec<_> =
        checked.iter().skip(1).map(|claimed| claimed.message.duplicate_check.is_some()).collect();
    assert_eq!(checked, [false, false, true]);
}

#[tokio::test]
async fn a_second_owner_is_refused_and_a_guest_is_not() {
    let (outbox, directory) = fresh();
    let error = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap_err();
    assert!(matches!(error, OpenError::Owned { .. }), "{error}");
    assert!(error.to_string().contains("outbox.db.lock") && error.to_string().contains("`serve`"), "{error}");
    let guest = SqliteOutbox::open(settings(&directory), Access::Guest).unwrap();
    take(&outbox, alert("a", "one"), at(0)).await;
    assert_eq!(list(&guest).await.len(), 1);
    outbox.close().await;
    SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
}

#[test]
fn a_guest_makes_nothing() {
    let directory = directory();
    let error = SqliteOutbox::open(settings(&directory), Access::Guest).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn the_directory_and_the_files_are_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    let path = directory.path().join("var/lib/outbox.db");
    let outbox = SqliteOutbox::open(Settings::new(path.clone(), 1 << 30), Access::Owner).unwrap();
    take(&outbox, alert("a", "one"), at(0)).await;
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.path().join("var/lib")), 0o700);
    assert_eq!(mode(path.clone()), 0o600);
    assert_eq!(mode(path.with_extension("db-wal")), 0o600);
}

#[tokio::test]
async fn a_newer_or_a_foreign_file_is_refused() {
    let (outbox, directory) = fresh();
    outbox.close().await;
    let settings = settings(&directory);
    let conn = Connection::open(&settings.path).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    for access in [Access::Owner, Access::Guest] {
        let error = SqliteOutbox::open(settings.clone(), access).unwrap_err();
        assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    }
    conn.pragma_update(None, "application_id", 7).unwrap();
    let error = SqliteOutbox::open(settings.clone(), Access::Owner).unwrap_err();
    assert!(matches!(error, OpenError::NotAnOutbox { .. }), "{error}");
    drop(conn);
    fs::write(&settings.path, "these are not the bytes of a database, but of a text ".repeat(99)).unwrap();
    let error = SqliteOutbox::open(settings, Access::Owner).unwrap_err();
    assert!(matches!(error, OpenError::NotAnOutbox { .. }), "{error}");
}

#[tokio::test]
async fn a_full_outbox_takes_no_alert_but_goes_on_sending() {
    let directory = directory();
    let settings = Settings { max_size_bytes: 1 << 20, ..settings(&directory) };
    let outbox = SqliteOutbox::open(settings, Access::Owner).unwrap();
    let long = "x".repeat(20_000);
    let mut taken = 0;
    let full = loop {
        match outbox.enqueue(alert(&taken.to_string(), &long), at(0)).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(taken > 5, "{taken}");
    assert!(matches!(&full, StoreError::Full(text) if text.contains("outbox.max_size")), "{full}");
    assert!(matches!(outbox.probe(at(1)).await, Err(StoreError::Full(_))));
    assert_eq!(drain(&outbox, at(1)).await.len(), taken);
    assert!(outbox.enqueue(alert("a", &long), at(2)).await.is_err());
    while outbox.purge(at(1000), 5).await.unwrap() > 0 {}
    outbox.probe(at(3)).await.unwrap();
    take(&outbox, alert("a", &long), at(3)).await;
    outbox.close().await;
    let size = fs::metadata(directory.path().join("outbox.db")).unwrap().len();
    assert!(size < 400_000, "{size}");
}

#[tokio::test]
async fn a_locked_file_is_unavailable_and_recovers() {
    let (outbox, directory) = fresh();
    take(&outbox, alert("a", "one"), at(0)).await;
    let other = Connection::open(settings(&directory).path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = outbox.enqueue(alert("a", "two"), at(0)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert_eq!(list(&outbox).await.len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    take(&outbox, alert("a", "two"), at(0)).await;
}

#[tokio::test]
async fn a_deleted_file_takes_nothing_more_but_what_is_in_it_goes_out() {
    let (outbox, directory) = fresh();
    take(&outbox, alert("a", "one"), at(0)).await;
    fs::remove_file(settings(&directory).path).unwrap();
    let answer = outbox.enqueue(alert("a", "two"), at(0)).await;
    assert!(matches!(&answer, Err(StoreError::Unavailable(text)) if text.contains("deleted")), "{answer:?}");
    assert!(matches!(outbox.probe(at(1)).await, Err(StoreError::Unavailable(_))));
    assert_eq!(drain(&outbox, at(1)).await, ["one"]);
    outbox.probe(at(2)).await.unwrap();
    take(&outbox, alert("a", "three"), at(2)).await;
    outbox.close().await;
    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    assert_eq!(drain(&outbox, at(3)).await, ["three"]);
}

#[tokio::test]
async fn what_was_in_flight_in_a_file_that_takes_the_place_is_sent_again() {
    let (outbox, directory) = fresh();
    take(&outbox, alert("a", "copied"), at(0)).await;
    let claimed = claim_one(&outbox, at(1)).await;
    let (path, copy) = (settings(&directory).path, directory.path().join("copy.db"));
    Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    for name in ["outbox.db", "outbox.db-wal", "outbox.db-shm"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    fs::rename(&copy, &path).unwrap();
    deliver(&outbox, &claimed, at(2)).await;
    outbox.probe(at(3)).await.unwrap();
    assert_eq!(drain(&outbox, at(3)).await, ["copied"]);
}

#[tokio::test]
async fn a_lock_that_was_deleted_is_taken_again_and_keeps_others_out() {
    let (outbox, directory) = fresh();
    let lock = directory.path().join("outbox.db.lock");
    fs::remove_file(&lock).unwrap();
    take(&outbox, alert("a", "one"), at(0)).await;
    let second = SqliteOutbox::open(settings(&directory), Access::Owner);
    assert!(matches!(second, Err(OpenError::Owned { .. })), "{second:?}");
    // Who comes between finds no lock and owns the outbox.
    fs::remove_file(&lock).unwrap();
    let second = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    let answer = outbox.enqueue(alert("a", "two"), at(0)).await;
    assert!(
        matches!(&answer, Err(StoreError::Unavailable(text)) if text.contains("another `serve`")),
        "{answer:?}"
    );
    take(&second, alert("a", "three"), at(0)).await;
    second.close().await;
    take(&outbox, alert("a", "four"), at(0)).await;
}

#[tokio::test]
async fn a_directory_that_was_moved_away_is_not_made_again_and_what_is_in_it_has_its_owner() {
    let (outbox, directory) = fresh();
    let here = directory.path().join("here");
    fs::create_dir(&here).unwrap();
    outbox.close().await;
    let of = |folder: &Path| Settings { path: folder.join("outbox.db"), ..settings(&directory) };
    let outbox = SqliteOutbox::open(of(&here), Access::Owner).unwrap();
    take(&outbox, alert("a", "one"), at(0)).await;
    let there = directory.path().join("there");
    fs::rename(&here, &there).unwrap();
    assert!(outbox.enqueue(alert("a", "two"), at(0)).await.is_err());
    assert!(!here.exists());
    let second = SqliteOutbox::open(of(&there), Access::Owner);
    assert!(matches!(second, Err(OpenError::Owned { .. })), "{second:?}");
    fs::rename(&there, &here).unwrap();
    take(&outbox, alert("a", "two"), at(0)).await;
    assert_eq!(drain(&outbox, at(1)).await, ["one", "two"]);
}

#[tokio::test]
async fn a_file_that_comes_back_with_its_lock_is_used_again() {
    let (outbox, directory) = fresh();
    take(&outbox, alert("a", "one"), at(0)).await;
    let away = directory.path().join("away");
    fs::create_dir(&away).unwrap();
    let files = ["outbox.db", "outbox.db-wal", "outbox.db-shm", "outbox.db.lock"];
    let carry = |from: &Path, to: &Path| {
        files.iter().for_each(|file| fs::rename(from.join(file), to.join(file)).unwrap());
    };
    carry(directory.path(), &away);
    assert!(outbox.enqueue(alert("a", "two"), at(0)).await.is_err());
    carry(&away, directory.path());
    take(&outbox, alert("a", "two"), at(0)).await;
    assert_eq!(drain(&outbox, at(1)).await, ["one", "two"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_leads_to_the_same_lock() {
    let (outbox, directory) = fresh();
    let (path, link) = (settings(&directory).path, directory.path().join("link.db"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let linked = Settings { path: link, ..settings(&directory) };
    assert!(matches!(SqliteOutbox::open(linked, Access::Owner), Err(OpenError::Owned { .. })));
    outbox.close().await;
}

#[tokio::test]
async fn a_file_that_comes_back_is_used_again() {
    let (outbox, directory) = fresh();
    take(&outbox, alert("a", "one"), at(0)).await;
    let (path, away) = (settings(&directory).path, directory.path().join("away.db"));
    fs::rename(&path, &away).unwrap();
    assert!(outbox.enqueue(alert("a", "two"), at(0)).await.is_err());
    fs::rename(&away, &path).unwrap();
    take(&outbox, alert("a", "two"), at(0)).await;
    assert_eq!(drain(&outbox, at(1)).await, ["one", "two"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_not_be_written_is_said_to_be() {
    use std::os::unix::fs::PermissionsExt;
    let (outbox, directory) = fresh();
    outbox.close().await;
    let path = settings(&directory).path;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    if fs::OpenOptions::new().write(true).open(&path).is_ok() {
        // The superuser may write everything.
        return;
    }
    let error = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap_err();
    assert!(matches!(error, OpenError::Permission { .. }), "{error}");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = directory();
    fs::write(directory.path().join("file"), "").unwrap();
    let path = directory.path().join("file/sub/outbox.db");
    let error = SqliteOutbox::open(Settings::new(path, 1 << 30), Access::Owner).unwrap_err();
    assert!(matches!(error, OpenError::Directory { .. }), "{error}");
    let told = format!("{:#}", anyhow::Error::from(error));
    assert!(told.contains("file/sub") && told.matches("os error").count() == 1, "{told}");
}

#[test]
fn a_directory_in_the_place_of_the_file_is_said_to_be_one() {
    let directory = directory();
    let place = directory.path().join("outbox");
    fs::create_dir(&place).unwrap();
    let settings = Settings::new(place.clone(), 1 << 30);
    for access in [Access::Owner, Access::Guest] {
        let told = SqliteOutbox::open(settings.clone(), access).unwrap_err().to_string();
        assert!(told.contains("is a directory") && told.contains("`outbox.path`"), "{told}");
    }
    assert!(!place.with_extension("lock").exists());
}

#[tokio::test]
async fn a_damaged_file_is_said_to_be_damaged() {
    let (outbox, directory) = fresh();
    for n in 0..200 {
        take(&outbox, alert(&n.to_string(), &"x".repeat(500)), at(0)).await;
    }
    outbox.close().await;
    let path = settings(&directory).path;
    let mut bytes = fs::read(&path).unwrap();
    bytes.iter_mut().skip(4096).for_each(|byte| *byte = 0x5a);
    fs::write(&path, bytes).unwrap();
    match SqliteOutbox::open(settings(&directory), Access::Owner) {
        Err(error) => assert!(matches!(error, OpenError::NotAnOutbox { .. }), "{error}"),
        Ok(outbox) => {
            let answer = outbox.enqueue(alert("a", "one"), at(0)).await;
            assert!(matches!(answer, Err(StoreError::Damaged(_))), "{answer:?}");
        }
    }
}

/// An outbox with the dead letter "one" of group "a".
async fn with_a_dead_letter() -> (SqliteOutbox, TempDir) {
    let (outbox, directory) = fresh();
    take(&outbox, alert("a", "one"), at(0)).await;
    let claimed = claim_one(&outbox, at(0)).await;
    kill(&outbox, &claimed, at(1)).await;
    (outbox, directory)
}

/// Has another process send all dead letters again.
async fn put_back_by_another(directory: &TempDir) {
    let guest = SqliteOutbox::open(settings(directory), Access::Guest).unwrap();
    guest.retry(Which::AllDead, at(2)).await.unwrap();
}

#[tokio::test]
async fn a_change_by_another_process_is_noticed() {
    let (outbox, directory) = with_a_dead_letter().await;
    let changed = outbox.changed();
    let noticed = changed.notified();
    put_back_by_another(&directory).await;
    tokio::time::timeout(LONG, noticed).await.unwrap();
    assert_eq!(list(&outbox).await.remove(0).state, State::Ready);
}

#[tokio::test]
async fn what_another_process_put_back_is_stood_behind() {
    let (outbox, directory) = with_a_dead_letter().await;
    put_back_by_another(&directory).await;
    for (group, text) in [("a", "two"), ("b", "three")] {
        take(&outbox, alert(group, text), at(3)).await;
    }
    let expected = [("one", State::Ready), ("two", State::Queued), ("three", State::Ready)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

#[tokio::test]
async fn what_another_process_put_back_is_claimed_although_a_read_saw_it_first() {
    let (outbox, directory) = with_a_dead_letter().await;
    for (group, text) in [("b", "two"), ("c", "three")] {
        take(&outbox, alert(group, text), at(1)).await;
    }
    let mut standing = outbox.stand(&ops(), CHECK, stopped(at(7)));
    let mut claimed = async |slots| {
        standing.lend(slots);
        outbox.probe(at(2)).await.unwrap();
        let used = tokio::time::timeout(LONG, standing.used()).await.unwrap().unwrap();
        says(&used.claimed.unwrap()).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(claimed(1).await, ["two"]);
    put_back_by_another(&directory).await;
    outbox.depths().await.unwrap();
    let mut sent = [claimed(1).await, claimed(1).await].concat();
    sent.sort_unstable();
    assert_eq!(sent, ["one", "three"]);
}

#[tokio::test]
async fn what_was_written_down_of_lanes_goes_when_all_of_it_is_settled() {
    let (outbox, directory) = fresh();
    let groups = ["a", "b", "c", "d", "e", "f", "g"];
    for (group, second) in groups.into_iter().zip(0..) {
        take(&outbox, alert(group, group), at(second)).await;
    }
    let written = || -> u32 {
        let conn = Connection::open(settings(&directory).path).unwrap();
        conn.query_row("SELECT count(*) FROM spilled", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(written(), 6);
    outbox.close().await;
    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    take(&outbox, alert("a", "again"), at(9)).await;
    assert_eq!(drain(&outbox, at(10)).await, ["a", "b", "c", "d", "e", "f", "g", "again"]);
    assert_eq!(written(), 6);
    outbox.purge(at(0), 100).await.unwrap();
    assert_eq!(written(), 0);
    take(&outbox, alert("a", "later"), at(11)).await;
    assert_eq!(states(&outbox).await.pop(), owned(&[("later", State::Ready)]).pop());
}

#[tokio::test]
async fn what_was_written_down_of_lanes_goes_when_little_of_it_is_left() {
    let (outbox, directory) = fresh();
    for group in ["a", "b", "c", "d", "e", "f", "g"] {
        take(&outbox, alert(group, group), at(0)).await;
    }
    for claimed in claim(&outbox, 7, at(1)).await {
        if claimed.group_key != "a" {
            deliver(&outbox, &claimed, at(2)).await;
        }
    }
    outbox.purge(at(0), 100).await.unwrap();
    let conn = Connection::open(settings(&directory).path).unwrap();
    assert_eq!(conn.query_row("SELECT count(*) FROM spilled", [], |row| row.get(0)), Ok(0));
    take(&outbox, alert("a", "behind"), at(3)).await;
    take(&outbox, alert("b", "free"), at(3)).await;
    let ends: Vec<_> = states(&outbox).await.into_iter().rev().take(2).collect();
    assert_eq!(ends, owned(&[("free", State::Ready), ("behind", State::Queued)]));
}

#[tokio::test]
async fn own_changes_are_noticed_at_once() {
    let (outbox, _kept) = fresh();
    let changed = outbox.changed();
    let noticed = changed.notified();
    take(&outbox, alert("a", "one"), at(0)).await;
    take(&outbox, alert("a", "two"), at(0)).await;
    tokio::time::timeout(LONG, noticed).await.unwrap();
    let claimed = claim(&outbox, 1, at(1)).await;
    let noticed = changed.notified();
    deliver(&outbox, claimed.first().unwrap(), at(1)).await;
    tokio::time::timeout(LONG, noticed).await.unwrap();
}

#[tokio::test]
async fn what_was_handed_over_is_done_though_the_caller_goes_away() {
    let (outbox, _kept) = fresh();
    let put = outbox.enqueue(alert("a", "one"), at(0));
    // Polled once, then dropped. Whether the answer is there by then is of no matter.
    let _answer = futures_util::FutureExt::now_or_never(put);
    assert_eq!(list(&outbox).await.len(), 1);
}
