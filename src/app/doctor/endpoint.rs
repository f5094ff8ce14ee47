//! Checks of the proxy, TLS, the API server and its clock, from one call without parameters.

use jiff::{SignedDuration, Timestamp};

use super::credentials::in_both;
use crate::{
    doctor::Finding,
    language::Bilingual,
    wecom::{
        TransportErrorKind,
        client::{InvalidCertificate, ReachError, Reached, Stage},
        errcode,
    },
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
            let host = endpoint.host;
            let message = Bilingual::new(
                format!("{host} answers as WeCom does"),
                format!("{host} 的响应与企业微信一致"),
            );
            vec![secured(endpoint), Finding::ok("wecom", message), clock(reached, now)]
        }
        Err(unreached) => failed(endpoint, unreached),
    }
}

fn secured(endpoint: Endpoint<'_>) -> Finding {
    if endpoint.https {
        let host = endpoint.host;
        let message =
            Bilingual::new(format!("the certificate of {host} is trusted"), format!("{host} 的证书可信"));
        return Finding::ok("tls", message);
    }
    Finding::ok("tls", Bilingual::new("not used, because api_url is http", "未使用，因为 api_url 是 http"))
}

fn failed(endpoint: Endpoint<'_>, unreached: &ReachError) -> Vec<Finding> {
    let ReachError { stage, error: fault } = unreached;
    let (host, detail) = (endpoint.host, fault.detail.clone());
    match stage {
        Stage::ProxyLogin => vec![Finding::failed(
            "proxy",
            Bilingual::new("it refuses the login (407)", "代理拒绝登录（407）"),
            Bilingual::new(
                "write the proxy's user and password into proxy_url, with special characters percent-encoded: \
                 http://user:password@proxy.example.com:3128",
                "请把代理的用户名和密码写入 proxy_url，特殊字符用百分号编码：http://user:password@proxy.example.com:3128",
            ),
        )],
        Stage::Proxy => vec![Finding::failed(
            "proxy",
            Bilingual::new(
                format!("it does not allow calls to {host}: {detail}"),
                format!("代理不允许访问 {host}：{detail}"),
            ),
            Bilingual::new(
                format!(
                    "allow {host} port {} (CONNECT) in the proxy's rules, and check the scheme in proxy_url",
                    endpoint.port
                ),
                format!(
                    "请在代理规则中允许 {host} 端口 {}（CONNECT），并检查 proxy_url 的协议",
                    endpoint.port
                ),
            ),
        )],
        Stage::Certificate(reason) => vec![certificate(*reason, endpoint, detail)],
        Stage::Tls => vec![Finding::failed(
            "tls",
            Bilingual::new(
                format!("no TLS with {host}: {detail}"),
                format!("无法与 {host} 建立 TLS：{detail}"),
            ),
            Bilingual::new(
                "the server there is not an HTTPS server: check the scheme and port in api_url, and the firewalls and \
                 proxies in between",
                "对方不是 HTTPS 服务器：请检查 api_url 的协议和端口，以及中间的防火墙和代理",
            ),
        )],
        Stage::Other if fault.kind == TransportErrorKind::Connect => {
            vec![Finding::failed(
                "tls",
                Bilingual::new(
                    format!("no connection to {host}: {detail}"),
                    format!("无法连接 {host}：{detail}"),
                ),
                in_both(|language| errcode::transport_advice(fault, language)),
            )]
        }
        Stage::Other => {
            let help = in_both(|language| errcode::transport_advice(fault, language));
            let wecom = Finding::failed("wecom", Bilingual::same(detail), help);
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
    let message = match reason {
        InvalidCertificate::UnknownIssuer => Bilingual::new(
            format!("the certificate of {host} has an unknown issuer"),
            format!("{host} 的证书由未知的 CA 签发"),
        ),
        InvalidCertificate::Expired => {
            Bilingual::new(format!("the certificate of {host} has expired"), format!("{host} 的证书已过期"))
        }
        InvalidCertificate::NotYetValid => Bilingual::new(
            format!("the certificate of {host} is not valid yet"),
            format!("{host} 的证书尚未生效"),
        ),
        InvalidCertificate::WrongName => {
            Bilingual::new(format!("the certificate is not for {host}"), format!("证书不是 {host} 的"))
        }
        InvalidCertificate::Other => Bilingual::new(
            format!("the certificate of {host} is refused: {detail}"),
            format!("{host} 的证书被拒绝：{detail}"),
        ),
    };
    Finding::failed("tls", message, certificate_help(reason))
}

fn certificate_help(reason: InvalidCertificate) -> Bilingual<&'static str> {
    match reason {
        InvalidCertificate::UnknownIssuer => Bilingual::new(
            "a proxy or firewall intercepts TLS with its own certificate, or the server in api_url has a private one: \
             name the CA in ca_file of the app or in SSL_CERT_FILE, or exempt WeCom's host from the interception",
            "代理或防火墙用自己的证书拦截了 TLS，或 api_url 的服务器使用私有证书：请在该应用的 ca_file 或 SSL_CERT_FILE 中写明 CA，或对企业微信的主机取消拦截",
        ),
        InvalidCertificate::Expired => Bilingual::new(
            "correct this machine's clock if it is ahead; otherwise renew the certificate of the server in api_url",
            "如果本机时钟偏快，请校准；否则请更新 api_url 服务器的证书",
        ),
        InvalidCertificate::NotYetValid => Bilingual::new(
            "this machine's clock is probably behind: let NTP set it (timedatectl set-ntp true)",
            "本机时钟可能偏慢：请用 NTP 校时（timedatectl set-ntp true）",
        ),
        InvalidCertificate::WrongName => Bilingual::new(
            "write the host of the certificate into api_url, or check if DNS or a proxy leads to another server",
            "请在 api_url 中使用证书里的主机名，或检查 DNS、代理是否指向了别的服务器",
        ),
        InvalidCertificate::Other => Bilingual::new(
            "find the server, proxy or firewall that sends this certificate",
            "请找出发送这张证书的服务器、代理或防火墙",
        ),
    }
}

fn clock(reached: &Reached, now: Timestamp) -> Finding {
    let Some(date) = reached.date else {
        let message = Bilingual::new(
            "cannot be checked, because the answer has no Date",
            "无法检查，因为响应中没有 Date",
        );
        return Finding::warning("clock", message, Bilingual::new("", ""));
    };
    let ahead = now.duration_since(date);
    let (skew, is_behind) = (ahead.abs(), ahead.is_negative());
    let help = Bilingual::new(
        "let NTP set this machine's clock (timedatectl set-ntp true)",
        "请用 NTP 校准本机时钟（timedatectl set-ntp true）",
    );
    // Small differences are normal, because `Date` has whole seconds.
    if skew <= WARNING_SKEW {
        return Finding::ok("clock", Bilingual::new("agrees with WeCom's", "与企业微信一致"));
    }
    let seconds = skew.as_secs();
    let message = match is_behind {
        true => {
            Bilingual::new(format!("is {seconds} s behind WeCom's"), format!("比企业微信慢 {seconds} 秒"))
        }
        false => {
            Bilingual::new(format!("is {seconds} s ahead of WeCom's"), format!("比企业微信快 {seconds} 秒"))
        }
    };
    if skew > FAILURE_SKEW {
        Finding::failed("clock", message, help)
    } else {
        Finding::warning("clock", message, help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        doctor::FindingStatus as Status,
        wecom::{Api, TransportError},
    };

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
            assert!(found.message.en.contains(word), "{found:?}");
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
                matches!(found.as_slice(), [one] if one.has_failed() && one.help.en.contains(word)),
                "{found:?}"
            );
        }
    }
}
