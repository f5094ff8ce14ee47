//! Checks of an outbox in PostgreSQL: the server, the rights, and the replicas that share it. They change nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Duration,
};

use jiff::SignedDuration;
use tokio::task::spawn_blocking;

use super::{finding::Finding, report::Report};
use crate::{
    app::{self, Access, OpenError, Prepared},
    clock::{Clock as _, SystemClock},
    config::Postgres,
    outbox::{
        Hold, Outbox, StoreError,
        postgres::{self, Overview, ServerFacts, Tls, inspect},
    },
    text::counted,
    wecom::client::SenderClient,
};

const SUBJECT: &str = "outbox";
const REACHABLE: &str = "reachable";
const OLDEST_VERSION: i32 = 15_00_00;
/// A larger difference between two clocks is a mistake.
const LARGEST_OFFSET: SignedDuration = SignedDuration::from_secs(60);

/// Returns the holds in the outbox.
pub(super) async fn check(
    prepared: &Prepared,
    database: &Postgres,
    limit: Duration,
    report: &mut Report<'_>,
) -> io::Result<Vec<Hold>> {
    let shown = database.url.to_string();
    let facts = match Tls::new(&database.extra_roots) {
        Ok(tls) => inspect(&database.url, tls, limit).await,
        Err(error) => Err(error.to_string()),
    };
    let facts = match facts {
        Ok(facts) => facts,
        Err(reason) => {
            let help =
                "check the URL, the network, and pg_hba.conf; ca_file for a certificate of your own CA";
            report.add(SUBJECT, &Finding::failed(REACHABLE, format!("{shown}: {reason}"), help))?;
            return Ok(Vec::new());
        }
    };
    for finding in findings(&shown, &facts, SystemClock.now().duration_since(facts.now)) {
        report.add(SUBJECT, &finding)?;
    }
    if !facts.has_outbox || !facts.has_rights {
        return Ok(Vec::new());
    }
    let outbox = prepared.config.outbox.clone();
    let opened = spawn_blocking(move || app::open_outbox(&outbox, Access::Guest)).await;
    let store = match opened.map_err(io::Error::other)? {
        Ok(store) => store,
        // `serve` creates or upgrades the schema at its start.
        Err(OpenError::Postgres(postgres::OpenError::Missing { .. } | postgres::OpenError::Older { .. })) => {
            return Ok(Vec::new());
        }
        Err(error) => {
            report.add(SUBJECT, &Finding::failed("schema", error.to_string(), ""))?;
            return Ok(Vec::new());
        }
    };
    let read = async { Ok::<_, StoreError>((store.overview().await?, store.holds().await?)) };
    let read = read.await;
    store.close().await;
    let (overview, holds) = match read {
        Ok(read) => read,
        Err(error) => {
            report.add(SUBJECT, &Finding::failed("schema", error.to_string(), ""))?;
            return Ok(Vec::new());
        }
    };
    for (subject, finding) in replicas(&overview.unwrap_or_default(), senders(prepared)) {
        report.add(&subject, &finding)?;
    }
    Ok(holds)
}

