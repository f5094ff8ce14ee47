//! Checks of the callback: they verify its URL as WeCom does, on the relay itself and through the public address.

use std::{net::SocketAddr, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::Url;

use super::{
    callback_call::{CallbackFailure, CallbackReply, call},
    server::reachable,
};
use crate::{
    app::random::random_seed,
    clock::{Clock, SystemClock},
    config::{App, Config},
    doctor::{Finding, Findings},
    language::Bilingual,
    text::percent_encode,
    wecom::callback::CallbackKeys,
};

/// The URL for WeCom's console.
const URL: &str = "callback url";
/// The callback on the address on which the relay listens.
const LOCAL: &str = "callback";
/// The address of the configuration.
const ADDRESS: &str = "callback address";
/// The callback through `server.callback_external_url`.
const PUBLIC: &str = "public callback";
/// WeCom waits this long for the answer to a verification.
const WECOM_WAITS: Duration = Duration::from_secs(1);

/// The relay whose callback is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct CalledRelay {
    pub(super) address: SocketAddr,
    /// It is the process of these checks, so it must answer.
    pub(super) is_own: bool,
    /// A relay surely runs with this configuration, or with an earlier one.
    pub(super) runs: bool,
}

/// A verification as WeCom makes it.
struct Verification {
    query: String,
    /// The whole body of the right answer.
    expected: String,
}

/// Checks the callbacks of all apps.
pub(super) async fn check(config: &Config, relay: CalledRelay, limit: Duration, findings: &Findings) {
    let mut rng = StdRng::seed_from_u64(random_seed());
    for app in &config.apps {
        let Some(keys) = &app.callback else { continue };
        let subject = format!("app {}", app.name);
        findings.add(&subject, console_entry(app, config, relay));
        if let Some(moved) = moved(config, relay) {
            findings.add(&subject, moved);
        }
        let local = if config.server.security.tls.is_some() {
            Finding::skipped(LOCAL, &Bilingual::new(TLS_EN, TLS_ZH).into())
        } else {
            let base = format!("http://{}", reachable(relay.address));
            let answer = verify(&base, app, keys, limit, &mut rng).await;
            local_finding(relay, answer)
        };
        findings.add(&subject, local);
        if let Some(url) = &config.server.callback_external_url {
            let base = format!("{}{}", url.origin, url.prefix);
            let answer = verify(&base, app, keys, limit, &mut rng).await;
            findings.add(&subject, public_finding(&base, answer));
        }
    }
}

const TLS_EN: &str = "the relay uses TLS, and its certificate is for another name than the address";
const TLS_ZH: &str = "relay 使用 TLS，其证书不是为该地址签发的";

fn console_entry(app: &App, config: &Config, relay: CalledRelay) -> Finding {
    let path = path(app);
    let message = match &config.server.callback_external_url {
        Some(url) => Bilingual::new(
            format!(
                "enter {}{}{path} in WeCom's console (接收消息), with the Token and the EncodingAESKey of the configuration",
                url.origin, url.prefix
            ),
            format!(
                "在企业微信管理后台（接收消息 → 设置API接收）填写 {}{}{path}，Token 和 EncodingAESKey 与配置一致",
                url.origin, url.prefix
            ),
        ),
        None => Bilingual::new(
            format!(
                "enter the public URL of {path} at {} in WeCom's console (接收消息), with the Token and the EncodingAESKey of \
                 the configuration",
                relay.address
            ),
            format!(
                "在企业微信管理后台（接收消息 → 设置API接收）填写转发到 {} 上 {path} 的公网 URL，Token 和 EncodingAESKey 与配置一致",
                relay.address
            ),
        ),
    };
    Finding::ok(URL, message)
}

fn path(app: &App) -> String {
    format!("/callback/{}", percent_encode(app.name.as_str()))
}

impl Verification {
    fn new(keys: &CallbackKeys, rng: &mut StdRng) -> Self {
        let expected = format!("{:019}", rng.random_range(0..10_u64.pow(19)));
        let nonce = rng.random_range(0..10_u64.pow(10)).to_string();
        let timestamp = SystemClock.now().as_second().to_string();
        let echostr = keys.encrypt(rng.random(), expected.as_bytes());
        let signature = keys.sign(&timestamp, &nonce, &echostr);
        let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let echostr = percent_encode(&echostr);
        let query =
            format!("msg_signature={signature}&timestamp={timestamp}&nonce={nonce}&echostr={echostr}");
        Self { query, expected }
    }
}

