//! Stored reasons in Chinese.
//!
//! The outbox stores the English text alone, because logs and commands show it. Notices and the console read its parts
//! again to show it in Chinese.

use std::net::IpAddr;

use super::advice::{TRANSPORT_ADVICE, advice};
use crate::{
    language::{Bilingual, Language},
    wecom::{Api, ApiError, Errcode},
};

/// The Chinese text for `reason`, if that begins with [`advice()`] or [`super::transport_advice()`] in English.
pub fn chinese(reason: &str) -> Option<String> {
    refusal(reason).or_else(|| unknown_errcode(reason)).or_else(|| transport(reason))
}

fn refusal(reason: &str) -> Option<String> {
    let (api, rest) = reason.strip_prefix("WeCom refused ")?.split_once(" (")?;
    let (errcode, rest) = rest.split_once("): ")?;
    let ip = rest.strip_prefix("IP ").and_then(|rest| rest.split(' ').next());
    let errmsg = match ip.filter(|ip| ip.parse::<IpAddr>().is_ok()) {
        Some(ip) => format!("from ip: {ip}"),
        None => String::new(),
    };
    let error = ApiError { api: Api::named(api)?, errcode: Errcode(errcode.parse().ok()?), errmsg };
    // An errcode that an older version knew would be shown as one without a text.
    super::entry_of(&error)?;
    Some(advice(&error, Language::Zh))
}

fn unknown_errcode(reason: &str) -> Option<String> {
    let rest = reason.strip_prefix("WeCom refused ")?;
    let (api, rest) = rest.split_once(" with the unknown errcode ")?;
    let (errcode, errmsg) = rest.split_once(" and the text: ")?;
    let errcode = Errcode(errcode.parse().ok()?);
    Some(advice(&ApiError { api: Api::named(api)?, errcode, errmsg: errmsg.to_owned() }, Language::Zh))
}

fn transport(reason: &str) -> Option<String> {
    let (api, rest) = reason.split_once(" got no reply from WeCom (")?;
    let api = Api::named(api)?.name();
    let known = |advice: &&Bilingual<&str>| rest.contains(&format!("). {}.", advice.en));
    let advice = TRANSPORT_ADVICE.iter().find(known)?;
    let (detail, _) = rest.split_once(&format!("). {}.", advice.en))?;
    Some(format!("{api} 没有得到企业微信的响应（{detail}）。{}。", advice.zh))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wecom::{TransportError, TransportErrorKind, errcode};

    fn error(api: Api, errcode: i64, errmsg: &str) -> ApiError {
        ApiError { api, errcode: Errcode(errcode), errmsg: errmsg.to_owned() }
    }

    fn assert_is_translated(error: &ApiError) {
        let stored = advice(error, Language::En);
        assert_eq!(chinese(&stored), Some(advice(error, Language::Zh)), "{stored}");
        assert!(chinese(&format!("{stored} WeCom's text: x")).is_some(), "{stored}");
    }

    #[test]
    fn the_reason_of_every_errcode_is_translated() {
        for entry in errcode::entries() {
            assert_is_translated(&error(Api::MessageSend, entry.errcode.0, ""));
        }
        for (apis, entry) in errcode::entries_by_api() {
            apis.iter().for_each(|api| assert_is_translated(&error(*api, entry.errcode.0, "")));
        }
        assert_is_translated(&error(Api::GetToken, 12345, "some words"));
    }

    #[test]
    fn the_chinese_text_has_the_ip_that_wecom_saw() {
        let stored =
            advice(&error(Api::MessageSend, 60020, "x, from ip: 203.0.113.7, more info"), Language::En);
        let expected = "企业微信拒绝 message/send（60020）：IP 203.0.113.7 不在该应用的企业可信IP 中。请在管理后台 → 应用管理 → 该应用 → 企业可信IP 中添加，约一分钟后生效。";
        assert_eq!(chinese(&stored).as_deref(), Some(expected));
    }

    #[test]
    fn the_reason_of_a_missing_reply_is_translated() {
        let error = TransportError {
            api: Api::MessageSend,
            kind: TransportErrorKind::Connect,
            detail: "refused (os error 111). Nothing listens".to_owned(),
        };
        let stored = errcode::transport_advice(&error, Language::En);
        assert_eq!(chinese(&stored), Some(errcode::transport_advice(&error, Language::Zh)));
    }

    #[test]
    fn other_reasons_are_not_translated() {
        assert_eq!(chinese("not delivered within 24h"), None);
        assert_eq!(chinese("WeCom refused message/send (424242): gone from the table."), None);
    }
}
