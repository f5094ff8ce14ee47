//! `kill -9` at any moment loses no notification that was answered with 200.

use std::{collections::HashMap, path::Path, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{sync::watch, time::Instant};
use wecom_relay::{
    outbox::{
        self, OutboxQuery,
        sqlite::{Access, SqliteOutbox},
    },
    sandbox::{Api, Effect, Fault, MemberOutcome, Moment, Settings},
};

use crate::callback::{Call, keys, press, with_callback};
use crate::support::{
    Options, Process, Wecom, config_file, http_client,
    members::{self, BY_MEMBER, member, payload_for},
    payload,
    process::{post, serve},
    soon, within,
};

#[tokio::test]
async fn a_relay_killed_after_the_200_sends_after_its_restart() {
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &Options::default());
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::Gettoken));
    let relay = Process::start(&config).await;
    for group in ["First", "Second", "Third"] {
        assert_eq!(relay.post(&payload(group, &[("a", true)])).await, Some(200));
    }
    assert_eq!(relay.post(&payload("First", &[("a", false)])).await, Some(200));
    relay.kill().await;
    assert_eq!(wecom.sandbox.send_calls(), 0);
    wecom.sandbox.clear_faults();
    let mut relay = Process::start(&config).await;
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 4)).await;
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 4);
}

/// A press is known after a kill: it is a duplicate when WeCom sends it again.
#[tokio::test]
async fn a_relay_killed_after_the_answer_keeps_each_press() {
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &with_callback());
    let mut calls = Vec::new();
    for kills in 0..3 {
        let relay = Process::start(&config).await;
        let call = Call::message(&keys(), &press("t1", "ack", &format!("code {kills}")));
        assert_eq!(call.request(&relay.client, &relay.url).send().await.unwrap().status(), 200);
        relay.kill().await;
        calls.push(call);
    }
    let mut relay = Process::start(&config).await;
    for call in &calls {
        assert_eq!(call.request(&relay.client, &relay.url).send().await.unwrap().status(), 200);
    }
    let metrics =
        relay.client.get(format!("{}/metrics", relay.url)).send().await.unwrap().text().await.unwrap();
    let known = "wecom_relay_callbacks_total{app=\"ops\",result=\"duplicate\"} 3";
    assert!(metrics.lines().any(|line| line == known), "{metrics}");
    relay.signal("TERM");
    assert!(relay.ended().await.success());
}

#[tokio::test]
async fn a_relay_killed_after_the_send_shows_the_member_one_message() {
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &Options::default());
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: true }).on(Api::MessageSend).times(1));
    let relay = Process::start(&config).await;
    assert_eq!(relay.post(&payload("Down", &[("a", true)])).await, Some(200));
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    assert_eq!(relay.post(&payload("Down", &[("a", false)])).await, Some(200));
    relay.kill().await;
    let mut relay = Process::start(&config).await;
    let seen = soon(wecom.sandbox.wait_for_delivered("zhangsan", 2)).await;
    assert!(seen[0].text.starts_with("[FIRING:1] Down ") && seen[1].text.starts_with("[RESOLVED] Down "));
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    let recovered = "were in flight when the last process ended; they are sent again; WeCom's duplicate check suppresses copies, but not in groups";
    assert!(relay.log.iter().any(|line| line.contains(recovered)), "{:?}", relay.log);
    let outcomes: Vec<MemberOutcome> =
        wecom.sandbox.messages().iter().map(|message| message.members[0].1).collect();
    assert_eq!(outcomes, [MemberOutcome::Shown, MemberOutcome::Duplicate, MemberOutcome::Shown]);
}

const POSTERS: usize = 24;
/// Enough members to stay below the default limits of 30 a minute and 1,000 an hour for each of them.
const MEMBERS: usize = 2500;

