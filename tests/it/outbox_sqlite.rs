//! The SQLite engine beyond the port: its file, other processes, and faults.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::Connection;
use tempfile::TempDir;
use wecom_relay::outbox::{
    ConfiguredSender, DeliveryId, Enqueued, Filter, Lease, ListOrder, Listed, OrderingKey, Outbox,
    OutboxQuery, PageRequest, Part, Requeue, SenderName, State, StoreError, Verdict,
    sqlite::{Access, OpenError, Settings, SqliteLease, SqliteOutbox},
};

use crate::outbox_conformance::{
    conformance,
    fixture::{
        acquire, alert, at, claim, claim_one, deliver, destination, drain, enqueue, kill, list, list_all,
        ops, owned, settle, state, states, team, texts, undo, user,
    },
};
use crate::support::{eventually, redacted};

conformance!(fresh);

/// The time limit for a wake-up. It is long enough for a busy machine.
const LONG: Duration = Duration::from_secs(5);

/// A directory in memory where the system has one, because the disk is not tested.
pub(crate) fn directory() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

pub(crate) fn settings(directory: &TempDir) -> Settings {
    let path = directory.path().join("outbox.db");
    Settings { busy_timeout: Duration::from_millis(500), ..Settings::new(path, 1 << 30) }
}

pub(crate) fn fresh() -> (SqliteOutbox, TempDir) {
    let directory = directory();
    (SqliteOutbox::open(settings(&directory), Access::Owner).unwrap(), directory)
}

#[tokio::test]
async fn everything_is_there_after_the_outbox_was_closed() {
    let (outbox, directory) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    enqueue(&outbox, alert("b", "two"), at(0)).await;
    claim_one(&lease, at(1)).await;
    let before = list(&outbox).await;
    let other = outbox.clone();
    outbox.close().await;
    assert_eq!(other.probe(at(1)).await, Err(StoreError::Closed));
    assert_eq!(lease.scheduled().await, Err(StoreError::Closed));
    // A copy of the one file is complete.
    fs::remove_file(directory.path().join("outbox.db-wal")).unwrap();
    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    assert_eq!(list(&outbox).await, before);
    let lease = acquire(&outbox, at(2)).await;
    assert_eq!(lease.recovered(), 1);
    let mut sent = drain(&lease, at(3)).await;
    sent.sort_unstable();
    assert_eq!(sent, ["one", "two"]);
}

#[tokio::test]
async fn deduplication_remembers_beyond_a_restart() {
    let (outbox, directory) = fresh();
    let fires = || state("a", "fires");
    enqueue(&outbox, state("a", "resolved"), at(10)).await;
    let again = enqueue(&outbox, fires(), at(20)).await;
    outbox.close().await;
    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    assert_eq!(outbox.enqueue(fires(), at(30)).await, Ok(Enqueued::Duplicate(again)));
    assert_eq!(outbox.enqueue(state("a", "resolved"), at(32)).await.map(is_duplicate), Ok(false));
    assert_eq!(outbox.enqueue(fires(), at(33)).await.map(is_duplicate), Ok(false));
}

fn is_duplicate(enqueued: Enqueued) -> bool {
    matches!(enqueued, Enqueued::Duplicate(_))
}

#[tokio::test]
async fn a_second_owner_is_refused_and_a_guest_is_not() {
    let (outbox, directory) = fresh();
    let error = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap_err();
    assert!(matches!(error, OpenError::Owned { .. }), "{error}");
    insta::assert_snapshot!(redacted(&error.to_string()), @"another `serve` uses this outbox: it holds FOLDER/outbox.db.lock; stop it, or set another `outbox.path`");
    let guest = SqliteOutbox::open(settings(&directory), Access::Guest).unwrap();
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    assert_eq!(list(&guest).await.len(), 1);
    outbox.close().await;
    SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
}

