//! `doctor` in a running relay.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    configuration::{CONFIGURATION, not_valid, valid},
    examine::examine,
};
use crate::{
    app::{
        prepare::{PrepareOptions, Prepared},
        tuning::Tuning,
    },
    config::Config,
    doctor::{DoctorRequests, Findings},
    wecom::token::TokenCaches,
};

/// The longest wait for each step.
const STEP: Duration = Duration::from_secs(10);

/// The parts of the relay that the checks use.
pub(in crate::app) struct DoctorInput {
    pub(in crate::app) config: watch::Receiver<Arc<Config>>,
    pub(in crate::app) token_caches: Arc<TokenCaches>,
    pub(in crate::app) tuning: Tuning,
}

/// Makes the checks whenever they are requested, until the stop.
pub(in crate::app) async fn run(mut requests: DoctorRequests, input: DoctorInput, stop: CancellationToken) {
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

async fn check(requests: &DoctorRequests, input: &DoctorInput) {
    let (findings, mut found) = Findings::channel();
    let config = input.config.borrow().as_ref().clone();
    let tuning = Tuning { call_timeout: STEP, ..input.tuning.clone() };
    let options = PrepareOptions { tuning, token_caches: Some(Arc::clone(&input.token_caches)) };
    // Compiling the templates takes a while.
    let prepared = tokio::task::spawn_blocking(move || Prepared::new(config, options)).await;
    let examined = async move {
        match prepared {
            Ok(Ok(prepared)) => {
                findings.add(CONFIGURATION, valid(&prepared.config));
                examine(&prepared, STEP, &findings).await;
            }
            Ok(Err(problems)) => {
                for problem in problems.iter() {
                    findings.add(CONFIGURATION, not_valid(problem.to_string()));
                }
            }
            Err(error) => findings.add(CONFIGURATION, not_valid(error.to_string())),
        }
    };
    let recorded = async {
        while let Some(finding) = found.next().await {
            requests.latest.send_modify(|latest| latest.findings.push(finding));
        }
    };
    tokio::join!(examined, recorded);
}
