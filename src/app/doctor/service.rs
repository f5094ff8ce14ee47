//! `doctor` in a running relay.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    configuration::{CONFIGURATION, not_valid, valid},
    examine::examine_this_relay,
    server::ThisRelay,
};
use crate::{
    app::{
        prepare::{PrepareOptions, Prepared},
        tuning::Tuning,
    },
    config::{Config, Database},
    doctor::{DoctorRequests, Finding, Findings},
    language::Bilingual,
    outbox::{Hold, Outbox},
    wecom::token::TokenCaches,
};

/// The longest wait for each step.
const STEP: Duration = Duration::from_secs(10);

/// The parts of the relay that the checks use.
pub(in crate::app) struct DoctorInput<O> {
    pub(in crate::app) config: watch::Receiver<Arc<Config>>,
    pub(in crate::app) token_caches: Arc<TokenCaches>,
    pub(in crate::app) tuning: Tuning,
    pub(in crate::app) outbox: O,
    /// The database of the start. A relay uses another one only after a restart.
    pub(in crate::app) database: Database,
    /// The address on which the relay listens.
    pub(in crate::app) listen: SocketAddr,
    /// The address on which the relay serves the callback.
    pub(in crate::app) callback: SocketAddr,
}

/// Makes the checks whenever they are requested, until the stop.
pub(in crate::app) async fn run<O: Outbox>(
    mut requests: DoctorRequests,
    input: DoctorInput<O>,
    stop: CancellationToken,
) {
    while let Some(Some(())) = stop.run_until_cancelled(requests.starts.recv()).await {
        let checks = check(&requests, &input);
        let finished = stop.run_until_cancelled(checks).await;
        requests.latest.send_modify(|latest| latest.is_running = false);
        if finished.is_none() {
            return;
        }
    }
    // A handle may outlive the requests.
    stop.cancelled().await;
}

async fn check<O: Outbox>(requests: &DoctorRequests, input: &DoctorInput<O>) {
    let (findings, mut found) = Findings::channel();
    let mut config = input.config.borrow().as_ref().clone();
    // Two databases of PostgreSQL may differ in the password only, which needs no restart.
    if !matches!((&input.database, &config.outbox.database), (Database::Postgres(_), Database::Postgres(_))) {
        config.outbox.database = input.database.clone();
    }
    // The findings end with the checks, and then the record ends too.
    let examined = async move { guarded(examine(config, input, &findings), &findings).await };
    let recorded = async {
        while let Some(finding) = found.next().await {
            requests.latest.send_modify(|latest| latest.findings.push(finding));
        }
    };
    tokio::join!(examined, recorded);
}

async fn examine<O: Outbox>(config: Config, input: &DoctorInput<O>, findings: &Findings) {
    let tuning = Tuning { call_timeout: STEP, ..input.tuning.clone() };
    let options = PrepareOptions { tuning, token_caches: Some(Arc::clone(&input.token_caches)) };
    // Compiling the templates takes a while.
    let prepared = tokio::task::spawn_blocking(move || Prepared::new(config, options)).await;
    let prepared = match prepared.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(prepared) => prepared,
        Err(Ok(panic)) => resume_unwind(panic),
        // The relay is stopping.
        Err(Err(_cancelled)) => return,
    };
    match prepared {
        Ok(prepared) => {
            findings.add(CONFIGURATION, valid(&prepared.config));
            let relay =
                ThisRelay { listen: input.listen, callback: input.callback, holds: holds(input).await };
            examine_this_relay(&prepared, &relay, STEP, findings).await;
        }
        Err(problems) => {
            for problem in problems.iter() {
                findings.add(CONFIGURATION, not_valid(problem.to_string()));
            }
        }
    }
}

/// The holds in an outbox in a file. The checks of PostgreSQL read their own.
async fn holds<O: Outbox>(input: &DoctorInput<O>) -> Result<Vec<Hold>, String> {
    if matches!(input.database, Database::Postgres(_)) {
        return Ok(Vec::new());
    }
    match timeout(STEP, input.outbox.holds()).await {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the outbox did not answer within {} s", STEP.as_secs())),
    }
}

/// Makes the checks. A panic in one of them is a finding, and does not end the relay.
async fn guarded(checks: impl Future<Output = ()>, findings: &Findings) {
    if AssertUnwindSafe(checks).catch_unwind().await.is_err() {
        let message = Bilingual::new(
            "a check ended with a panic, and the later ones were not made",
            "某项检查发生 panic，其后的检查未执行",
        );
        let help = Bilingual::new(
            "this is a mistake of wecom-relay: report it with the line of the log",
            "这是 wecom-relay 的缺陷：请附上该行日志反馈",
        );
        findings.add("server", Finding::failed("doctor", message, help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_check_is_a_failed_finding() {
        let (findings, mut found) = Findings::channel();
        guarded(async { panic!("a mistake") }, &findings).await;
        drop(findings);
        let finding = found.next().await.unwrap();
        assert!(finding.has_failed() && finding.message.en.contains("panic"), "{finding:?}");
        assert_eq!(found.next().await, None);
    }
}
