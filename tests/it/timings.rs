//! Measures times with WeCom's real windows and the default delays. The figures are printed and not checked. Run it by
//! hand, in release mode, on an idle machine.
#![expect(clippy::print_stdout, reason = "these tests print figures")]

use std::{fs, time::Duration};

use futures_util::{StreamExt, future::join_all, stream};
use tokio::time::{Instant, sleep};
use wecom_relay::sandbox::{Api, Effect, Fault, Settings};

use crate::{
    storm,
    support::{
        Options, Process, Relay, Wecom, config_file,
        members::{BY_MEMBER, member, payload_for},
        payload,
    },
};

/// The duration of each fault.
const FAULT: Duration = Duration::from_secs(15);
const MEMBERS: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes two minutes and prints figures"]
async fn times_of_faults_and_storms() {
    let status = || Fault::new(Effect::HttpStatus { status: 500, body: String::new(), taken: false });
    let rows = [
        ("45009", Fault::errcode(45009), "20"),
        ("-1", Fault::errcode(-1), "20"),
        ("60020", Fault::errcode(60020), "never"),
        ("HTTP 500", status(), "16"),
        ("gettoken: -1", Fault::errcode(-1).on(Api::Gettoken), "never"),
        ("gettoken: HTTP 500", status().on(Api::Gettoken), "16"),
        ("black hole", Fault::new(Effect::Hang { taken: false }), "-"),
    ];
    println!("A fault of {} s; seconds from its beginning to the delivery:", FAULT.as_secs());
    let faults = rows.map(|(name, fault, native)| async move {
        let wecom = Wecom::live(Settings::default()).await;
        let relay = Relay::start(&wecom.url).await;
        wecom.sandbox.inject(fault.lasting(FAULT));
        let began = Instant::now();
        relay.post(&payload("Down", &[("a", true)])).await;
        wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
        let took = began.elapsed().as_secs_f64();
        println!("  {name:<20} relay {took:>5.1}   native at best {native}");
        relay.stop().await;
    });
    let storms = async {
        let wecom = Wecom::live(Settings::default()).await;
        let relay = Relay::start(&wecom.url).await;
        for (fires, whole, line) in storm::STAGES {
            let began = Instant::now();
            storm::post(&relay, fires).await;
            wecom.sandbox.wait_until(|_| storm::visible(&wecom, whole, line) == storm::GROUPS).await;
            let (took, messages) = (began.elapsed().as_secs_f64(), wecom.sandbox.messages().len());
            println!("  500 groups, {line}: all visible after {took:.1} s; {messages} messages so far");
            sleep(Duration::from_secs(60)).await;
        }
        println!("  dropped by the sandbox: {}", storm::dropped(&wecom));
        relay.stop().await;
    };
    tokio::join!(join_all(faults), storms);
}

/// Resident memory of a process, in MiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and prints figures"]
async fn memory_and_drain_of_a_held_app_with_100_000_messages() {
    let wecom = Wecom::with_members(MEMBERS).await;
    let (_folder, config) =
        config_file(&wecom.url, &Options { receivers: BY_MEMBER.to_owned(), ..Options::default() });
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    let relay = Process::start(&config).await;
    let alert = |n: usize| payload_for(&member(n % MEMBERS), &format!("Group{n}"), &[("a", true)]);
    let (mut count, began) = (0, Instant::now());
    for upto in [1, 1_000, 10_000, 100_000] {
        let posts = (count..upto).map(|n| {
            let (relay, alert) = (&relay, &alert);
            async move {
                assert_eq!(relay.post(&alert(n)).await, Some(200));
            }
        });
        stream::iter(posts).buffer_unordered(64).for_each(async |()| {}).await;
        count = upto;
        let (mib, secs) = (resident(relay.pid()), began.elapsed().as_secs_f64());
        println!("{count:>7} waiting after {secs:>6.1} s: {mib} MiB resident");
    }
    wecom.sandbox.clear_faults();
    let fixed_at = Instant::now();
    wecom.sandbox.wait_until(|sandbox| sandbox.messages().len() >= 2).await;
    let first = fixed_at.elapsed().as_secs_f64();
    println!("fixed: sending resumed after {first:.1} s (the next probe)");
    wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() >= 100_000).await;
    println!(
        "drained {:.1} s after that, {} MiB resident",
        fixed_at.elapsed().as_secs_f64() - first,
        resident(relay.pid())
    );
    relay.kill().await;
}
