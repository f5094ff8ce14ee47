//! Advice for operators: the problem, then the fix.

use std::net::IpAddr;

use super::{
    class::{entry_of, may_depend_on_content},
    entry::{Entry, NOT_TRUSTED},
};
use crate::{
    language::{Bilingual, Language},
    wecom::{ApiError, Outcome, TransportError, TransportErrorKind},
};

/// This machine's IP as WeCom saw it, from the `from ip: …` of an errmsg. Use it in texts only.
pub fn seen_ip(errmsg: &str) -> Option<&str> {
    let (_, rest) = errmsg.split_once("from ip:")?;
    let ip = rest.split(',').next()?.trim();
    ip.parse::<IpAddr>().is_ok().then_some(ip)
}

/// Describes a refusal of WeCom and its fix in one line.
pub fn advice(error: &ApiError, language: Language) -> String {
    let ApiError { api, errcode, errmsg } = error;
    let api = api.name();
    let Some(Entry { meaning, fix, .. }) = entry_of(error) else {
        return match language {
            Language::En => {
                format!("WeCom refused {api} with the unknown errcode {errcode} and the text: {errmsg}")
            }
            Language::Zh => format!("企业微信拒绝 {api}，errcode {errcode} 不在已知之列，原文：{errmsg}"),
        };
    };
    let meaning = match seen_ip(errmsg) {
        Some(ip) if *errcode == NOT_TRUSTED => match language {
            Language::En => format!("IP {ip} is not a trusted IP of the app"),
            Language::Zh => format!("IP {ip} 不在该应用的企业可信IP 中"),
        },
        _ => (*meaning.get(language)).to_owned(),
    };
    let fix = fix.map(|fix| *fix.get(language));
    match (language, fix) {
        (Language::En, Some(fix)) => format!("WeCom refused {api} ({errcode}): {meaning}. {fix}."),
        (Language::En, None) => format!("WeCom refused {api} ({errcode}): {meaning}."),
        (Language::Zh, Some(fix)) => format!("企业微信拒绝 {api}（{errcode}）：{meaning}。{fix}。"),
        (Language::Zh, None) => format!("企业微信拒绝 {api}（{errcode}）：{meaning}。"),
    }
}

const FIREWALL: Bilingual<&str> = Bilingual::new(
    "A server or proxy before WeCom refused the request. Check its rules, api_url and proxy_url",
    "企业微信之前的服务器或代理拒绝了请求。请检查它的规则、api_url 和 proxy_url",
);
const PROXY_LOGIN: Bilingual<&str> = Bilingual::new(
    "The proxy requires a login. Write its user and password into proxy_url",
    "代理要求登录。请把用户名和密码写入 proxy_url",
);
const WRONG_PATH: Bilingual<&str> = Bilingual::new(
    "api_url or proxy_url does not lead to WeCom's API. Correct its host or path",
    "api_url 或 proxy_url 没有通向企业微信的接口。请修正其中的主机或路径",
);
const BUSY: Bilingual<&str> = Bilingual::new(
    "A server or proxy before WeCom is busy. The relay tries again by itself",
    "企业微信之前的服务器或代理繁忙。relay 会自动重试",
);
const REDIRECT: Bilingual<&str> = Bilingual::new(
    "The relay does not follow redirects. Write the target of the redirect into api_url",
    "relay 不跟随重定向。请把重定向的目标写入 api_url",
);
const REFUSED: Bilingual<&str> = Bilingual::new(
    "A server or proxy before WeCom refused the request. Check api_url and proxy_url",
    "企业微信之前的服务器或代理拒绝了请求。请检查 api_url 和 proxy_url",
);
const SERVER_PROBLEM: Bilingual<&str> = Bilingual::new(
    "WeCom or a proxy before it has a problem. If this lasts, check proxy_url",
    "企业微信或它之前的代理有故障。如果持续，请检查 proxy_url",
);
const NO_CONNECTION: Bilingual<&str> = Bilingual::new(
    "The connection failed. Check DNS, the firewall, api_url and proxy_url",
    "连接失败。请检查 DNS、防火墙、api_url 和 proxy_url",
);
const NO_REPLY: Bilingual<&str> = Bilingual::new(
    "WeCom, the network or a proxy has a problem. If this lasts, check the network and proxy_url",
    "企业微信、网络或代理有故障。如果持续，请检查网络和 proxy_url",
);
const OTHER_SERVER: Bilingual<&str> = Bilingual::new(
    "Another server than WeCom answered. Check api_url and proxy_url",
    "响应的不是企业微信的服务器。请检查 api_url 和 proxy_url",
);