/// Posts groups, each firing and then resolved, and repeats each until it is answered with 200, as Alertmanager does.
/// Returns the number of groups when `relay` is the last one.
async fn post_groups(poster: usize, mut relay: watch::Receiver<(String, bool)>) -> usize {
    let client = http_client();
    let mut groups = 0;
    loop {
        let recipient = member((groups * POSTERS + poster) % MEMBERS);
        for fires in [true, false] {
            let alert = payload_for(&recipient, &name(poster, groups), &[("a", fires)]);
            loop {
                let url = relay.borrow_and_update().0.clone();
                match post(&client, &url, &alert).await {
                    Some(200) => break,
                    Some(status) => assert_eq!(status, 503),
                    // The relay was killed, and the next one has another address. The last relay gets the request again.
                    None if relay.borrow().1 => {}
                    None => relay.changed().await.unwrap(),
                }
            }
        }
        groups += 1;
        if relay.borrow().1 {
            return groups;
        }
    }
}

/// The numbers of the messages that show a notification, by its status and the name of its group. Several
/// notifications are in one message when a digest replaces them: each kill repeats what was in flight, and the repeats
/// can use up the limits of a member.
pub(crate) fn places_of_notifications(messages: &[String]) -> HashMap<String, Vec<usize>> {
    let mut places = HashMap::<String, Vec<usize>>::new();
    for (at, message) in messages.iter().enumerate() {
        for line in message.lines().filter(|line| line.contains("] Poster")) {
            let (_, line) = line.split_once('[').unwrap();
            let (status, rest) = line.split_once("] ").unwrap();
            let (status, _) = status.split_once(':').unwrap_or((status, ""));
            let (name, _) = rest.split_once(' ').unwrap();
            places.entry(format!("{status} {name}")).or_default().push(at);
        }
    }
    places
}

fn name(poster: usize, group: usize) -> String {
    format!("Poster{poster}Group{group}")
}

/// Runs one process and kills it at a random moment: while it accepts and sends, or while it starts.
async fn run_until_killed(config: &Path, url: &watch::Sender<(String, bool)>, rng: &mut StdRng) {
    if rng.random_ratio(1, 5) {
        let process = Process::launch(serve(config));
        tokio::time::sleep(Duration::from_micros(rng.random_range(0..60_000))).await;
        return process.kill().await;
    }
    let process = Process::start(config).await;
    url.send_replace((process.url.clone(), false));
    tokio::time::sleep(Duration::from_micros(rng.random_range(0..400_000))).await;
    process.kill().await;
}

