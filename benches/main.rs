//! The benchmark: the speed and size of the relay, in the configuration that people run.
//!
//! The relay has its default limits, and its recipients are templates. Every server is a process of its own, on
//! loopback. This process generates the load and plays WeCom. Servers that are compared take turns in one run. A rate
//! or a time is the median of the rounds, and a ratio is the median of the rounds' quotients.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints figures, and it stops when something unexpected happens"
)]

mod accept;
mod arrivals;
mod console;
mod disk;
mod footprint;
mod growth;
mod http1;
mod json;
mod load;
mod machine;
mod options;
mod payload;
mod process;
mod reference;
mod relay;
mod render;
mod replicas;
mod report;
mod samples;
mod setup;
mod sink;
mod storm;
mod sweep;
mod table;

use options::{Action, Row};
use report::Report;
use setup::Setup;
use sink::Sink;

fn main() {
    match options::read(std::env::args().skip(1)) {
        Action::Help(text) => print!("{text}"),
        Action::Compare { before, after } => print!("{}", json::compare(&before, &after)),
        Action::RunChild { role, argument } if role == "growth" => growth::run_child(&argument),
        Action::RunChild { role, argument } => reference::run_child(&role, &argument),
        Action::Measure { setup, rows, json } => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let machine = machine::describe(&setup);
            for (name, value) in &machine {
                println!("{name}: {value}");
            }
            let report = runtime.block_on(measure(&setup, &rows));
            print!("{}", report::targets(&report.targets));
            json::write(&json, &machine, &report);
            println!("\nwritten to {}", json.display());
        }
    }
}

async fn measure(setup: &Setup, rows: &[(&'static str, Row)]) -> Report {
    let sink = Sink::start().await;
    let mut all = Report::default();
    for (name, row) in rows {
        eprintln!("measuring {name}");
        let report = match row {
            Row::Relay1 => relay::run(setup, &sink, 1).await,
            Row::Relay16 => relay::run(setup, &sink, 16).await,
            Row::Relay64 => relay::run(setup, &sink, 64).await,
            Row::Sweep => sweep::run(setup, &sink).await,
            Row::Accept => accept::run(setup, &sink).await,
            Row::Console => console::run(setup, &sink).await,
            Row::Replicas => replicas::run(setup, &sink).await,
            Row::Growth => growth::run(setup, &sink).await,
            Row::Footprint => footprint::run(setup, &sink).await,
            Row::Storm => storm::run(setup, &sink).await,
            Row::Render => render::run(setup),
        };
        for table in &report.tables {
            print!("{table}");
        }
        all.extend(report);
    }
    all
}