#[test]
fn a_guest_creates_nothing() {
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
    enqueue(&outbox, alert("a", "one"), at(0)).await;
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
async fn a_full_outbox_accepts_no_alert_but_delivers() {
    let directory = directory();
    let settings = Settings { max_size_bytes: 1 << 20, ..settings(&directory) };
    let outbox = SqliteOutbox::open(settings, Access::Owner).unwrap();
    let long = "x".repeat(20_000);
    let mut accepted = 0;
    let full = loop {
        match outbox.enqueue(alert(&accepted.to_string(), &long), at(0)).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(accepted > 5, "{accepted}");
    assert!(matches!(full, StoreError::Full(_)), "{full}");
    insta::assert_snapshot!(full, @"the outbox is full: it holds 1.0 MiB, and `outbox.max_size` is 1.0 MiB; find out why its deliveries wait (`wecom-relay outbox list`), or set a larger `outbox.max_size`");
    assert!(matches!(outbox.probe(at(1)).await, Err(StoreError::Full(_))));
    let lease = acquire(&outbox, at(1)).await;
    assert_eq!(drain(&lease, at(1)).await.len(), accepted);
    outbox.probe(at(3)).await.unwrap();
    enqueue(&outbox, alert("a", &long), at(3)).await;
    while outbox.purge(at(1000), 5).await.unwrap() > 0 {}
    outbox.close().await;
    let size = fs::metadata(directory.path().join("outbox.db")).unwrap().len();
    assert!(size < 500_000, "{size}");
}

#[tokio::test]
async fn delivered_history_makes_room_for_new_alerts() {
    let directory = directory();
    let small = Settings { max_size_bytes: 1 << 20, ..settings(&directory) };
    let outbox = SqliteOutbox::open(small.clone(), Access::Owner).unwrap();
    let named =
        |name: SenderName| vec![ConfiguredSender { name, identity: "A".to_owned(), aliases: Vec::new() }];
    outbox.adopt(named(ops()), at(0)).await.unwrap();
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("dead", "a dead letter"), at(0)).await;
    let claimed = claim_one(&lease, at(0)).await;
    settle(&lease, &claimed, Verdict::Dead("refused".to_owned()), at(0)).await;
    let long = "x".repeat(20_000);
    for number in 0..200 {
        enqueue(&outbox, alert(&number.to_string(), &long), at(number)).await;
        let claimed = claim_one(&lease, at(number)).await;
        deliver(&lease, &claimed, at(number)).await;
    }
    let size = outbox.size().await.unwrap();
    assert!(size.bytes < size.max_bytes, "{size:?}");
    assert!(list(&outbox).await.len() < 60);
    let is_dead = |listed: &Listed| listed.state == State::Dead;
    assert!(list(&outbox).await.iter().any(is_dead), "dead letters are purged last");
    // The attempts of the last two hours still count against rate limits, also after a restart under another name.
    outbox.close().await;
    let outbox = SqliteOutbox::open(small, Access::Owner).unwrap();
    let renamed = SenderName("renamed".to_owned());
    outbox.adopt(named(renamed.clone()), at(201)).await.unwrap();
    let lease = outbox.acquire(&renamed, at(201)).await.unwrap();
    assert_eq!(lease.sent_since(at(-1)).await.unwrap().len(), 201);
}

#[tokio::test]
async fn a_long_group_key_is_stored_as_far_as_it_is_shown() {
    let (outbox, _directory) = fresh();
    let before = outbox.size().await.unwrap().bytes;
    let key = |end: &str| format!("{}{end}", "k".repeat(1 << 20));
    enqueue(&outbox, alert(&key("a"), "one"), at(0)).await;
    enqueue(&outbox, alert(&key("b"), "two"), at(0)).await;
    let grown = outbox.size().await.unwrap().bytes - before;
    assert!(grown < 3 << 20, "{grown}");
    // The whole key decides about the order.
    let lease = acquire(&outbox, at(1)).await;
    assert_eq!(claim(&lease, 10, at(1)).await.len(), 2);
}

#[tokio::test]
async fn a_locked_file_is_unavailable_until_it_is_unlocked() {
    let (outbox, directory) = fresh();
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    let other = Connection::open(settings(&directory).path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = outbox.enqueue(alert("a", "two"), at(0)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert_eq!(list(&outbox).await.len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    // A job that waits while the lock is reported is refused, too.
    let accepted = async || outbox.enqueue(alert("a", "two"), at(0)).await;
    eventually(accepted, Result::is_ok).await.unwrap();
}

#[tokio::test]
async fn a_deleted_file_accepts_nothing_but_is_delivered() {
    let (outbox, directory) = fresh();
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    fs::remove_file(settings(&directory).path).unwrap();
    let error = outbox.enqueue(alert("a", "two"), at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    insta::assert_snapshot!(redacted(&error.to_string()), @"the outbox cannot be written or read: its file was deleted or replaced; deliveries that are left in it are sent first");
    assert!(matches!(outbox.probe(at(1)).await, Err(StoreError::Unavailable(_))));
    let lease = acquire(&outbox, at(1)).await;
    assert_eq!(drain(&lease, at(1)).await, ["one"]);
    outbox.probe(at(2)).await.unwrap();
    enqueue(&outbox, alert("a", "three"), at(2)).await;
    outbox.close().await;
    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    let lease = acquire(&outbox, at(3)).await;
    assert_eq!(drain(&lease, at(3)).await, ["three"]);
}

#[tokio::test]
async fn deliveries_in_flight_in_a_replaced_file_are_sent_again() {
    let (outbox, directory) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "copied"), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    let (path, copy) = (settings(&directory).path, directory.path().join("copy.db"));
    Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    for name in ["outbox.db", "outbox.db-wal", "outbox.db-shm"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    fs::rename(&copy, &path).unwrap();
    deliver(&lease, &claimed, at(2)).await;
    outbox.probe(at(3)).await.unwrap();
    assert_eq!(drain(&lease, at(3)).await, ["copied"]);
}

#[tokio::test]
async fn a_replaced_file_is_recovered_even_after_a_failure() {
    let (outbox, directory) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "copied"), at(0)).await;
    let claimed = claim_one(&lease, at(1)).await;
    let (path, copy) = (settings(&directory).path, directory.path().join("copy.db"));
    Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    deliver(&lease, &claimed, at(2)).await;
    let fails = "CREATE TRIGGER fail BEFORE UPDATE ON delivery BEGIN SELECT RAISE(ABORT, 'fails'); END";
    Connection::open(&copy).unwrap().execute_batch(fails).unwrap();
    for name in ["outbox.db", "outbox.db-wal", "outbox.db-shm"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    fs::rename(&copy, &path).unwrap();
    assert!(outbox.probe(at(3)).await.is_err());
    Connection::open(&path).unwrap().execute_batch("DROP TRIGGER fail").unwrap();
    outbox.probe(at(4)).await.unwrap();
    assert_eq!(drain(&lease, at(4)).await, ["copied"]);
}

#[tokio::test]
async fn a_deleted_lock_is_created_again_and_keeps_others_out() {
    let (outbox, directory) = fresh();
    let lock = directory.path().join("outbox.db.lock");
    fs::remove_file(&lock).unwrap();
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    let second = SqliteOutbox::open(settings(&directory), Access::Owner);
    assert!(matches!(second, Err(OpenError::Owned { .. })), "{second:?}");
    // A process that starts in between finds no lock and owns the outbox.
    fs::remove_file(&lock).unwrap();
    let second = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    let error = outbox.enqueue(alert("a", "two"), at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    insta::assert_snapshot!(redacted(&error.to_string()), @"the outbox cannot be written or read: another `serve` uses this outbox: it holds FOLDER/outbox.db.lock; stop it, or set another `outbox.path`");
    enqueue(&second, alert("a", "three"), at(0)).await;
    second.close().await;
    enqueue(&outbox, alert("a", "four"), at(0)).await;
}

#[tokio::test]
async fn a_moved_directory_is_not_created_again_and_stays_owned() {
    let (outbox, directory) = fresh();
    let here = directory.path().join("here");
    fs::create_dir(&here).unwrap();
    outbox.close().await;
    let settings_in = |folder: &Path| Settings { path: folder.join("outbox.db"), ..settings(&directory) };
    let outbox = SqliteOutbox::open(settings_in(&here), Access::Owner).unwrap();
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    let there = directory.path().join("there");
    fs::rename(&here, &there).unwrap();
    assert!(outbox.enqueue(alert("a", "two"), at(0)).await.is_err());
    assert!(!here.exists());
    let second = SqliteOutbox::open(settings_in(&there), Access::Owner);
    assert!(matches!(second, Err(OpenError::Owned { .. })), "{second:?}");
    fs::rename(&there, &here).unwrap();
    enqueue(&outbox, alert("a", "two"), at(0)).await;
    let lease = acquire(&outbox, at(1)).await;
    assert_eq!(drain(&lease, at(1)).await, ["one", "two"]);
}

#[tokio::test]
async fn a_file_that_returns_with_its_lock_is_used_again() {
    let (outbox, directory) = fresh();
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    let away = directory.path().join("away");
    fs::create_dir(&away).unwrap();
    let files = ["outbox.db", "outbox.db-wal", "outbox.db-shm", "outbox.db.lock"];
    let carry = |from: &Path, to: &Path| {
        files.iter().for_each(|file| fs::rename(from.join(file), to.join(file)).unwrap());
    };
    carry(directory.path(), &away);
    assert!(outbox.enqueue(alert("a", "two"), at(0)).await.is_err());
    carry(&away, directory.path());
    enqueue(&outbox, alert("a", "two"), at(0)).await;
    let lease = acquire(&outbox, at(1)).await;
    assert_eq!(drain(&lease, at(1)).await, ["one", "two"]);
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
async fn a_file_that_returns_is_used_again() {
    let (outbox, directory) = fresh();
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    let (path, away) = (settings(&directory).path, directory.path().join("away.db"));
    fs::rename(&path, &away).unwrap();
    assert!(outbox.enqueue(alert("a", "two"), at(0)).await.is_err());
    fs::rename(&away, &path).unwrap();
    enqueue(&outbox, alert("a", "two"), at(0)).await;
    let lease = acquire(&outbox, at(1)).await;
    assert_eq!(drain(&lease, at(1)).await, ["one", "two"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_without_write_permission_is_reported() {
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
fn a_directory_that_cannot_be_created_is_named() {
    let directory = directory();
    fs::write(directory.path().join("file"), "").unwrap();
    let path = directory.path().join("file/sub/outbox.db");
    let error = SqliteOutbox::open(Settings::new(path, 1 << 30), Access::Owner).unwrap_err();
    assert!(matches!(error, OpenError::Directory { .. }), "{error}");
    let text = format!("{:#}", anyhow::Error::from(error));
    insta::assert_snapshot!(redacted(&text), @"cannot create the directory FOLDER/file/sub of the outbox: Not a directory (os error 20); create it for this user, or set `outbox.path`");
}

#[test]
fn a_directory_in_place_of_the_file_is_reported() {
    let directory = directory();
    let place = directory.path().join("outbox");
    fs::create_dir(&place).unwrap();
    let settings = Settings::new(place.clone(), 1 << 30);
    let refused = |access| SqliteOutbox::open(settings.clone(), access).unwrap_err().to_string();
    assert_eq!(refused(Access::Owner), refused(Access::Guest));
    insta::assert_snapshot!(redacted(&refused(Access::Owner)), @"FOLDER/outbox is a directory; add the name of a file to `outbox.path`, such as FOLDER/outbox/outbox.db");
    assert!(!place.with_extension("lock").exists());
}

#[tokio::test]
async fn a_damaged_file_is_reported_as_damaged() {
    let (outbox, directory) = fresh();
    for n in 0..200 {
        enqueue(&outbox, alert(&n.to_string(), &"x".repeat(500)), at(0)).await;
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

/// An outbox with the dead letter "one" of group "a", and the lease of its sender.
async fn with_a_dead_letter() -> (SqliteOutbox, SqliteLease, TempDir) {
    let (outbox, directory) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    let claimed = claim_one(&lease, at(0)).await;
    kill(&lease, &claimed, at(1)).await;
    (outbox, lease, directory)
}

/// Lets another process requeue all dead letters.
async fn requeue_by_guest(directory: &TempDir) {
    let guest = SqliteOutbox::open(settings(directory), Access::Guest).unwrap();
    guest.requeue(Requeue::AllDead, at(2)).await.unwrap();
}

/// Returns when any change of another process was reported.
async fn everything_changed(lease: &SqliteLease) {
    tokio::time::timeout(LONG, async {
        while !lease.changes().take().everything {
            lease.changes().notified().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_change_by_another_process_is_reported() {
    let (outbox, lease, directory) = with_a_dead_letter().await;
    lease.changes().take();
    requeue_by_guest(&directory).await;
    everything_changed(&lease).await;
    assert_eq!(list(&outbox).await.remove(0).state, State::Ready);
    assert_eq!(texts(&claim(&lease, 1, at(3)).await), ["one"]);
}

#[tokio::test]
async fn a_change_by_another_process_is_reported_after_a_read() {
    let (outbox, lease, directory) = with_a_dead_letter().await;
    lease.changes().take();
    requeue_by_guest(&directory).await;
    outbox.holds().await.unwrap();
    outbox.depths().await.unwrap();
    everything_changed(&lease).await;
    assert_eq!(texts(&claim(&lease, 1, at(3)).await), ["one"]);
}

#[tokio::test]
async fn an_own_change_wakes_the_lease() {
    let (outbox, _kept) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    let woken = async || tokio::time::timeout(LONG, lease.changes().notified()).await.unwrap();
    lease.changes().take();
    enqueue(&outbox, alert("a", "one"), at(0)).await;
    enqueue(&outbox, alert("a", "two"), at(0)).await;
    woken().await;
    assert_eq!(lease.changes().take().destinations.len(), 1);
    let claimed = claim_one(&lease, at(1)).await;
    deliver(&lease, &claimed, at(1)).await;
    woken().await;
    assert_eq!(lease.changes().take().destinations.len(), 1);
}

#[tokio::test]
async fn a_query_sees_every_finished_call() {
    let (outbox, _kept) = fresh();
    let lease = acquire(&outbox, at(0)).await;
    for n in 0..50 {
        let text = n.to_string();
        enqueue(&outbox, alert(&text, &text), at(n)).await;
        assert_eq!(states(&outbox).await.pop(), Some((text.clone(), State::Ready)));
        assert_eq!(lease.scheduled().await.unwrap().len(), 1);
        let claimed = claim_one(&lease, at(n)).await;
        assert_eq!(states(&outbox).await.pop(), Some((text.clone(), State::InFlight)));
        deliver(&lease, &claimed, at(n)).await;
        assert_eq!(states(&outbox).await.pop(), Some((text, State::Delivered)));
        assert_eq!(lease.sent_since(at(-1)).await.unwrap().len() as i64, n + 1);
    }
}

#[tokio::test]
async fn a_page_looks_at_a_bounded_number_of_rows() {
    let (outbox, directory) = fresh();
    let first = enqueue(&outbox, alert("first", "first"), at(0)).await;
    outbox.close().await;
    // One row for each of 50,000 deliveries that are settled, and one that is ready at each end.
    let path = settings(&directory).path;
    let conn = Connection::open(&path).unwrap();
    let columns: Vec<String> = conn
        .prepare(
            "SELECT name FROM pragma_table_info('delivery') WHERE name NOT IN ('id', 'state', 'settled_at')",
        )
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let columns = columns.join(", ");
    conn.execute_batch(&format!(
        "WITH RECURSIVE number (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number WHERE n < 50000)
         INSERT INTO delivery (id, state, settled_at, {columns})
         SELECT 1000 + n, 4, 1, {columns} FROM number, delivery WHERE id = {first};
         UPDATE numbers SET last = 100000",
    ))
    .unwrap();
    drop(conn);
    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    let last = enqueue(&outbox, alert("last", "last"), at(1)).await;
    let filter = Filter { states: vec![State::Ready], ..Filter::default() };
    for (order, near, far) in [(ListOrder::OldestFirst, first, last), (ListOrder::NewestFirst, last, first)] {
        let page = outbox.list(filter.clone(), PageRequest { order, after: None, limit: 10 }).await.unwrap();
        assert_eq!(page.deliveries.iter().map(|listed| listed.notification).collect::<Vec<_>>(), [near]);
        assert!(page.next.is_some(), "the call has looked at all rows");
        let all = list_all(&outbox, filter.clone(), order, 10).await;
        assert_eq!(all.iter().map(|listed| listed.notification).collect::<Vec<_>>(), [near, far]);
    }
}

#[tokio::test]
async fn deliveries_wait_behind_those_that_a_guest_requeued() {
    let (outbox, _lease, directory) = with_a_dead_letter().await;
    requeue_by_guest(&directory).await;
    for (group, text) in [("a", "two"), ("b", "three")] {
        enqueue(&outbox, alert(group, text), at(3)).await;
    }
    let expected = [("one", State::Ready), ("two", State::Queued), ("three", State::Ready)];
    assert_eq!(states(&outbox).await, owned(&expected));
}

#[tokio::test]
async fn a_call_is_completed_after_its_caller_was_dropped() {
    let (outbox, _kept) = fresh();
    let call = outbox.enqueue(alert("a", "one"), at(0));
    // The call is polled once and then dropped. It may have been answered by then.
    let _answer = futures_util::FutureExt::now_or_never(call);
    // A later write is done after it.
    outbox.probe(at(1)).await.unwrap();
    assert_eq!(list(&outbox).await.len(), 1);
}

/// The first version of the schema.
const VERSION_1: &str = include_str!("../../src/outbox/sqlite/migrations/0001_outbox.sql");

/// One old delivery with its notification and its message. The first schema calls an ordering key a lane.
struct Old {
    id: i64,
    notification: i64,
    receiver: &'static str,
    kind: i64,
    lane: i64,
    place: i64,
    state: i64,
    part: (i64, i64),
    digest: Option<i64>,
    text: &'static str,
}

const QUEUED: i64 = 0;
const READY: i64 = 1;
const IN_FLIGHT: i64 = 2;
const FOLDED: i64 = 3;
const DELIVERED: i64 = 4;
const DEAD: i64 = 5;
const DISCARDED: i64 = 6;

/// Stores deliveries as version 1 of the schema did. Each settled one has ended after 5 s, each claimed one was claimed
/// after 2 s, and each one that was attempted has two attempts, which started after 1 s and 3 s.
fn write_version_1(path: &Path, deliveries: &[Old]) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").unwrap();
    conn.execute_batch(VERSION_1).unwrap();
    conn.pragma_update(None, "application_id", 0x5763_526c).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    let ms = |second: i64| at(second).as_millisecond();
    for old in deliveries {
        let Old { id, notification, receiver, kind, lane, place, state, part, digest, text } = old;
        let is_settled = matches!(*state, DELIVERED | DEAD | DISCARDED);
        let is_attempted = *state == DELIVERED || text.contains("attempted");
        let is_claimed = is_attempted || *state == IN_FLIGHT;
        let group = text.split(' ').next().unwrap();
        let destination = destination("zhang");
        let open = deliveries.iter().filter(|other| other.notification == *notification);
        let open = open.filter(|other| !matches!(other.state, DELIVERED | DEAD | DISCARDED)).count();
        conn.execute(
            "INSERT OR IGNORE INTO notification VALUES (?1, ?2, ?3, 'ops', ?4, 0, 'critical', ?5, ?6, ?7, 'zhang', '',
             '', ?8, '[]', 'plain')",
            (notification, kind, receiver, group, ms(0), open as i64, (open == 0).then_some(ms(5)), text),
        )
        .unwrap();
        let is_fresh = *kind == 0 && !is_claimed && !is_settled;
        conn.execute(
            "INSERT INTO delivery VALUES (:id, :notification, 'ops', :receiver, :lane, :destination, :part, :of, :at,
             :place, :state, :fresh, :at, :claimed, :attempts, 0, :doubt, :check, :body, :digest, :settled, 0, :reason,
             :msgid, '', '')",
            rusqlite::named_params! {
                ":id": id, ":notification": notification, ":receiver": receiver, ":lane": lane,
                ":destination": destination.0.0, ":part": part.0, ":of": part.1, ":at": ms(0), ":place": place,
                ":state": state, ":fresh": is_fresh, ":claimed": is_claimed.then_some(ms(2)),
                ":attempts": if is_attempted { 2 } else { 0 }, ":doubt": is_attempted.then_some(ms(1)),
                ":check": is_claimed.then_some(120_000), ":body": is_claimed.then_some(*id),
                ":digest": digest, ":settled": is_settled.then_some(ms(5)),
                ":reason": if *state == DEAD { "rejected" } else { "" },
                ":msgid": if *state == DELIVERED { "m1" } else { "" },
            },
        )
        .unwrap();
        conn.execute("INSERT INTO message VALUES (?1, 'zhang', '', '', 'text', ?2)", (id, text)).unwrap();
        for (n, second) in [(1, 1), (2, 3)].into_iter().filter(|_| is_attempted) {
            conn.execute(
                "INSERT INTO attempt VALUES (?1, ?2, 'ops', ?3, 250, ?4, -1, 1, ?5)",
                (id, n, ms(second), ms(second) + 250, format!("attempt {n}")),
            )
            .unwrap();
        }
    }
    let last = deliveries.iter().map(|old| old.id.max(old.place)).max().unwrap();
    conn.execute("UPDATE counter SET notification = ?1, delivery = ?1", [last]).unwrap();
    conn.execute("INSERT INTO waiting VALUES ('ops', 'team', 7, 3)", []).unwrap();
    conn.execute("INSERT INTO hold VALUES ('ops', ?1, 'fix it', 40001, 2, ?2, 'print')", [ms(0), ms(60)])
        .unwrap();
    conn.execute("INSERT INTO hold_told VALUES ('ops', 'team')", []).unwrap();
}

fn lane(group: &str) -> i64 {
    OrderingKey::of(&ops(), &team(), group).0.short()
}

#[tokio::test]
async fn an_outbox_of_the_first_schema_is_migrated() {
    let directory = directory();
    let old = |id, notification, group: &str, state, text| Old {
        id,
        notification,
        receiver: "team",
        kind: 0,
        lane: lane(group),
        place: id,
        state,
        part: (1, 1),
        digest: None,
        text,
    };
    let mut deliveries = vec![
        old(1, 1, "a", DELIVERED, "a delivered"),
        old(2, 2, "a", DEAD, "a dead attempted"),
        old(3, 3, "a", READY, "a ready attempted"),
        old(4, 4, "a", QUEUED, "a queued"),
        Old { part: (1, 2), ..old(5, 5, "b", DELIVERED, "b split 1/2") },
        Old { part: (2, 2), ..old(6, 5, "b", IN_FLIGHT, "b split 2/2") },
        Old { part: (1, 2), ..old(7, 6, "b", QUEUED, "b later 1/2") },
        Old { part: (2, 2), ..old(8, 6, "b", QUEUED, "b later 2/2") },
        Old { digest: Some(12), ..old(9, 7, "c", FOLDED, "c member") },
        Old { digest: Some(12), ..old(10, 8, "d", FOLDED, "d member") },
        old(11, 9, "c", QUEUED, "c later"),
        Old { kind: 1, lane: 77, ..old(12, 10, "digest", READY, "digest attempted") },
        old(13, 11, "e", DISCARDED, "e discarded"),
        // It was requeued, so its place is behind the other one.
        Old { place: 16, ..old(14, 12, "f", QUEUED, "f requeued") },
        old(15, 13, "f", READY, "f first"),
    ];
    deliveries.sort_unstable_by_key(|old| old.id);
    let path = settings(&directory).path;
    write_version_1(&path, &deliveries);
    let guest = SqliteOutbox::open(settings(&directory), Access::Guest).unwrap_err();
    assert!(matches!(guest, OpenError::Older { found: 1, .. }), "{guest}");
    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();

    let stored = [
        ("a delivered", State::Delivered),
        ("a dead attempted", State::Dead),
        ("a ready attempted", State::Ready),
        ("a queued", State::Queued),
        ("b split 1/2", State::Delivered),
        ("b split 1/2", State::InFlight),
        ("b later 1/2", State::Queued),
        ("b later 1/2", State::Queued),
        ("c member", State::Folded),
        ("d member", State::Folded),
        ("c later", State::Queued),
        ("digest attempted", State::Ready),
        ("e discarded", State::Discarded),
        ("f requeued", State::Queued),
        ("f first", State::Ready),
    ];
    assert_eq!(states(&outbox).await, owned(&stored));
    let shown = outbox.show(DeliveryId(3)).await.unwrap().unwrap();
    assert_eq!((shown.listed.attempts, shown.unconfirmed_since), (2, Some(at(1))));
    let attempts: Vec<_> = shown.attempts.iter().map(|one| (one.started_at, one.detail.as_str())).collect();
    assert_eq!(attempts, [(at(1), "attempt 1"), (at(3), "attempt 2")]);
    let dead = outbox.show(DeliveryId(2)).await.unwrap().unwrap();
    assert_eq!((dead.listed.reason.as_str(), dead.listed.settled_at), ("rejected", Some(at(5))));
    let split = outbox.show(DeliveryId(6)).await.unwrap().unwrap();
    assert_eq!((split.listed.notification.0, split.listed.part), (5, Part { number: 2, total: 2 }));
    assert_eq!((split.content.text(), &split.recipients), ("b split 2/2", &user("zhang")));
    let members = Filter { digest: Some(DeliveryId(12)), ..Filter::default() };
    assert_eq!(list_all(&outbox, members, ListOrder::OldestFirst, 10).await.len(), 2);
    let depths = outbox.depths().await.unwrap();
    assert_eq!((depths.len(), depths[0].deliveries, depths[0].discarded), (1, 11, 3));
    assert_eq!(depths[0].oldest_accepted_at, Some(at(0)));
    assert_eq!(outbox.unnoticed(&team(), at(0), 10).await.unwrap().len(), 1);
    assert_eq!(outbox.held_backlog(&ops(), &team(), 1, 1).await.unwrap(), None);

    let lease = acquire(&outbox, at(10)).await;
    assert_eq!(lease.recovered(), 1);
    assert_eq!(lease.inherited_hold().map(|hold| (hold.probes, hold.errcode)), Some((2, Some(40001))));
    let sent = lease.sent_since(at(-1)).await.unwrap();
    assert_eq!(sent.iter().filter(|sent| sent.delivery.0 == 1).count(), 2);
    let texts = drain(&lease, at(11)).await;
    let sent_of =
        |group: &str| texts.iter().filter(|text| text.starts_with(group)).cloned().collect::<Vec<_>>();
    assert_eq!(sent_of("a"), ["a ready attempted", "a queued"]);
    assert_eq!(sent_of("b"), ["b split 2/2", "b later 1/2", "b later 2/2"]);
    assert_eq!(sent_of("d"), ["digest attempted"]);
    assert_eq!(sent_of("c"), ["c later"]);
    assert_eq!(sent_of("f"), ["f first", "f requeued"]);
    let before = |one: &str, other: &str| {
        let place = |text: &str| texts.iter().position(|sent| sent == text).unwrap();
        place(one) < place(other)
    };
    assert!(before("digest attempted", "c later"));
    let listed = list(&outbox).await;
    assert!(listed.iter().all(|listed| listed.state.is_settled()));
    assert!(listed[8].state == State::Delivered && listed[9].state == State::Delivered);
    assert!(enqueue(&outbox, alert("a", "new"), at(12)).await.0 > 16);
    assert_eq!(drain(&lease, at(13)).await, ["new"]);
    assert_eq!(outbox.purge(at(1000), 1000).await.unwrap(), 16);
    outbox.close().await;
    let tables = Connection::open(&path)
        .unwrap()
        .query_row("SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name)", [], |row| row.get::<_, String>(0))
        .unwrap();
    assert_eq!(
        tables,
        "attempt boot card console delivery discarded hold hold_noticed numbers ordering_key press purged_attempt reserve sender"
    );
}

/// A delivery of the first schema version.
struct OldDelivery {
    id: i64,
    notification: i64,
    group: &'static str,
    state: i64,
    part: i64,
    of: i64,
    digest: Option<i64>,
    kind: i64,
}

impl OldDelivery {
    fn new(id: i64, notification: i64, group: &'static str, state: i64) -> Self {
        Self { id, notification, group, state, part: 1, of: 1, digest: None, kind: 0 }
    }

    fn insert(&self, connection: &Connection) {
        let Self { id, notification, group, state, part, of, digest, kind } = *self;
        let ordering_key = OrderingKey::of(&ops(), &team(), group).0.short();
        let settled_at = (state > 3).then(|| at(0).as_millisecond());
        let accepted_at = at(0).as_millisecond();
        connection
            .execute(
                "INSERT OR IGNORE INTO notification VALUES
                 (?1, ?2, 'team', 'ops', ?3, 0, 'critical', ?4, 1, ?5, 'zhang', '', '', ?3, '[]', NULL)",
                (notification, kind, group, accepted_at, settled_at),
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO delivery VALUES (?1, ?2, 'ops', 'team', ?3, ?4, ?5, ?6, ?7, ?1, ?8, ?9, ?7, NULL, ?10, 0,
                 NULL, NULL, NULL, ?11, ?12, 0, '', '', '', '')",
                rusqlite::params![
                    id, notification, ordering_key, destination("zhang").0.0, part, of, accepted_at, state,
                    state < 2, i64::from(state == 2), digest, settled_at
                ],
            )
            .unwrap();
        let text = format!("{group} {id}");
        connection
            .execute("INSERT INTO message VALUES (?1, 'zhang', '', '', 'text', ?2)", (id, text))
            .unwrap();
    }
}

#[tokio::test]
async fn the_first_schema_version_is_migrated_and_delivered() {
    let directory = directory();
    let path = settings(&directory).path;
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../../src/outbox/sqlite/migrations/0001_outbox.sql")).unwrap();
    for delivery in [
        OldDelivery::new(1, 1, "a", 2),
        OldDelivery::new(2, 2, "a", 0),
        OldDelivery { of: 2, ..OldDelivery::new(3, 3, "b", 1) },
        OldDelivery { part: 2, of: 2, ..OldDelivery::new(4, 3, "b", 0) },
        OldDelivery { digest: Some(6), ..OldDelivery::new(5, 4, "c", 3) },
        OldDelivery { kind: 1, ..OldDelivery::new(6, 5, "digest", 1) },
        OldDelivery::new(7, 6, "c", 0),
        OldDelivery::new(8, 7, "d", 5),
    ] {
        delivery.insert(&old);
    }
    old.execute_batch(
        "INSERT INTO attempt VALUES (1, 1, 'ops', 1, 2, 3, NULL, 0, 'first'), (1, 2, 'ops', 4, 5, 9, NULL, 1, 'second');
         UPDATE counter SET notification = 7, delivery = 8;
         PRAGMA application_id = 1466126956; PRAGMA user_version = 1",
    )
    .unwrap();
    drop(old);

    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    let attempts = outbox.show(DeliveryId(1)).await.unwrap().unwrap().attempts;
    assert_eq!(attempts.iter().map(|attempt| &*attempt.detail).collect::<Vec<_>>(), ["first", "second"]);
    let lease = acquire(&outbox, at(9)).await;
    assert_eq!(lease.recovered(), 1);
    enqueue(&outbox, alert("a", "new"), at(9)).await;
    let mut sent = drain(&lease, at(10)).await;
    let place = |text: &str| sent.iter().position(|sent| sent == text);
    let pairs = [("a 1", "a 2"), ("a 2", "new"), ("b 3", "b 4"), ("digest 6", "c 7")];
    assert!(pairs.iter().all(|(first, second)| place(first) < place(second)), "{sent:?}");
    sent.sort();
    assert_eq!(sent, ["a 1", "a 2", "b 3", "b 4", "c 7", "digest 6", "new"]);
    let settled = states(&outbox).await;
    assert!(settled.iter().all(|(group, state)| (*state == State::Dead) == (group == "d")), "{settled:?}");
    assert!(settled.iter().all(|(_, state)| matches!(state, State::Delivered | State::Dead)), "{settled:?}");
}

#[tokio::test]
async fn a_digest_of_the_first_schema_version_can_be_undone() {
    let directory = directory();
    let path = settings(&directory).path;
    let old = Connection::open(&path).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    for delivery in [
        OldDelivery { digest: Some(4), ..OldDelivery::new(1, 1, "a", 3) },
        OldDelivery { digest: Some(4), ..OldDelivery::new(2, 2, "a", 3) },
        OldDelivery { digest: Some(4), ..OldDelivery::new(3, 3, "b", 3) },
        OldDelivery { kind: 1, ..OldDelivery::new(4, 4, "digest", 2) },
        OldDelivery::new(5, 5, "a", 0),
        OldDelivery::new(6, 6, "moved", 1),
        OldDelivery::new(7, 7, "moved", 0),
    ] {
        delivery.insert(&old);
    }
    // Another sender had the receiver before.
    old.execute_batch(
        "UPDATE delivery SET channel = 'former' WHERE id = 6; UPDATE notification SET channel = 'former' WHERE id = 6;
         UPDATE counter SET notification = 7, delivery = 7;
         PRAGMA application_id = 1466126956; PRAGMA user_version = 1",
    )
    .unwrap();
    drop(old);

    let outbox = SqliteOutbox::open(settings(&directory), Access::Owner).unwrap();
    let lease = acquire(&outbox, at(9)).await;
    assert_eq!(lease.recovered(), 1);
    let claimed = claim(&lease, 9, at(9)).await;
    // The digest was in flight.
    assert_eq!(texts(&claimed), ["digest 4", "moved 7"]);
    deliver(&lease, &claimed[1], at(10)).await;
    undo(&lease, &claimed[0], at(10)).await;
    assert_eq!(drain(&lease, at(11)).await, ["a 1", "a 2", "b 3", "a 5"]);
}
