//! Checks of an outbox in PostgreSQL: the server, the rights, and the replicas that share it. They change nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::task::spawn_blocking;

use crate::{
    app::{
        outbox::{Access, OpenError, open_outbox},
        prepare::Prepared,
    },
    clock::{Clock as _, SystemClock},
    config::Postgres,
    doctor::{Finding, Findings},
    language::Bilingual,
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
    findings: &Findings,
) -> Vec<Hold> {
    let shown = database.url.to_string();
    let facts = match Tls::new(&database.extra_roots) {
        Ok(tls) => inspect(&database.url, tls, limit).await,
        Err(error) => Err(error.to_string()),
    };
    let facts = match facts {
        Ok(facts) => facts,
        Err(reason) => {
            let help = Bilingual::new(
                "check the URL, the network, and pg_hba.conf; ca_file for a certificate of your own CA",
                "请检查 URL、网络和 pg_hba.conf；自建 CA 的证书用 ca_file",
            );
            let message = Bilingual::same(format!("{shown}: {reason}"));
            findings.add(SUBJECT, Finding::failed(REACHABLE, message, help));
            return Vec::new();
        }
    };
    for finding in server_findings(&shown, &facts, SystemClock.now().duration_since(facts.now)) {
        findings.add(SUBJECT, finding);
    }
    if !facts.has_outbox || !facts.has_rights {
        return Vec::new();
    }
    let outbox = prepared.config.outbox.clone();
    let store = match spawn_blocking(move || open_outbox(&outbox, Access::Guest)).await {
        Ok(Ok(store)) => store,
        // `serve` creates or upgrades the schema at its start.
        Ok(Err(OpenError::Postgres(
            postgres::OpenError::Missing { .. } | postgres::OpenError::Older { .. },
        ))) => {
            return Vec::new();
        }
        Ok(Err(error)) => {
            findings.add(SUBJECT, schema_problem(&error.to_string()));
            return Vec::new();
        }
        Err(error) => {
            findings.add(SUBJECT, schema_problem(&error.to_string()));
            return Vec::new();
        }
    };
    let read = async { Ok::<_, StoreError>((store.overview().await?, store.holds().await?)) };
    let read = read.await;
    store.close().await;
    let (overview, holds) = match read {
        Ok(read) => read,
        Err(error) => {
            findings.add(SUBJECT, schema_problem(&error.to_string()));
            return Vec::new();
        }
    };
    for (subject, finding) in replicas(&overview.unwrap_or_default(), senders(prepared)) {
        findings.add(&subject, finding);
    }
    holds
}

fn schema_problem(error: &str) -> Finding {
    Finding::failed("schema", Bilingual::same(error), Bilingual::new("", ""))
}

/// The findings about a server. `offset` is the clock of this machine minus that of the server.
fn server_findings(shown: &str, facts: &ServerFacts, offset: SignedDuration) -> Vec<Finding> {
    let tls = match facts.is_encrypted {
        true => Bilingual::new("with TLS", "使用 TLS"),
        false => Bilingual::new("without TLS", "未使用 TLS"),
    };
    let reachable = tls.map(|tls| format!("{shown}: PostgreSQL {}, {tls}", facts.version));
    let mut findings = vec![Finding::ok(REACHABLE, reachable)];
    if facts.version_number < OLDEST_VERSION {
        let message = Bilingual::new("the server is too old", "服务器版本太旧");
        let help = Bilingual::new("use PostgreSQL 15 or later", "请使用 PostgreSQL 15 或更高版本");
        findings.push(Finding::failed("version", message, help));
    }
    if facts.encoding != "UTF8" {
        let encoding = &facts.encoding;
        let message = Bilingual::new(
            format!("the database has the encoding {encoding}"),
            format!("数据库的字符编码是 {encoding}"),
        );
        let help = Bilingual::new(
            "create it with ENCODING 'UTF8' TEMPLATE template0",
            "请用 ENCODING 'UTF8' TEMPLATE template0 创建",
        );
        findings.push(Finding::failed("encoding", message, help));
    }
    findings.push(durability(facts));
    findings.push(rights(facts));
    findings.push(match facts.hears {
        true => {
            Finding::ok("notifications", Bilingual::new("replicas hear each other", "各副本能收到彼此的通知"))
        }
        false => Finding::warning(
            "notifications",
            Bilingual::new(
                "replicas do not hear each other, so messages may wait up to 1 s",
                "各副本收不到彼此的通知，消息可能多等 1 秒",
            ),
            Bilingual::new(
                "connect directly, and not through a pooler in transaction mode",
                "请直接连接，不要经过事务模式的连接池",
            ),
        ),
    });
    findings.push(clock(offset));
    findings
}

fn rights(facts: &ServerFacts) -> Finding {
    match (facts.has_outbox, facts.has_rights) {
        (true, true) => Finding::ok(
            "rights",
            Bilingual::new("the role may read and write the outbox", "该角色可以读写 outbox"),
        ),
        (false, true) => Finding::ok(
            "rights",
            Bilingual::new("there is no outbox yet; `serve` creates it", "还没有 outbox；`serve` 会创建它"),
        ),
        (true, false) => Finding::failed(
            "rights",
            Bilingual::new(
                "the role may not read and write the tables of the schema wecom_relay",
                "该角色不能读写 schema wecom_relay 中的表",
            ),
            Bilingual::new(
                "use the role that owns them: ALTER SCHEMA wecom_relay OWNER TO …, and the same for its tables",
                "请使用它们的所有者：ALTER SCHEMA wecom_relay OWNER TO …，其中的表也一样",
            ),
        ),
        (false, false) => Finding::failed(
            "rights",
            Bilingual::new(
                "the role may not create the schema wecom_relay",
                "该角色不能创建 schema wecom_relay",
            ),
            Bilingual::new(
                "as an administrator: CREATE SCHEMA wecom_relay AUTHORIZATION, followed by the role",
                "请以管理员执行：CREATE SCHEMA wecom_relay AUTHORIZATION，后接该角色",
            ),
        ),
    }
}

