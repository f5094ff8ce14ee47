//! Advice for operators: the problem, then the fix.

use std::net::IpAddr;

use super::{
    class::{entry_of, may_depend_on_content},
    entry::{Entry, NOT_TRUSTED},
};
use crate::wecom::{ApiError, Outcome, TransportError, TransportErrorKind};

/// This machine's IP as WeCom saw it, from the `from ip: …` of an errmsg. Use it in texts only.
pub fn seen_ip(errmsg: &str) -> Option<&str> {
    let (_, rest) = errmsg.split_once("from ip:")?;
    let ip = rest.split(',').next()?.trim();
    ip.parse::<IpAddr>().is_ok().then_some(ip)
}

/// Describes a refusal of WeCom and its fix in one line.
pub fn advice(error: &ApiError) -> String {
    let ApiError { api, errcode, errmsg } = error;
    let api = api.name();
    let Some(Entry { meaning, fix, .. }) = entry_of(error) else {
        return format!("WeCom refused {api} with the unknown errcode {errcode} and the text: {errmsg}");
    };
    let meaning = match seen_ip(errmsg) {
        Some(ip) if *errcode == NOT_TRUSTED => format!("IP {ip} is not a trusted IP of the app"),
        _ => (*meaning).to_owned(),
    };
    match fix {
        Some(fix) => format!("WeCom refused {api} ({errcode}): {meaning}. {fix}."),
        None => format!("WeCom refused {api} ({errcode}): {meaning}."),
    }
}

/// Describes a missing reply of WeCom, and the things to check, in one line.
pub fn transport_advice(error: &TransportError) -> String {
    let (api, detail) = (error.api.name(), &error.detail);
    let advice = match error.kind {
        _ if may_depend_on_content(error) => {
            "A server or proxy before WeCom refused the request. Check its rules, api_url and proxy_url"
        }
        TransportErrorKind::Status(407) => {
            "The proxy requires a login. Write its user and password into proxy_url"
        }
        TransportErrorKind::Status(404) => {
            "api_url or proxy_url does not lead to WeCom's API. Correct its host or path"
        }
        TransportErrorKind::Status(408 | 425 | 429) => {
            "A server or proxy before WeCom is busy. The relay tries again by itself"
        }
        TransportErrorKind::Status(300..=399) => {
            "The relay does not follow redirects. Write the target of the redirect into api_url"
        }
        TransportErrorKind::Status(400..=499) => {
            "A server or proxy before WeCom refused the request. Check api_url and proxy_url"
        }
        TransportErrorKind::Status(_) => {
            "WeCom or a proxy before it has a problem. If this lasts, check proxy_url"
        }
        TransportErrorKind::Connect => {
            "The connection failed. Check DNS, the firewall, api_url and proxy_url"
        }
        TransportErrorKind::Timeout | TransportErrorKind::Lost => {
            "WeCom, the network or a proxy has a problem. If this lasts, check the network and proxy_url"
        }
        TransportErrorKind::InvalidReply => "Another server than WeCom answered. Check api_url and proxy_url",
    };
    format!("{api} got no reply from WeCom ({detail}). {advice}.")
}

/// [`advice`] or [`transport_advice`], `None` for [`Outcome::Accepted`].
pub fn advice_of(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Accepted(_) => None,
        Outcome::Rejected(error) => Some(advice(error)),
        Outcome::NotSent(error) | Outcome::Unknown(error) => Some(transport_advice(error)),
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
        let advice =
            advice(&api_error(60020, "not allow to access from your ip, from ip: 203.0.113.4, more info"));
        assert!(advice.contains("IP 203.0.113.4 is") && advice.contains("企业可信IP"), "{advice}");
    }

    #[test]
    fn advice_depends_on_the_call() {
        let robot = ApiError { api: Api::WebhookSend, ..api_error(45009, "") };
        assert!(advice(&robot).contains("20 messages a minute"), "{}", advice(&robot));
        assert!(advice(&api_error(45009, "")).contains("wrong secret"));
        let chat = ApiError { api: Api::AppchatSend, ..api_error(48002, "") };
        assert!(advice(&chat).contains("root department"), "{}", advice(&chat));
    }

    #[test]
    fn advice_for_an_unknown_errcode_contains_wecoms_text() {
        let advice = advice(&api_error(12345, "some words"));
        assert!(advice.contains("12345") && advice.contains("some words"), "{advice}");
    }
}