/// `None` if `base` makes no URL.
async fn verify(
    base: &str,
    app: &App,
    keys: &CallbackKeys,
    limit: Duration,
    rng: &mut StdRng,
) -> Option<Result<Duration, Failure>> {
    let verification = Verification::new(keys, rng);
    let url = Url::parse(&format!("{base}{}?{}", path(app), verification.query)).ok()?;
    let reply = call(url, &app.connection.extra_roots, limit).await;
    Some(judge(reply, &verification.expected))
}

/// The reason why a verification would fail.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// Nothing listens there.
    Closed(String),
    NoAnswer(String),
    Slow(Duration),
    Status(u16),
    /// 200 with another body.
    Body,
}

fn judge(reply: Result<CallbackReply, CallbackFailure>, expected: &str) -> Result<Duration, Failure> {
    match reply {
        Err(failure) if failure.is_connect => Err(Failure::Closed(failure.detail)),
        Err(failure) => Err(Failure::NoAnswer(failure.detail)),
        Ok(reply) if reply.status != 200 => Err(Failure::Status(reply.status)),
        Ok(reply) if reply.body != expected.as_bytes() => Err(Failure::Body),
        Ok(reply) if reply.after > WECOM_WAITS => Err(Failure::Slow(reply.after)),
        Ok(reply) => Ok(reply.after),
    }
}

fn local_finding(relay: CalledRelay, result: Option<Result<Duration, Failure>>) -> Finding {
    let address = relay.address;
    let failure = match result {
        Some(Ok(after)) => return passed(LOCAL, after),
        Some(Err(Failure::Closed(_))) if !relay.runs => {
            let because = Bilingual::new("the relay does not run", "relay 没有运行").into();
            return Finding::skipped(LOCAL, &because);
        }
        Some(Err(Failure::Closed(_))) if !relay.is_own => return not_restarted(address),
        Some(Err(failure)) => failure,
        None => Failure::NoAnswer(address.to_string()),
    };
    let help = match failure {
        Failure::Slow(_) => SLOW,
        Failure::Status(403) => Bilingual::new(
            "the running relay has another token or encoding_aes_key: reload it; its log says why it refused",
            "运行中的 relay 使用的 token 或 encoding_aes_key 不同：请重新加载；拒绝原因见其日志",
        ),
        Failure::Status(404) => Bilingual::new(
            "restart the relay if server.callback_listen has changed; otherwise another program answers there",
            "如果修改过 server.callback_listen，请重启 relay；否则是别的程序在该地址响应",
        ),
        Failure::Closed(_) | Failure::NoAnswer(_) | Failure::Status(_) | Failure::Body => Bilingual::new(
            "check that the relay listens there, and read its log",
            "请确认 relay 在该地址监听，并查看其日志",
        ),
    };
    failed(LOCAL, &address.to_string(), &failure, help)
}

/// The address of the callback changes at a start only.
fn not_restarted(address: SocketAddr) -> Finding {
    let message = Bilingual::new(
        format!("the relay runs, and does not listen on {address}"),
        format!("relay 正在运行，但没有监听 {address}"),
    );
    Finding::failed(LOCAL, message, RESTART)
}

/// The finding in a running relay whose configuration has another address since its start.
fn moved(config: &Config, relay: CalledRelay) -> Option<Finding> {
    let configured = config.server.callback_address();
    // The system chooses a port for 0.
    if !relay.is_own || configured.port() == 0 || configured == relay.address {
        return None;
    }
    let message = Bilingual::new(
        format!("it is still on {}, and not on {configured}", relay.address),
        format!("仍在 {} 上，而不在 {configured} 上", relay.address),
    );
    Some(Finding::failed(ADDRESS, message, RESTART))
}

const RESTART: Bilingual<&str> = Bilingual::new(
    "restart the relay: a reload does not change server.callback_listen and server.listen",
    "请重启 relay：重新加载不会改变 server.callback_listen 和 server.listen",
);

