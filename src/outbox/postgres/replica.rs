//! The processes that share an outbox.

use std::time::Duration;

use super::{
    columns::column,
    error::EngineResult,
    leases::Peer,
    session::{Param, Transaction},
};

pub(super) const STORE: &str = "INSERT INTO wecom_relay.replica (owner, name, until, config, version, senders)
     VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond', $4, $5, $6)
     ON CONFLICT (owner) DO UPDATE SET until = excluded.until, config = excluded.config, senders = excluded.senders";
pub(super) const FORGET: &str = "DELETE FROM wecom_relay.replica
     WHERE owner = $1 OR until < clock_timestamp() - interval '1 day'";
pub(super) const PEERS: &str = "SELECT r.owner, r.senders, (SELECT count(*) FROM wecom_relay.lease l
         WHERE l.owner = r.owner AND l.until > clock_timestamp()) AS held
     FROM wecom_relay.replica r WHERE r.until > clock_timestamp() AND r.owner <> $1";
pub(super) const REPLICAS: &str = "SELECT owner, name, config, version, until > clock_timestamp() AS is_alive
     FROM wecom_relay.replica ORDER BY name, owner";
pub(super) const LEASES: &str = "SELECT l.sender, l.owner, r.name, l.epoch FROM wecom_relay.lease l
     LEFT JOIN wecom_relay.replica r ON r.owner = l.owner
     WHERE l.until > clock_timestamp() ORDER BY l.sender";

/// A process of the relay, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Tells processes of the same name apart.
    pub owner: String,
    pub name: String,
    /// A fingerprint of its configuration.
    pub config: String,
    pub version: String,
    /// True if it has reported itself within the time of a lease.
    pub is_alive: bool,
}

/// A lease, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseInfo {
    pub sender: String,
    pub owner: String,
    /// The name of the owner.
    pub replica: String,
    /// The number of leases of this sender so far.
    pub epoch: i64,
}

/// All processes and all leases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overview {
    pub replicas: Vec<Replica>,
    pub leases: Vec<LeaseInfo>,
}

/// The report of a process about itself.
pub(super) struct Report<'a> {
    pub(super) owner: &'a str,
    pub(super) name: &'a str,
    pub(super) ttl: Duration,
    pub(super) config: &'a str,
    pub(super) senders: Vec<String>,
}

pub(super) async fn store(tx: &Transaction<'_>, report: &Report<'_>) -> EngineResult<()> {
    let ttl = i64::try_from(report.ttl.as_millis()).unwrap_or(i64::MAX) as f64;
    let version = env!("CARGO_PKG_VERSION");
    let params: [Param<'_>; 6] =
        [&report.owner, &report.name, &ttl, &report.config, &version, &report.senders];
    tx.run(STORE, &params).await.map(drop)
}

/// Forgets a process that ends, and those that ended long ago.
pub(super) async fn forget(tx: &Transaction<'_>, owner: &str) -> EngineResult<()> {
    tx.run(FORGET, &[&owner]).await.map(drop)
}

/// The other processes that are alive.
pub(super) async fn peers(tx: &Transaction<'_>, owner: &str) -> EngineResult<Vec<Peer>> {
    tx.all(PEERS, &[&owner], |row| {
        Ok(Peer {
            owner: column(row, "owner")?,
            senders: column(row, "senders")?,
            held: usize::try_from(column::<i64>(row, "held")?).unwrap_or(0),
        })
    })
    .await
}

pub(super) async fn overview(tx: &Transaction<'_>) -> EngineResult<Overview> {
    let replicas = tx
        .all(REPLICAS, &[], |row| {
            Ok(Replica {
                owner: column(row, "owner")?,
                name: column(row, "name")?,
                config: column(row, "config")?,
                version: column(row, "version")?,
                is_alive: column(row, "is_alive")?,
            })
        })
        .await?;
    let leases = tx
        .all(LEASES, &[], |row| {
            let owner: String = column(row, "owner")?;
            Ok(LeaseInfo {
                sender: column(row, "sender")?,
                replica: column::<Option<String>>(row, "name")?.unwrap_or_else(|| owner.clone()),
                owner,
                epoch: column(row, "epoch")?,
            })
        })
        .await?;
    Ok(Overview { replicas, leases })
}
