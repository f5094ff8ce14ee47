//! Checks of the Alertmanager that gets the silences of pressed buttons.

use crate::{
    alertmanager::{
        Matchers, Silences, SilencesError, SilencesErrorKind,
        client::{AlertmanagerClient, ClusterStatus, ServerStatus},
    },
    doctor::{Finding, Findings},
    language::Bilingual,
};

use super::sequence::CheckSequence;

const SUBJECT: &str = "alertmanager";
/// The URL, its certificate, the credentials, and the list of silences.
const API: &str = "api v2";
const CLUSTER: &str = "cluster";
/// No silence has this label, so the answer is short.
const NO_ALERT: &str = "wecom-relay doctor";

/// Checks the Alertmanager. It creates nothing there.
pub(super) async fn check(client: Option<&AlertmanagerClient>, findings: &Findings) {
    let Some(client) = client else { return };
    let mut checks = CheckSequence::new(findings, SUBJECT.to_owned(), &[API, CLUSTER]);
    let matchers = Matchers::from([("alertname".to_owned(), NO_ALERT.to_owned())]);
    let listed = client.find(&matchers, NO_ALERT).await;
    if !checks.add(api(&client.url(), listed.err())) {
        checks.skip_rest(Bilingual::new("its API does not answer", "其 API 没有响应"));
        return;
    }
    checks.add(cluster(client.status().await));
}

fn api(url: &str, failure: Option<SilencesError>) -> Finding {
    let Some(SilencesError { kind, detail, .. }) = failure else {
        let message = Bilingual::new(
            format!("{url} answers, and the relay may read silences"),
            format!("{url} 响应正常，relay 可以读取静默"),
        );
        return Finding::ok(API, message);
    };
    let message = Bilingual::new(format!("{url}: {}", detail.en), format!("{url}：{}", detail.zh));
    let help = match kind {
        // The reason has the advice.
        SilencesErrorKind::Refused => Bilingual::default(),
        SilencesErrorKind::NotDone | SilencesErrorKind::Unknown => Bilingual::new(
            "buttons do nothing until this works: check alertmanager.url, and the firewall or network policy in between",
            "修复之前按钮不起作用：请检查 alertmanager.url，以及中间的防火墙或 NetworkPolicy",
        ),
    };
    Finding::failed(API, message, help)
}

fn cluster(status: Result<ServerStatus, SilencesError>) -> Finding {
    let status = match status {
        Ok(status) => status,
        Err(error) => {
            let help = Bilingual::new(
                "silences work; without the status, the relay does not notice a restart of Alertmanager",
                "静默不受影响；但读不到状态，relay 就无法察觉 Alertmanager 重启",
            );
            return Finding::warning(CLUSTER, error.detail, help);
        }
    };
    let version = status.version.map(|version| format!(" {version}")).unwrap_or_default();
    let Some(ClusterStatus { state, members }) = status.cluster else {
        let message = Bilingual::new(
            format!("Alertmanager{version} says nothing about a cluster"),
            format!("Alertmanager{version} 没有集群信息"),
        );
        return Finding::ok(CLUSTER, message);
    };
    match state.as_str() {
        "disabled" => {
            let message = Bilingual::new(
                format!("Alertmanager{version} is not part of a cluster"),
                format!("Alertmanager{version} 不属于集群"),
            );
            Finding::ok(CLUSTER, message)
        }
        "ready" => {
            let message = Bilingual::new(
                format!("Alertmanager{version} is ready, with {members} in the cluster"),
                format!("Alertmanager{version} 已就绪，集群中有 {members} 个成员"),
            );
            Finding::ok(CLUSTER, message)
        }
        other => {
            let message = Bilingual::new(
                format!("Alertmanager{version} is {other}, with {members} in the cluster"),
                format!("Alertmanager{version} 的状态是 {other}，集群中有 {members} 个成员"),
            );
            let help = Bilingual::new(
                "other members may not know a new silence yet: try again in a minute, then look into the log of Alertmanager",
                "其他成员可能还不知道新的静默：请一分钟后再试，仍未就绪则查看 Alertmanager 的日志",
            );
            Finding::warning(CLUSTER, message, help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::FindingStatus as Status;

    fn found(cluster: Option<(&str, usize)>) -> Finding {
        let cluster = cluster.map(|(state, members)| ClusterStatus { state: state.to_owned(), members });
        super::cluster(Ok(ServerStatus { version: Some("0.27.0".to_owned()), started_at: None, cluster }))
    }

    #[test]
    fn only_a_cluster_that_is_not_ready_is_a_warning() {
        assert_eq!(found(None).status, Status::Ok);
        assert_eq!(found(Some(("disabled", 0))).status, Status::Ok);
        let ready = found(Some(("ready", 2)));
        assert_eq!(ready.status, Status::Ok);
        assert_eq!(ready.message.en, "Alertmanager 0.27.0 is ready, with 2 in the cluster");
        let settling = found(Some(("settling", 1)));
        assert_eq!(settling.status, Status::Warning);
        assert!(settling.message.en.contains("is settling"), "{settling:?}");
    }

    #[test]
    fn a_status_that_cannot_be_read_is_a_warning() {
        let reason = Bilingual::new("no", "否");
        let (kind, url) = (SilencesErrorKind::Refused, "http://a.example".to_owned());
        let error = SilencesError { kind, reason, url, detail: reason.map(str::to_owned) };
        assert_eq!(super::cluster(Err(error)).status, Status::Warning);
    }
}