fn public_finding(base: &str, result: Option<Result<Duration, Failure>>) -> Finding {
    let failure = match result {
        Some(Ok(after)) => return passed(PUBLIC, after),
        Some(Err(failure)) => failure,
        None => Failure::NoAnswer(base.to_owned()),
    };
    let help = match failure {
        Failure::Slow(_) => SLOW,
        Failure::Closed(_) | Failure::NoAnswer(_) => Bilingual::new(
            "check the DNS name, the firewall and the certificate of the proxy; docs/callback.md has an example",
            "请检查域名解析、防火墙和代理的证书；示例见 docs/zh-CN/callback.md",
        ),
        Failure::Status(403) => Bilingual::new(
            "the proxy must pass path and query unchanged to the relay; the log of the relay says why it refused",
            "代理必须原样转发路径和查询参数；拒绝原因见 relay 的日志",
        ),
        Failure::Status(_) => Bilingual::new(
            "let the proxy forward /callback/ to the relay; docs/callback.md has an example",
            "请让代理把 /callback/ 转发到 relay；示例见 docs/zh-CN/callback.md",
        ),
        Failure::Body => Bilingual::new(
            "something else answers there, or a proxy changes the body",
            "该地址由别的程序响应，或代理修改了响应内容",
        ),
    };
    failed(PUBLIC, base, &failure, help)
}

const SLOW: Bilingual<&str> = Bilingual::new(
    "WeCom waits 1 s: check the load of this machine and of the proxy",
    "企业微信只等待 1 秒：请检查本机和代理的负载",
);

fn passed(check: &'static str, after: Duration) -> Finding {
    let millis = after.as_millis();
    let message = Bilingual::new(
        format!("a verification as WeCom makes it is answered in {millis} ms"),
        format!("按企业微信的方式验证 URL，{millis} 毫秒后响应正确"),
    );
    Finding::ok(check, message)
}

fn failed(check: &'static str, place: &str, failure: &Failure, help: Bilingual<&str>) -> Finding {
    let message = match failure {
        Failure::Closed(detail) | Failure::NoAnswer(detail) => {
            Bilingual::new(format!("no answer from {place}: {detail}"), format!("{place} 没有响应：{detail}"))
        }
        Failure::Slow(after) => Bilingual::new(
            format!("{place} answered only after {:.1} s", after.as_secs_f64()),
            format!("{place} 在 {:.1} 秒后才响应", after.as_secs_f64()),
        ),
        Failure::Status(status) => {
            Bilingual::new(format!("{place} answered {status}"), format!("{place} 返回 {status}"))
        }
        Failure::Body => Bilingual::new(
            format!("{place} answered with another text than the decrypted one"),
            format!("{place} 返回的内容不是解密后的明文"),
        ),
    };
    Finding::failed(check, message, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str, millis: u64) -> Result<Duration, Failure> {
        let reply = CallbackReply { status, body: body.into(), after: Duration::from_millis(millis) };
        judge(Ok(reply), "123")
    }

    #[test]
    fn only_the_exact_text_within_a_second_passes() {
        assert!(judged(200, "123", 999).is_ok());
        assert_eq!(judged(200, "123\n", 1), Err(Failure::Body));
        assert_eq!(judged(200, "\"123\"", 1), Err(Failure::Body));
        assert_eq!(judged(403, "refused", 1), Err(Failure::Status(403)));
        assert_eq!(judged(200, "123", 1001), Err(Failure::Slow(Duration::from_millis(1001))));
    }

    #[test]
    fn a_relay_that_does_not_run_is_no_failure() {
        let closed = || Some(Err(Failure::Closed("refused".to_owned())));
        let relay = CalledRelay { address: ([127, 0, 0, 1], 1).into(), is_own: false, runs: false };
        assert!(!local_finding(relay, closed()).has_failed());
        assert!(local_finding(CalledRelay { is_own: true, runs: true, ..relay }, closed()).has_failed());
        let running = local_finding(CalledRelay { runs: true, ..relay }, closed());
        assert!(running.has_failed() && running.help.en.starts_with("restart the relay"), "{running:?}");
        assert!(public_finding("https://x", closed()).has_failed());
    }
}
