//! Row `replicas`: the relay on PostgreSQL, beside what PostgreSQL itself can do in the same minute.
//!
//! The server has its default settings, and its files are in the folder of the other databases.

mod accept;
mod claim;
mod enqueue;
mod server;
mod store;
mod wakeup;

use crate::{report::Report, setup::Setup, sink::Sink, table::Table};

use server::Server;
pub(crate) use server::connect;

pub(crate) async fn run(setup: &Setup, sink: &Sink) -> Report {
    let mut report = Report::default();
    let Some(programs) = server::find() else {
        let mut table = Table::new("replicas", ["server"]);
        table.note("not measured: PostgreSQL is missing, apt-get install postgresql");
        report.tables.push(table);
        return report;
    };
    let server = Server::start(setup, &programs);
    report.extend(accept::run(setup, sink, &server).await);
    report.extend(enqueue::run(setup, &server).await);
    report.extend(wakeup::run(setup, sink, &server).await);
    report.extend(claim::run(setup, &server).await);
    report
}
