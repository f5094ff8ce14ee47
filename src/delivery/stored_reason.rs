//! Reasons of the outbox in another language.
//!
//! The outbox stores the English text, because logs and commands show it. Its parts are read again to show it in Chinese.

use crate::{
    language::{Bilingual, Language},
    outbox::rules::{
        cards::CARD_CLOSED,
        stored::{DAMAGED, DIGEST_DISCARDED, DISCARDED},
    },
    wecom::errcode,
};

const NO_RECIPIENT: Bilingual<&str> = Bilingual::new("no recipient: {}", "没有接收人：{}");

/// A stored reason or detail of an attempt in `language`. A text of another origin is unchanged.
pub fn stored_reason(reason: &str, language: Language) -> String {
    let chinese = match language {
        Language::En => None,
        Language::Zh => chinese(reason),
    };
    chinese.unwrap_or_else(|| reason.to_owned())
}

fn chinese(reason: &str) -> Option<String> {
    expired(reason)
        .or_else(|| unanswered(reason))
        .or_else(|| errcode::chinese(reason))
        .or_else(|| attempt(reason))
        .or_else(|| fixed(reason))
}

fn expired(reason: &str) -> Option<String> {
    let rest = reason.strip_prefix("not delivered within ")?;
    let (limit, last) = rest.split_once(" (expire_after); last outcome: ")?;
    Some(format!(
        "超过 {limit} 仍未送达（expire_after）。最后一次尝试：{}",
        stored_reason(last, Language::Zh)
    ))
}

fn unanswered(reason: &str) -> Option<String> {
    let advice = reason.strip_prefix(
        "WeCom's answers do not come back, so members may have received messages that the relay still tries: ",
    )?;
    Some(format!(
        "收不到企业微信的响应，成员可能已经收到 relay 仍在重试的消息：{}如果企业微信只是变慢，请把应用的 timeout 设长。",
        errcode::chinese(advice)?
    ))
}

/// The outcome of an attempt.
fn attempt(detail: &str) -> Option<String> {
    if let Some((api, rest)) = detail.split_once(" answered errcode ") {
        let (errcode, errmsg) = rest.split_once(": ")?;
        return Some(format!("{api} 返回 errcode {errcode}：{errmsg}"));
    }
    if let Some((api, detail)) = detail.split_once(" was not reached: ") {
        return Some(format!("{api} 没有到达企业微信：{detail}"));
    }
    let (api, detail) = detail.split_once(" may have taken effect: ")?;
    Some(format!("{api} 可能已经生效：{detail}"))
}

fn fixed(text: &str) -> Option<String> {
    let chinese = match text {
        "accepted" => "企业微信已接受",
        DISCARDED => "已丢弃",
        "interrupted: the relay ended while it was sending this" => "中断：relay 在发送这条消息时结束",
        _ => {
            let sentences = [NO_RECIPIENT, DIGEST_DISCARDED, DAMAGED, CARD_CLOSED];
            return sentences.iter().find_map(|sentence| sentence.chinese_of(text, str::to_owned));
        }
    };
    Some(chinese.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_chinese(reason: &str) -> String {
        stored_reason(reason, Language::Zh)
    }

    #[test]
    fn every_kind_of_reason_is_translated() {
        let texts = [
            "not delivered within 24h (expire_after); last outcome: WeCom refused message/send (-1): WeCom is busy. WeCom's text: x",
            "WeCom's answers do not come back, so members may have received messages that the relay still tries: message/send got no reply from WeCom (timeout). WeCom, the network or a proxy has a problem. If this lasts, check the network and proxy_url. If WeCom is only slow, set a longer timeout for the app.",
            "message/send answered errcode 81013: user & party & tag all invalid",
            "message/send was not reached: refused",
            "message/send may have taken effect: timeout",
            "accepted",
            "no recipient: to_user is empty",
            "discarded",
            "digest 7 was discarded",
            "a row cannot be read: kind cannot be 9",
            "discarded: its card is resolved or recalled",
        ];
        let translated: Vec<_> = texts.map(in_chinese).into();
        insta::assert_snapshot!(translated.join("\n"), @"
        超过 24h 仍未送达（expire_after）。最后一次尝试：企业微信拒绝 message/send（-1）：企业微信系统繁忙。
        收不到企业微信的响应，成员可能已经收到 relay 仍在重试的消息：message/send 没有得到企业微信的响应（timeout）。企业微信、网络或代理有故障。如果持续，请检查网络和 proxy_url。如果企业微信只是变慢，请把应用的 timeout 设长。
        message/send 返回 errcode 81013：user & party & tag all invalid
        message/send 没有到达企业微信：refused
        message/send 可能已经生效：timeout
        企业微信已接受
        没有接收人：to_user is empty
        已丢弃
        汇总消息 7 已被丢弃
        有一行数据无法读取：kind cannot be 9
        已丢弃：卡片对应的告警已恢复，或卡片已撤回
        ");
    }

    #[test]
    fn other_texts_and_english_are_unchanged() {
        assert_eq!(in_chinese("some words"), "some words");
        assert_eq!(stored_reason("accepted", Language::En), "accepted");
    }
}