/// `WECOM_RELAY_KILL_ROUNDS` is the number of kills. `WECOM_RELAY_KILL_SEED` repeats the moments of an earlier run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "the seed is needed to repeat a failure")]
async fn kills_under_load_show_every_accepted_alert_once_in_order() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let rounds = number("WECOM_RELAY_KILL_ROUNDS").unwrap_or(20);
    let seed = number("WECOM_RELAY_KILL_SEED").unwrap_or(u64::from(std::process::id()));
    eprintln!("{rounds} times kill -9 with WECOM_RELAY_KILL_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let wecom = Wecom::with_members(MEMBERS).await;
    // The latency keeps deliveries in flight at every moment.
    wecom.sandbox.inject(Fault::new(Effect::Latency(Duration::from_millis(10))).on(Api::MessageSend));
    let options = Options { receivers: BY_MEMBER.to_owned(), ..Options::default() };
    let (folder, config) = config_file(&wecom.url, &options);
    let relay = Process::start(&config).await;
    let url = watch::Sender::new((relay.url.clone(), false));
    let mut posters = tokio::task::JoinSet::new();
    for poster in 0..POSTERS {
        let relay = url.subscribe();
        posters.spawn(async move { (poster, post_groups(poster, relay).await) });
    }
    relay.kill().await;
    for _ in 1..rounds {
        run_until_killed(&config, &url, &mut rng).await;
    }
    let mut last = Process::start(&config).await;
    url.send_replace((last.url.clone(), true));
    let groups: Vec<(usize, usize)> = soon(posters.join_all()).await;
    let count: usize = groups.iter().map(|(_, groups)| groups * 2).sum();
    // The outbox is asked and not the sandbox, because a list of all messages takes the time that the sandbox needs to
    // answer.
    let settings = outbox::sqlite::Settings::new(folder.path().join("outbox.db"), u64::MAX);
    let outbox = SqliteOutbox::open(settings, Access::Guest).unwrap();
    let unsettled = async || outbox.depths().await.unwrap().iter().map(|depth| depth.deliveries).sum::<u64>();
    // Interrupted attempts count. After several kills, a delivery that then fails is retried after some 50 s only.
    let all_settled = async {
        while unsettled().await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(Duration::from_secs(180), all_settled).await;
    outbox.clone().close().await;
    last.signal("TERM");
    assert!(last.ended().await.success());
    assert_eq!(members::count(&wecom.sandbox, MemberOutcome::Dropped), 0);
    let mut places = places_of_notifications(&members::shown(&wecom.sandbox));
    for (poster, groups) in groups {
        for group in 0..groups {
            let name = name(poster, group);
            let mut place = |status: &str| places.remove(&format!("{status} {name}")).unwrap_or_default();
            let [firing, resolved] = ["FIRING", "RESOLVED"].map(&mut place);
            assert_eq!((firing.len(), resolved.len()), (1, 1), "the number of times that {name} was seen");
            assert!(firing <= resolved, "{name} was seen resolved before it fired");
        }
    }
    assert_eq!(places, HashMap::new());
    let duplicates = members::count(&wecom.sandbox, MemberOutcome::Duplicate);
    eprintln!("{count} notifications, {duplicates} duplicates suppressed by WeCom's duplicate check");
}

/// A kill between a refusal and its commit may cost one more call, because both cannot happen at once.
#[tokio::test]
async fn a_kill_costs_no_more_than_one_call_with_a_refused_secret() {
    const KILLS: usize = 4;
    let wecom = Wecom::live(Settings::default()).await;
    let calls = || wecom.sandbox.calls().iter().filter(|call| call.api == Api::Gettoken).count();
    let (_folder, config) = config_file(&wecom.url, &Options { secret: "wrong", ..Options::default() });
    for kills in 0..KILLS {
        let relay = Process::start(&config).await;
        assert_eq!(relay.post(&payload(&format!("Group{kills}"), &[("a", true)])).await, Some(200));
        soon(wecom.sandbox.wait_until(|_| calls() > 0)).await;
        relay.kill().await;
    }
    assert!(calls() <= KILLS, "{}", calls());
    let mut relay = Process::start(&config).await;
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    assert!(calls() <= KILLS + 1, "{}", calls());
}

/// The time that kills go on: the limit is that of a minute, and a process cannot have another one.
const PACE: Duration = Duration::from_secs(75);

/// Kills and lost answers while far more alerts come than the limits allow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_lets_a_member_get_more_than_the_limit() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers = "  - { name: wechat, to_user: zhangsan }\n  - { name: two, to_user: zhangsan|lisi }\n  \
                     - { name: all, to_user: '@all' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let (_folder, config) = config_file(&wecom.url, &options);
    let mut rng = StdRng::seed_from_u64(1);
    let (client, began) = (http_client(), Instant::now());
    let (mut accepted, mut number) = (Vec::new(), 0);
    let mut relay = Process::start(&config).await;
    while began.elapsed() < PACE {
        if rng.random_ratio(1, 4) {
            let taken = Effect::Drop(Moment::After);
            wecom.sandbox.inject(Fault::new(taken).on(Api::MessageSend).times(1));
        }
        for _ in 0..rng.random_range(1..30) {
            number += 1;
            let receiver = ["wechat", "two", "all"][rng.random_range(0..3)];
            let alert = payload(&format!("Pace{number:05}"), &[("a", true)]).to_string();
            let posted = client.post(format!("{}/webhook/{receiver}", relay.url)).body(alert).send().await;
            assert_eq!(posted.unwrap().status(), 200);
            accepted.push(number);
        }
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..4000))).await;
        relay.kill().await;
        relay = Process::start(&config).await;
    }
    // The last ones wait for the next minute.
    let missing = || {
        let seen: String = wecom.sandbox.delivered_to("zhangsan").iter().map(|seen| &*seen.text).collect();
        accepted.iter().filter(|number| !seen.contains(&format!("Pace{number:05}"))).count()
    };
    within(2 * PACE, wecom.sandbox.wait_until(|_| missing() == 0)).await;
    assert_eq!(members::count(&wecom.sandbox, MemberOutcome::Dropped), 0);
    relay.signal("TERM");
    assert!(relay.ended().await.success());
}
