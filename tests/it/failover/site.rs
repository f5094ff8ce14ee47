//! Two replicas as processes, with a PostgreSQL, a WeCom and a load of their own.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use wecom_relay::sandbox::{Api, Effect, Fault, MemberOutcome};

use crate::{
    kill::places_of_notifications,
    support::{
        CORP, Process, SECRET, Wecom, eventually, http_client,
        members::{self, BY_MEMBER, member, payload_for},
        postgres::{Cluster, database_of},
        process::{post, serve},
        soon, within,
    },
};

/// Enough members to stay below the default limits of 30 a minute and 1,000 an hour for each of them.
pub(crate) const MEMBERS: usize = 2500;
const POSTERS: usize = 12;
/// The member that one poster sends everything to, so that its limits are reached.
const BUSY_MEMBER: &str = "zhangsan";

/// The number of rounds: `WECOM_RELAY_FAILOVER_ROUNDS`, else a few.
pub(crate) fn rounds(few: usize) -> usize {
    std::env::var("WECOM_RELAY_FAILOVER_ROUNDS").map_or(few, |text| text.parse().unwrap())
}

pub(crate) struct Site {
    pub(crate) wecom: Wecom,
    pub(crate) cluster: Cluster,
    /// The database of the replicas.
    pub(crate) database: String,
    folder: TempDir,
    configs: Vec<PathBuf>,
    pub(crate) urls: [String; 2],
    pub(crate) replicas: [Option<Process>; 2],
}

impl Site {
    pub(crate) async fn start(settings: &[&str]) -> Self {
        let cluster = Cluster::start(settings);
        let url = cluster.database();
        Self::with(cluster, [url.clone(), url], "").await
    }

    /// Two replicas with these URLs, which lead to the same database.
    pub(crate) async fn with(cluster: Cluster, urls: [String; 2], more: &str) -> Self {
        let wecom = Wecom::with_members(MEMBERS).await;
        // The latency keeps deliveries in flight at every moment.
        wecom.sandbox.inject(Fault::new(Effect::Latency(Duration::from_millis(10))).on(Api::MessageSend));
        let folder = TempDir::new().unwrap();
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = ports.map(|listener| listener.local_addr().unwrap().port());
        let mut configs = Vec::new();
        for ((name, port), url) in ["a", "b"].into_iter().zip(ports).zip(&urls) {
            let config = folder.path().join(format!("{name}.yml"));
            let api = format!("{}/cgi-bin/", wecom.url);
            let yaml = format!(
                "server: {{ listen: '127.0.0.1:{port}' }}\noutbox: {{ url: '{url}', replica: {name} }}\napps:\n  \
                 - {{ name: ops, corp_id: {CORP}, agent_id: 1000002, api_secret: {SECRET}, api_url: '{api}' }}\n\
                 {more}receivers:\n{BY_MEMBER}timezone: UTC\n"
            );
            fs::write(&config, yaml).unwrap();
            configs.push(config);
        }
        let database = database_of(&urls[0]).to_owned();
        let urls = ports.map(|port| format!("http://127.0.0.1:{port}"));
        let mut site = Self { wecom, cluster, database, folder, configs, urls, replicas: [None, None] };
        for number in 0..2 {
            site.launch(number).await;
        }
        site
    }

    /// The command line of a replica.
    pub(crate) fn command(&self, number: usize) -> Command {
        serve(&self.configs[number])
    }

    /// Starts a replica, and waits until it listens.
    pub(crate) async fn launch(&mut self, number: usize) {
        let mut process = Process::launch(self.command(number));
        process.ready().await;
        self.replicas[number] = Some(process);
    }

    pub(crate) fn replica(&mut self, number: usize) -> &mut Process {
        self.replicas[number].as_mut().unwrap()
    }

    pub(crate) async fn kill(&mut self, number: usize) {
        self.replicas[number].take().unwrap().kill().await;
    }

    /// Stops a replica as an operator does, and waits for its end.
    pub(crate) async fn stop(&mut self, number: usize) {
        let mut process = self.replicas[number].take().unwrap();
        process.signal("TERM");
        assert!(process.ended().await.success(), "{}", process.log.join("\n"));
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.cluster.sql(&self.database, sql)
    }

    /// The replica that has the lease of the app, if any has.
    pub(crate) fn owner(&self) -> Option<usize> {
        let owner = self.sql(
            "SELECT r.name FROM wecom_relay.lease l JOIN wecom_relay.replica r USING (owner) \
             WHERE l.sender = 'ops' AND l.until > clock_timestamp()",
        );
        ["a", "b"].iter().position(|name| *name == owner)
    }

    /// Waits until a replica has the lease, and returns it.
    pub(crate) async fn owned(&self) -> usize {
        eventually(async || self.owner(), Option::is_some).await.unwrap()
    }

    /// The number of leases of the app so far.
    pub(crate) fn epoch(&self) -> String {
        self.sql("SELECT epoch FROM wecom_relay.lease WHERE sender = 'ops'")
    }