/// All texts of [`advice_on_transport`].
pub(super) const TRANSPORT_ADVICE: [Bilingual<&str>; 10] = [
    FIREWALL,
    PROXY_LOGIN,
    WRONG_PATH,
    BUSY,
    REDIRECT,
    REFUSED,
    SERVER_PROBLEM,
    NO_CONNECTION,
    NO_REPLY,
    OTHER_SERVER,
];

fn advice_on_transport(error: &TransportError) -> Bilingual<&'static str> {
    match error.kind {
        _ if may_depend_on_content(error) => FIREWALL,
        TransportErrorKind::Status(407) => PROXY_LOGIN,
        TransportErrorKind::Status(404) => WRONG_PATH,
        TransportErrorKind::Status(408 | 425 | 429) => BUSY,
        TransportErrorKind::Status(300..=399) => REDIRECT,
        TransportErrorKind::Status(400..=499) => REFUSED,
        TransportErrorKind::Status(_) => SERVER_PROBLEM,
        TransportErrorKind::Connect => NO_CONNECTION,
        TransportErrorKind::Timeout | TransportErrorKind::Lost => NO_REPLY,
        TransportErrorKind::InvalidReply => OTHER_SERVER,
    }
}

/// Describes a missing reply of WeCom, and the things to check, in one line.
pub fn transport_advice(error: &TransportError, language: Language) -> String {
    let (api, detail) = (error.api.name(), &error.detail);
    let advice = advice_on_transport(error);
    let advice = *advice.get(language);
    match language {
        Language::En => format!("{api} got no reply from WeCom ({detail}). {advice}."),
        Language::Zh => format!("{api} 没有得到企业微信的响应（{detail}）。{advice}。"),
    }
}

/// [`advice`] or [`transport_advice`], `None` for [`Outcome::Accepted`].
pub fn advice_of(outcome: &Outcome, language: Language) -> Option<String> {
    match outcome {
        Outcome::Accepted(_) => None,
        Outcome::Rejected(error) => Some(advice(error, language)),
        Outcome::NotSent(error) | Outcome::Unknown(error) => Some(transport_advice(error, language)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wecom::{Api, Errcode};

    fn api_error(errcode: i64, errmsg: &str) -> ApiError {
        ApiError { api: Api::MessageSend, errcode: Errcode(errcode), errmsg: errmsg.to_owned() }
    }

    #[test]
    fn the_ip_in_an_errmsg_is_found() {
        let errmsg =
            "not allow to access from your ip, hint: [166557], from ip: 203.0.113.4, more info at https://x";
        assert_eq!(seen_ip(errmsg), Some("203.0.113.4"));
        assert_eq!(seen_ip("…, from ip: 2001:db8::1, more info"), Some("2001:db8::1"));
        assert_eq!(seen_ip("…, from ip: , more info at https://x"), None);
        assert_eq!(seen_ip("invalid access_token"), None);
    }

    #[test]
    fn advice_contains_the_ip_that_wecom_saw() {
        let error = api_error(60020, "not allow to access from your ip, from ip: 203.0.113.4, more info");
        for language in [Language::En, Language::Zh] {
            let advice = advice(&error, language);
            assert!(advice.contains("IP 203.0.113.4") && advice.contains("企业可信IP"), "{advice}");
        }
    }

    #[test]
    fn advice_depends_on_the_call() {
        let robot = ApiError { api: Api::WebhookSend, ..api_error(45009, "") };
        let advice = |error: &ApiError| advice(error, Language::En);
        assert!(advice(&robot).contains("20 messages a minute"), "{}", advice(&robot));
        assert!(advice(&api_error(45009, "")).contains("wrong secret"));
        let chat = ApiError { api: Api::AppchatSend, ..api_error(48002, "") };
        assert!(advice(&chat).contains("root department"), "{}", advice(&chat));
    }

    #[test]
    fn advice_for_an_unknown_errcode_contains_wecoms_text() {
        for language in [Language::En, Language::Zh] {
            let advice = advice(&api_error(12345, "some words"), language);
            assert!(advice.contains("12345") && advice.contains("some words"), "{advice}");
        }
    }

    #[test]
    fn every_transport_error_has_advice_in_both_languages() {
        let kinds = [
            TransportErrorKind::Connect,
            TransportErrorKind::Timeout,
            TransportErrorKind::Lost,
            TransportErrorKind::InvalidReply,
        ];
        let statuses = [301, 400, 404, 407, 408, 429, 500].map(TransportErrorKind::Status);
        for kind in kinds.into_iter().chain(statuses) {
            for api in [Api::GetToken, Api::MessageSend] {
                let error = TransportError { api, kind, detail: "detail".to_owned() };
                assert!(TRANSPORT_ADVICE.contains(&advice_on_transport(&error)), "{error:?}");
            }
        }
    }
}
