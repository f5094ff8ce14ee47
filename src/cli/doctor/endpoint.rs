//! Checks of the proxy, TLS, the API server and its clock, from one call without parameters.

use jiff::{SignedDuration, Timestamp};

use super::finding::Finding;
use crate::wecom::{
    TransportErrorKind,
    client::{InvalidCertificate, ReachError, Reached, Stage},
    errcode,
};

/// A larger clock skew is a warning, because the times in logs and messages are wrong.
const WARNING_SKEW: SignedDuration = SignedDuration::from_secs(30);
/// A larger clock skew is a failure, because certificates are refused.
const FAILURE_SKEW: SignedDuration = SignedDuration::from_secs(300);

/// The API server of an app.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) https: bool,
}

/// The findings for a call that ended at `now`. The last one has failed if the call has failed.
pub(super) fn findings(
    endpoint: Endpoint<'_>,
    answer: &Result<Reached, ReachError>,
    now: Timestamp,
) -> Vec<Finding> {
    match answer {
        Ok(reached) => {
            vec![
                secured(endpoint),
                Finding::ok("wecom", format!("{} answers as WeCom does", endpoint.host)),
                clock(reached, now),
            ]
        }
        Err(unreached) => failed(endpoint, unreached),
    }
}

fn secured(endpoint: Endpoint<'_>) -> Finding {
    if endpoint.https {
        return Finding::ok("tls", format!("the certificate of {} is trusted", endpoint.host));
    }
    Finding::ok("tls", "not used, because api_url is http")
}

fn failed(endpoint: Endpoint<'_>, unreached: &ReachError) -> Vec<Finding> {
    let ReachError { stage, error: fault } = unreached;
    let (host, detail) = (endpoint.host, fault.detail.clone());
    match stage {
        Stage::ProxyLogin => vec![Finding::failed(
            "proxy",
            "it refuses the login (407)",
            "write the proxy's user and password into proxy_url, with special characters percent-encoded: \
             http://user:password@proxy.example.com:3128",
        )],
        Stage::Proxy => vec![Finding::failed(
            "proxy",
            format!("it does not allow calls to {host}: {detail}"),
            format!(
                "allow {host} port {} (CONNECT) in the proxy's rules, and check the scheme in proxy_url",
                endpoint.port
            ),
        )],
        Stage::Certificate(reason) => vec![certificate(*reason, endpoint, detail)],
        Stage::Tls => vec![Finding::failed(
            "tls",
            format!("no TLS with {host}: {detail}"),
            "the server there is not an HTTPS server: check the scheme and port in api_url, and the firewalls and \
             proxies in between",
        )],
        Stage::Other if fault.kind == TransportErrorKind::Connect => {
            vec![Finding::failed(
                "tls",
                format!("no connection to {host}: {detail}"),
                errcode::transport_advice(fault),
            )]
        }
        Stage::Other => {
            let wecom = Finding::failed("wecom", detail, errcode::transport_advice(fault));
            match fault.kind {
                // The TLS handshake itself may have failed.
                TransportErrorKind::Timeout | TransportErrorKind::Lost => vec![wecom],
                _ => vec![secured(endpoint), wecom],
            }
        }
    }
}

fn certificate(reason: InvalidCertificate, endpoint: Endpoint<'_>, detail: String) -> Finding {
    let host = endpoint.host;
    let (message, help) = match reason {
        InvalidCertificate::UnknownIssuer => (
            format!("the certificate of {host} has an unknown issuer"),
            "a proxy or firewall intercepts TLS with its own certificate, or the server in api_url has a private one: \
             name the CA in ca_file of the app or in SSL_CERT_FILE, or exempt WeCom's host from the interception",
        ),
        InvalidCertificate::Expired => (
            format!("the certificate of {host} has expired"),
            "correct this machine's clock if it is ahead; otherwise renew the certificate of the server in api_url",
        ),
        InvalidCertificate::NotYetValid => (
            format!("the certificate of {host} is not valid yet"),
            "this machine's clock is probably behind: let NTP set it (timedatectl set-ntp true)",
        ),
        InvalidCertificate::WrongName => (
            format!("the certificate is not for {host}"),
            "write the host of the certificate into api_url, or check if DNS or a proxy leads to another server",
        ),
        InvalidCertificate::Other => (
            format!("the certificate of {host} is refused: {detail}"),
            "find the server, proxy or firewall that sends this certificate",
        ),
    };
    Finding::failed("tls", message, help)
}

fn clock(reached: &Reached, now: Timestamp) -> Finding {
    let Some(date) = reached.date else {
        return Finding::warning("clock", "cannot be checked, because the answer has no Date", "");
    };
    let ahead = now.duration_since(date);
    let (skew, direction) = (ahead.abs(), if ahead.is_negative() { "behind" } else { "ahead of" });
    let help = "let NTP set this machine's clock (timedatectl set-ntp true)";
    // Small differences are normal, because `Date` has whole seconds.
    if skew <= WARNING_SKEW {
        return Finding::ok("clock", "agrees with WeCom's");
    }
    let message = format!("is {} s {direction} WeCom's", skew.as_secs());
    if skew > FAILURE_SKEW {
        Finding::failed("clock", message, help)
    } else {
        Finding::warning("clock", message, help)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Status, *};
    use crate::wecom::{Api, TransportError};

    const ENDPOINT: Endpoint<'_> = Endpoint { host: "qyapi.weixin.qq.com", port: 443, https: true };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_is_judged_by_its_skew() {
        let now = at("2026-11-21T08:00:00Z");
        for (date, status, word) in [
            ("2026-11-21T07:59:31Z", Status::Ok, "agrees"),
            ("2026-11-21T07:59:00Z", Status::Warning, "60 s ahead of"),
            ("2026-11-21T08:10:00Z", Status::Failed, "600 s behind"),
        ] {
            let found = clock(&Reached { date: Some(at(date)) }, now);
            assert_eq!(found.status, status, "{date}");
            assert!(found.message.contains(word), "{found:?}");
        }
        assert_eq!(clock(&Reached { date: None }, now).status, Status::Warning);
    }

    #[test]
    fn every_refused_certificate_has_help() {
        for (why, word) in [
            (InvalidCertificate::UnknownIssuer, "intercepts TLS"),
            (InvalidCertificate::Expired, "renew"),
            (InvalidCertificate::NotYetValid, "NTP"),
            (InvalidCertificate::WrongName, "api_url"),
            (InvalidCertificate::Other, "sends this certificate"),
        ] {
            let fault = TransportError {
                api: Api::GetToken,
                kind: TransportErrorKind::Connect,
                detail: "bad".to_owned(),
            };
            let found = failed(ENDPOINT, &ReachError { stage: Stage::Certificate(why), error: fault });
            assert!(
                matches!(found.as_slice(), [one] if one.has_failed() && one.help.contains(word)),
                "{found:?}"
            );
        }
    }
}
