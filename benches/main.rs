//! How fast the relay is, and how small: `cargo bench`, and what the README says of it.
//!
//! Every server is a process of its own, on loopback, and so is what it is compared with; this process posts and
//! plays WeCom. Rates and times that are compared are measured in turn, in one run; the median of the rounds counts,
//! and of a ratio the median of the rounds' quotients. What `growth` and `footprint` say of memory and files was looked
//! at once.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement that meets the unexpected stops there, and the figures are what this is for"
)]

mod accept;
mod arrivals;
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
mod report;
mod samples;
mod setup;
mod sink;
mod storm;
mod table;

use options::{Action, PARTS};
use report::Report;
use setup::Setup;
use sink::Sink;

fn main() {
    match options::read(std::env::args().skip(1)) {
        Action::Help(text) => print!("{text}"),
        Action::Compare { before, after } => print!("{}", json::compare(&before, &after)),
        Action::Play { role, argument } if role == "growth" => growth::play(&argument),
        Action::Play { role, argument } => reference::play(&role, &argument),
        Action::Measure { setup, parts, json } => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let machine = machine::describe(&setup);
            for (name, value) in &machine {
                println!("{name}: {value}");
            }
            let report = runtime.block_on(measure(&setup, &parts));
            print!("{}", report::targets(&report.targets));
            json::write(&json, &machine, &report);
            println!("\nwritten to {}", json.display());
        }
    }
}

async fn measure(setup: &Setup, parts: &[String]) -> Report {
    let sink = Sink::start().await;
    let mut all = Report::default();
    for part in PARTS.iter().filter(|part| parts.is_empty() || parts.iter().any(|wanted| wanted == *part)) {
        eprintln!("measuring {part} …");
        let report = match *part {
            "accept" => accept::run(setup, &sink).await,
            "relay" => relay::run(setup, &sink).await,
            "render" => render::run(setup),
            "storm" => storm::run(setup, &sink).await,
            "growth" => growth::run(setup, &sink).await,
            _ => footprint::run(setup, &sink).await,
        };
        for table in &report.tables {
            print!("{table}");
        }
        all.extend(report);
    }
    all
}