fn clock(offset: SignedDuration) -> Finding {
    let seconds = offset.as_secs_f64();
    if offset.abs() <= LARGEST_OFFSET {
        let message = Bilingual::new(
            format!("this machine is {seconds:+.1} s from the server, which gives the time"),
            format!("本机与服务器相差 {seconds:+.1} 秒，以服务器的时间为准"),
        );
        return Finding::ok("clock", message);
    }
    let message = Bilingual::new(
        format!("this machine is {seconds:+.0} s from the server, which gives the time"),
        format!("本机与服务器相差 {seconds:+.0} 秒，以服务器的时间为准"),
    );
    let help = Bilingual::new(
        "correct the clock that is wrong, and let NTP keep it right",
        "请校准不准的时钟，并用 NTP 保持准确",
    );
    Finding::warning("clock", message, help)
}

fn durability(facts: &ServerFacts) -> Finding {
    let off: Vec<_> = [("fsync", facts.fsync), ("full_page_writes", facts.full_page_writes)]
        .into_iter()
        .filter(|(_, is_on)| !is_on)
        .map(|(name, _)| name)
        .collect();
    if !off.is_empty() {
        let off = off.join(", ");
        let message = Bilingual::new(
            format!("off: {off}; a power loss can lose or damage everything"),
            format!("已关闭：{off}；断电可能丢失或损坏全部数据"),
        );
        let help = Bilingual::new("switch it on in postgresql.conf", "请在 postgresql.conf 中打开");
        return Finding::warning("durability", message, help);
    }
    let message = match facts.has_synchronous_standby {
        true => Bilingual::new(
            "fsync is on, and a standby has everything that is accepted",
            "fsync 已打开，已接收的告警在备库上都有",
        ),
        false => Bilingual::new(
            "fsync is on; without a synchronous standby a failover may lose the last alerts",
            "fsync 已打开；没有同步备库，故障切换可能丢失最后的告警",
        ),
    };
    Finding::ok("durability", message)
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
        let message = Bilingual::new("no replica runs", "没有副本在运行");
        findings.push((subject(), Finding::ok("replicas", message)));
        return findings;
    }
    let names: Vec<_> =
        alive.iter().map(|replica| format!("{} ({})", replica.name, replica.version)).collect();
    let (count, names) = (alive.len(), names.join(", "));
    let message = Bilingual::new(
        format!("{}: {names}", counted(count, "live replica")),
        format!("{count} 个副本在运行：{names}"),
    );
    findings.push((subject(), Finding::ok("replicas", message)));
    let mut by_name = BTreeMap::<_, usize>::new();
    alive.iter().for_each(|replica| *by_name.entry(&replica.name).or_default() += 1);
    if let Some((name, _)) = by_name.iter().find(|(_, count)| **count > 1) {
        let message =
            Bilingual::new(format!("several replicas are called {name}"), format!("有多个副本叫 {name}"));
        let help = Bilingual::new(
            "give each replica a name in outbox.replica, or wait until a former one has ended",
            "请在 outbox.replica 中为每个副本命名，或等待旧副本结束",
        );
        findings.push((subject(), Finding::warning("names", message, help)));
    }
    let configurations: BTreeSet<_> = alive.iter().map(|replica| &replica.config).collect();
    if configurations.len() > 1 {
        let help = Bilingual::new(
            "give all replicas the same configuration and templates, and reload or restart them",
            "请给全部副本相同的配置和模板，然后重新加载或重启",
        );
        let message = Bilingual::new("the replicas have different configurations", "各副本的配置不同");
        findings.push((subject(), Finding::warning("configurations", message, help)));
    }
    for (kind, name) in senders {
        let owner = overview.leases.iter().find(|lease| lease.sender == name);
        let finding = match owner {
            Some(lease) => {
                let replica = &lease.replica;
                let message = Bilingual::new(
                    format!("replica {replica} sends its messages"),
                    format!("由副本 {replica} 发送它的消息"),
                );
                Finding::ok("sender", message)
            }
            None => Finding::warning(
                "sender",
                Bilingual::new("no replica sends its messages at the moment", "目前没有副本发送它的消息"),
                Bilingual::new(
                    "try again in 10 s; if it stays so, no live replica has it in its configuration",
                    "请 10 秒后再试；如果仍然如此，说明运行中的副本的配置里都没有它",
                ),
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
        findings.iter().map(|finding| line(SUBJECT, finding)).collect::<Vec<_>>().join("\n")
    }

    fn line(subject: &str, finding: &Finding) -> String {
        let Finding { status, check, message, help, .. } = finding;
        let help = if help.is_empty() { String::new() } else { format!("\n         {}", help.en) };
        format!("{:<8} {subject}: {check}: {}{help}", status.name(), message.en)
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
        let found = server_findings("database relay on db1", &good(), SignedDuration::from_millis(-1200));
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
        insta::assert_snapshot!(text(&server_findings("database relay on db1", &bad, SignedDuration::from_hours(1))), @r#"
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
            .map(|(subject, finding)| line(subject, finding))
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
