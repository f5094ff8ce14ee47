//! What a call without parameters says of proxy, TLS, the server behind them and its clock.

use jiff::{SignedDuration, Timestamp};

use super::finding::Finding;
use crate::wecom::{
    TransportErrorKind,
    client::{InvalidCertificate, ReachError, Reached, Stage},
    errcode,
};

/// A clock that is off by more is worth a word: the times in logs and messages are wrong.
const NOTABLE_SKEW: SignedDuration = SignedDuration::from_secs(30);
/// And by more, certificates and whatever is dated by both sides fail.
const HARMFUL_SKEW: SignedDuration = SignedDuration::from_secs(300);

/// How the call was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) https: bool,
}

/// The findings for a call that ended at `now`; the last one failed if the call did.
pub(super) fn findings(way: Way<'_>, answer: &Result<Reached, ReachError>, now: Timestamp) -> Vec<Finding> {
    match answer {
        Ok(reached) => {
            vec![
                secured(way),
                Finding::ok("wecom", format!("{} answers as WeCom does", way.host)),
                clock(reached, now),
            ]
        }
        Err(unreached) => failed(way, unreached),
    }
}

fn secured(way: Way<'_>) -> Finding {
    if way.https {
        return Finding::ok("tls", format!("the certificate of {} is trusted", way.host));
    }
    Finding::ok("tls", "none, as api_url is http")
}

fn failed(way: Way<'_>, unreached: &ReachError) -> Vec<Finding> {
    let ReachError { stage, error: fault } = unreached;
    let (host, detail) = (way.host, fault.detail.clone());
    match stage {
        Stage::ProxyLogin => vec![Finding::failed(
            "proxy",
            "it refuses the login (407)",
            "give the proxy's user and password in proxy_url, special characters in them percent-encoded: \
             http://user:password@proxy.example.com:3128",
        )],
        Stage::Proxy => vec![Finding::failed(
            "proxy",
            format!("it does not let calls through to {host}: {detail}"),
            format!(
                "allow {host} port {} (CONNECT) in the proxy's rules, and see the scheme in proxy_url",
                way.port
            ),
        )],
        Stage::Certificate(why) => vec![certificate(*why, way, detail)],
        Stage::Tls => vec![Finding::failed(
            "tls",
            format!("no TLS with {host}: {detail}"),
            "something other than an HTTPS server answers there: see the scheme and port in api_url, and what \
             firewall or proxy is in between",
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
                // TLS may be what did not come about.
                TransportErrorKind::Timeout | TransportErrorKind::Lost => vec![wecom],
                _ => vec![secured(way), wecom],
            }
        }
    }
}

fn certificate(why: InvalidCertificate, way: Way<'_>, detail: String) -> Finding {
    let host = way.host;
    let (seen, mend) = match why {
        InvalidCertificate::UnknownIssuer => (
            format!("the certificate of {host} has an unknown issuer"),
            "a proxy or firewall in between opens TLS and shows a certificate of its own: exempt WeCom's host there; \
             or api_url names a server with a private certificate, and a public one is needed",
        ),
        InvalidCertificate::Expired => (
            format!("the certificate of {host} has expired"),
            "set this machine's clock right if it runs ahead; else have the certificate of the server in api_url renewed",
        ),
        InvalidCertificate::NotYetValid => (
            format!("the certificate of {host} is not valid yet"),
            "this machine's clock is slow, most likely: have it set by NTP",
        ),
        InvalidCertificate::WrongName => (
            format!("the certificate is not for {host}"),
            "write the host that the certificate is for into api_url, or see whether DNS or a proxy leads elsewhere",
        ),
        InvalidCertificate::Other => (
            format!("the certificate of {host} is refused: {detail}"),
            "see what server, proxy or firewall shows this certificate",
        ),
    };
    Finding::failed("tls", seen, mend)
}

fn clock(reached: &Reached, now: Timestamp) -> Finding {
    let Some(date) = reached.date else {
        return Finding::warning("clock", "the answer has no Date to compare with", "");
    };
    let ahead = now.duration_since(date);
    let (off, way) = (ahead.abs(), if ahead.is_negative() { "behind" } else { "ahead of" });
    let mend = "have this machine's clock set by NTP (timedatectl set-ntp true)";
    // `Date` has whole seconds and is as old as the answer.
    if off <= NOTABLE_SKEW {
        return Finding::ok("clock", "agrees with WeCom's");
    }
    let seen = format!("is {} s {way} WeCom's", off.as_secs());
    if off > HARMFUL_SKEW {
        Finding::failed("clock", seen, mend)
    } else {
        Finding::warning("clock", seen, mend)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Status, *};
    use crate::wecom::{Api, TransportError};

    const WAY: Way<'_> = Way { host: "qyapi.weixin.qq.com", port: 443, https: true };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_is_looked_at_by_how_far_it_is_off() {
        let now = at("2026-11-21T08:00:00Z");
        for (date, status, word) in [
            ("2026-11-21T07:59:31Z", Status::Ok, "agrees"),
            ("2026-11-21T07:59:00Z", Status::Warning, "60 s ahead of"),
            ("2026-11-21T08:10:00Z", Status::Failed, "600 s behind"),
        ] {
            let found = clock(&Reached { date: Some(at(date)) }, now);
            assert_eq!(found.status, status, "{date}");
            assert!(found.seen.contains(word), "{found:?}");
        }
        assert_eq!(clock(&Reached { date: None }, now).status, Status::Warning);
    }

    #[test]
    fn every_refused_certificate_says_what_to_do() {
        for (why, word) in [
            (InvalidCertificate::UnknownIssuer, "opens TLS"),
            (InvalidCertificate::Expired, "renewed"),
            (InvalidCertificate::NotYetValid, "NTP"),
            (InvalidCertificate::WrongName, "api_url"),
            (InvalidCertificate::Other, "shows this certificate"),
        ] {
            let fault = TransportError {
                api: Api::GetToken,
                kind: TransportErrorKind::Connect,
                detail: "bad".to_owned(),
            };
            let found = failed(WAY, &ReachError { stage: Stage::Certificate(why), error: fault });
            assert!(
                matches!(found.as_slice(), [one] if one.has_failed() && one.mend.contains(word)),
                "{found:?}"
            );
        }
    }
}