/// The findings about a server. `offset` is the clock of this machine minus that of the server.
fn findings(shown: &str, facts: &ServerFacts, offset: SignedDuration) -> Vec<Finding> {
    let tls = if facts.is_encrypted { "with TLS" } else { "without TLS" };
    let reachable = format!("{shown}: PostgreSQL {}, {tls}", facts.version);
    let mut findings = vec![Finding::ok(REACHABLE, reachable)];
    if facts.version_number < OLDEST_VERSION {
        findings.push(Finding::failed("version", "the server is too old", "use PostgreSQL 15 or later"));
    }
    if facts.encoding != "UTF8" {
        let message = format!("the database has the encoding {}", facts.encoding);
        let help = "create it with ENCODING 'UTF8' TEMPLATE template0";
        findings.push(Finding::failed("encoding", message, help));
    }
    findings.push(durability(facts));
    findings.push(match (facts.has_outbox, facts.has_rights) {
        (true, true) => Finding::ok("rights", "the role may read and write the outbox"),
        (false, true) => Finding::ok("rights", "there is no outbox yet; `serve` creates it"),
        (true, false) => Finding::failed(
            "rights",
            "the role may not read and write the tables of the schema wecom_relay",
            "use the role that owns them: ALTER SCHEMA wecom_relay OWNER TO …, and the same for its tables",
        ),
        (false, false) => Finding::failed(
            "rights",
            "the role may not create the schema wecom_relay",
            "as an administrator: CREATE SCHEMA wecom_relay AUTHORIZATION, followed by the role",
        ),
    });
    findings.push(match facts.hears {
        true => Finding::ok("notifications", "replicas hear each other"),
        false => Finding::warning(
            "notifications",
            "replicas do not hear each other, so messages may wait up to 1 s",
            "connect directly, and not through a pooler in transaction mode",
        ),
    });
    let seconds = offset.as_secs_f64();
    findings.push(if offset.abs() <= LARGEST_OFFSET {
        Finding::ok("clock", format!("this machine is {seconds:+.1} s from the server, which gives the time"))
    } else {
        let message = format!("this machine is {seconds:+.0} s from the server, which gives the time");
        Finding::warning("clock", message, "correct the clock that is wrong, and let NTP keep it right")
    });
    findings
}

fn durability(facts: &ServerFacts) -> Finding {
    let off: Vec<_> = [("fsync", facts.fsync), ("full_page_writes", facts.full_page_writes)]
        .into_iter()
        .filter(|(_, is_on)| !is_on)
        .map(|(name, _)| name)
        .collect();
    if !off.is_empty() {
        let message = format!("off: {}; a power loss can lose or damage everything", off.join(", "));
        return Finding::warning("durability", message, "switch it on in postgresql.conf");
    }
    Finding::ok(
        "durability",
        match facts.has_synchronous_standby {
            true => "fsync is on, and a standby has everything that is accepted",
            false => "fsync is on; without a synchronous standby a failover may lose the last alerts",
        },
    )
}

/// The kinds and names of all senders. Apps of the same agent share one, which has the name of the first one.
fn senders(prepared: &Prepared) -> impl Iterator<Item = (&'static str, &str)> {
    prepared.clients.iter().map(|(sender, client)| match client.as_ref() {
        SenderClient::App(_) => ("app", sender.0.as_str()),
        SenderClient::Robot(_) => ("robot", sender.0.as_str()),
    })
}