    /// Waits until another process has the lease that was number `epoch`, and sends.
    pub(crate) async fn taken_over(&self, epoch: &str) {
        eventually(async || self.epoch(), |now| now != epoch).await;
        let sent = self.wecom.sandbox.send_calls();
        soon(self.wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() > sent)).await;
    }

    /// What is left, for the message of a failure.
    fn left(&mut self) -> String {
        let left = self.sql(
            "SELECT state, count(*), min(to_users), max(attempts), max(tries) FROM wecom_relay.delivery
             WHERE settled_at IS NULL GROUP BY state;
             SELECT d.id, d.state, d.to_users, k.heads, d.claim, d.claimed_at, d.due_at, d.attempts, d.tries, d.attempt_detail
             FROM wecom_relay.delivery d JOIN wecom_relay.ordering_key k ON k.id = d.ordering_key
             WHERE d.settled_at IS NULL ORDER BY d.id LIMIT 20;
             SELECT * FROM wecom_relay.lease; SELECT * FROM wecom_relay.hold; SELECT owner, until, senders FROM wecom_relay.replica;
             SELECT clock_timestamp(), (extract(epoch FROM clock_timestamp()) * 1000)::bigint, r FROM wecom_relay.relay_clock r",
        );
        let logs = self.replicas.iter_mut().flatten().map(Process::last_lines);
        format!("{left}\n{}", logs.collect::<Vec<_>>().join("\n\n"))
    }

    /// Lets the owner send what waits, while no notification comes, and then under load again.
    pub(crate) async fn catch_up(&self, load: &Load) {
        load.pause.send_replace(true);
        let waiting =
            "SELECT count(*) FROM wecom_relay.delivery WHERE settled_at IS NULL AND to_users <> 'zhangsan'";
        let caught_up = async {
            while self.sql(waiting) != "0" {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        within(Duration::from_secs(300), caught_up).await;
        load.pause.send_replace(false);
        let sent = self.wecom.sandbox.send_calls() + 50;
        soon(self.wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() > sent)).await;
    }

    pub(crate) fn load(&self) -> Load {
        Load::start(self.urls.clone())
    }

    /// Ends the load, and checks its groups with [`Self::check_groups`].
    pub(crate) async fn check(self, load: Load) -> usize {
        let mut names = Vec::new();
        for (poster, groups) in load.finish().await {
            names.extend((0..groups).map(|group| name(poster, group)));
        }
        self.check_groups(&names).await
    }

    /// Waits until all is delivered, and checks that each group was seen firing once, and then resolved once. Returns the
    /// number of notifications.
    pub(crate) async fn check_groups(mut self, names: &[String]) -> usize {
        // Messages above the limit of the busy member wait for the next minute.
        let deadline = Instant::now() + Duration::from_secs(300);
        while self.sql("SELECT count(*) FROM wecom_relay.delivery WHERE settled_at IS NULL") != "0" {
            assert!(Instant::now() < deadline, "not delivered: {}", self.left());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert_eq!(self.sql("SELECT count(*) FROM wecom_relay.delivery WHERE state = 5"), "0");
        for number in 0..2 {
            self.stop(number).await;
        }
        assert_eq!(
            members::count(&self.wecom.sandbox, MemberOutcome::Dropped),
            0,
            "the limits were exceeded"
        );
        let mut places = places_of_notifications(&members::shown(&self.wecom.sandbox));
        for name in names {
            let mut place = |status: &str| places.remove(&format!("{status} {name}")).unwrap_or_default();
            let [firing, resolved] = ["FIRING", "RESOLVED"].map(&mut place);
            assert_eq!((firing.len(), resolved.len()), (1, 1), "the number of times that {name} was seen");
            assert!(firing <= resolved, "{name} was seen resolved before it fired");
        }
        assert!(places.is_empty(), "{places:?}");
        drop(self.folder);
        2 * names.len()
    }
}

/// The name of a group, which [`Site::check_groups`] finds in messages.
pub(crate) fn name(poster: usize, group: usize) -> String {
    format!("Poster{poster}Group{group}")
}

/// Posters that send each notification to both replicas and repeat it until it is accepted, as Alertmanager does.
pub(crate) struct Load {
    stop: CancellationToken,
    pause: watch::Sender<bool>,
    posters: JoinSet<(usize, usize)>,
    refused: Arc<AtomicUsize>,
}

impl Load {
    fn start(urls: [String; 2]) -> Self {
        let (stop, refused, mut posters) =
            (CancellationToken::new(), Arc::<AtomicUsize>::default(), JoinSet::new());
        let pause = watch::Sender::new(false);
        for poster in 0..POSTERS {
            let (urls, stop, refused) = (urls.clone(), stop.clone(), Arc::clone(&refused));
            let mut paused = pause.subscribe();
            posters.spawn(async move {
                let (client, mut groups) = (http_client(), 0);
                while !stop.is_cancelled() {
                    // The load has ended if nobody can resume it.
                    _ = paused.wait_for(|paused| !paused).await;
                    post_group(&client, poster, groups, &urls, &refused).await;
                    groups += 1;
                    tokio::time::sleep(Duration::from_millis(if poster == 0 { 700 } else { 200 })).await;
                }
                (poster, groups)
            });
        }
        Self { stop, pause, posters, refused }
    }

    /// The number of answers with 503.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    async fn finish(self) -> Vec<(usize, usize)> {
        self.stop.cancel();
        soon(self.posters.join_all()).await
    }
}

/// Posts a group to both replicas, firing and then resolved.
async fn post_group(client: &Client, poster: usize, group: usize, urls: &[String; 2], refused: &AtomicUsize) {
    let recipient = match poster {
        0 => BUSY_MEMBER.to_owned(),
        _ => member((group * POSTERS + poster) % MEMBERS),
    };
    for fires in [true, false] {
        let alert = payload_for(&recipient, &name(poster, group), &[("a", fires)]);
        tokio::join!(deliver(client, &urls[0], &alert, refused), deliver(client, &urls[1], &alert, refused));
    }
}

async fn deliver(client: &Client, url: &str, alert: &Value, refused: &AtomicUsize) {
    loop {
        match post(client, url, alert).await {
            Some(200) => return,
            Some(status) => {
                assert_eq!(status, 503);
                refused.fetch_add(1, Ordering::Relaxed);
            }
            None => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