/// The findings about the replicas and the senders that they send for.
fn replicas<'a>(
    overview: &Overview,
    senders: impl Iterator<Item = (&'static str, &'a str)>,
) -> Vec<(String, Finding)> {
    let alive: Vec<_> = overview.replicas.iter().filter(|replica| replica.is_alive).collect();
    let mut findings = Vec::new();
    let subject = || SUBJECT.to_owned();
    if alive.is_empty() {
        findings.push((subject(), Finding::ok("replicas", "no replica runs")));
        return findings;
    }
    let names: Vec<_> =
        alive.iter().map(|replica| format!("{} ({})", replica.name, replica.version)).collect();
    let message = format!("{}: {}", counted(alive.len(), "live replica"), names.join(", "));
    findings.push((subject(), Finding::ok("replicas", message)));
    let mut by_name = BTreeMap::<_, usize>::new();
    alive.iter().for_each(|replica| *by_name.entry(&replica.name).or_default() += 1);
    if let Some((name, _)) = by_name.iter().find(|(_, count)| **count > 1) {
        let help = "give each replica a name in outbox.replica, or wait until a former one has ended";
        findings.push((
            subject(),
            Finding::warning("names", format!("several replicas are called {name}"), help),
        ));
    }
    let configurations: BTreeSet<_> = alive.iter().map(|replica| &replica.config).collect();
    if configurations.len() > 1 {
        let help = "give all replicas the same configuration and templates, and reload or restart them";
        let message = "the replicas have different configurations";
        findings.push((subject(), Finding::warning("configurations", message, help)));
    }
    for (kind, name) in senders {
        let owner = overview.leases.iter().find(|lease| lease.sender == name);
        let finding = match owner {
            Some(lease) => Finding::ok("sender", format!("replica {} sends its messages", lease.replica)),
            None => Finding::warning(
                "sender",
                "no replica sends its messages at the moment",
                "try again in 10 s; if it stays so, no live replica has it in its configuration",
            ),
        };
        findings.push((format!("{kind} {name}"), finding));
    }
    findings
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::outbox::postgres::{LeaseInfo, Replica};

    fn text(findings: &[Finding]) -> String {
        findings.iter().map(|finding| finding.text(SUBJECT)).collect::<Vec<_>>().join("\n")
    }

    fn good() -> ServerFacts {
        ServerFacts {
            version: "15.18".to_owned(),
            version_number: 150_018,
            fsync: true,
            full_page_writes: true,
            has_synchronous_standby: true,
            is_encrypted: true,
            encoding: "UTF8".to_owned(),
            has_outbox: true,
            has_rights: true,
            hears: true,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_good_server_has_no_problem() {
        let found = findings("database relay on db1", &good(), SignedDuration::from_millis(-1200));
        insta::assert_snapshot!(text(&found), @r#"
    ok       outbox: reachable: database relay on db1: PostgreSQL 15.18, with TLS
    ok       outbox: durability: fsync is on, and a standby has everything that is accepted
    ok       outbox: rights: the role may read and write the outbox
    ok       outbox: notifications: replicas hear each other
    ok       outbox: clock: this machine is -1.2 s from the server, which gives the time
    "#);
    }

    #[test]
    fn every_problem_of_a_server_is_named() {
        let bad = ServerFacts {
            version: "12.1".to_owned(),
            version_number: 120_001,
            fsync: false,
            full_page_writes: false,
            is_encrypted: false,
            encoding: "SQL_ASCII".to_owned(),
            has_outbox: false,
            has_rights: false,
            hears: false,
            ..good()
        };
        insta::assert_snapshot!(text(&findings("database relay on db1", &bad, SignedDuration::from_hours(1))), @r#"
    ok       outbox: reachable: database relay on db1: PostgreSQL 12.1, without TLS
    failed   outbox: version: the server is too old
             use PostgreSQL 15 or later
    failed   outbox: encoding: the database has the encoding SQL_ASCII
             create it with ENCODING 'UTF8' TEMPLATE template0
    warning  outbox: durability: off: fsync, full_page_writes; a power loss can lose or damage everything
             switch it on in postgresql.conf
    failed   outbox: rights: the role may not create the schema wecom_relay
             as an administrator: CREATE SCHEMA wecom_relay AUTHORIZATION, followed by the role
    warning  outbox: notifications: replicas do not hear each other, so messages may wait up to 1 s
             connect directly, and not through a pooler in transaction mode
    warning  outbox: clock: this machine is +3600 s from the server, which gives the time
             correct the clock that is wrong, and let NTP keep it right
    "#);
    }

    #[test]
    fn replicas_and_owners_are_shown() {
        let replica = |name: &str, config: &str| Replica {
            owner: format!("{name}-1"),
            name: name.to_owned(),
            config: config.to_owned(),
            version: "0.1.0".to_owned(),
            is_alive: name != "gone",
        };
        let lease = LeaseInfo {
            sender: "ops".to_owned(),
            owner: "b-1".to_owned(),
            replica: "b".to_owned(),
            epoch: 7,
        };
        let overview = Overview {
            replicas: vec![replica("a", "x"), replica("b", "y"), replica("gone", "z")],
            leases: vec![lease],
        };
        let found: Vec<_> = replicas(&overview, [("app", "ops"), ("robot", "new")].into_iter())
            .iter()
            .map(|(subject, finding)| finding.text(subject))
            .collect();
        insta::assert_snapshot!(found.join("\n"), @r#"
    ok       outbox: replicas: 2 live replicas: a (0.1.0), b (0.1.0)
    warning  outbox: configurations: the replicas have different configurations
             give all replicas the same configuration and templates, and reload or restart them
    ok       app ops: sender: replica b sends its messages
    warning  robot new: sender: no replica sends its messages at the moment
             try again in 10 s; if it stays so, no live replica has it in its configuration
    "#);
        let none = replicas(&Overview::default(), [("app", "ops")].into_iter());
        assert_eq!(none.len(), 1);
    }
}
