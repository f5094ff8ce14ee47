//! Advice in Chinese, for notices to members. Logs and commands have it in English.

use std::net::IpAddr;

use super::entry::NOT_TRUSTED;
use crate::wecom::Errcode;

/// The errcodes that an operator meets most often, with the problem and its fix.
const ADVICE: [(i64, &str); 21] = [
    (-1, "企业微信系统繁忙"),
    (
        40001,
        "api_secret 与 corp_id 不匹配、已被重置，或应用已停用。请在管理后台核对企业ID 和应用的 Secret，并确认应用已启用",
    ),
    (40003, "成员账号无效。请使用管理后台 → 通讯录中的“账号”"),
    (40013, "corp_id 无效。请从管理后台 → 我的企业 → 企业ID 复制"),
    (40050, "群聊不存在。请用该应用创建群聊（wecom-relay chat create），并使用它的 chatid"),
    (40056, "agent_id 不是本企业的应用。请从管理后台 → 应用管理 → 该应用复制 AgentId"),
    (45002, "消息内容过长"),
    (45009, "调用次数达到企业微信上限。请确认没有其他程序以同一公网 IP 使用错误的 Secret"),
    (48002, "该应用无权调用此接口。请使用自建应用的 Secret，而不是通讯录同步的 Secret"),
    (60011, "应用无权查看某个成员、部门或标签。请在管理后台 → 应用管理 → 该应用 → 可见范围中添加"),
    (
        60020,
        "本机公网 IP 不在该应用的企业可信IP 中。请在管理后台 → 应用管理 → 该应用 → 企业可信IP 中添加，约一分钟后生效",
    ),
    (60021, "成员不在应用的可见范围内。请在管理后台 → 应用管理 → 该应用 → 可见范围中添加"),
    (60111, "成员账号不存在或不可见。请在管理后台 → 应用管理 → 该应用 → 可见范围中添加"),
    (
        81013,
        "收件成员、部门、标签都收不到消息。请确认它们存在，并已加入管理后台 → 应用管理 → 该应用 → 可见范围",
    ),
    (86001, "chatid 无效。请使用该应用所创建群聊的 chatid"),
    (86008, "该群聊由另一个应用创建。请用本应用创建群聊（wecom-relay chat create），并使用它的 chatid"),
    (
        93000,
        "机器人的 Webhook 地址无效，或机器人已被移除。请在群设置 → 消息推送中重新复制地址，填入机器人的 key",
    ),
    (93004, "机器人已被停用。请在群里重新启用，或请企业微信管理员允许使用机器人"),
    (93006, "机器人所在的群无效。请在群设置 → 消息推送中重新复制 Webhook 地址，填入机器人的 key"),
    (93008, "机器人不在群里。请把机器人加回群，或添加新的机器人并把 Webhook 地址填入 key"),
    (301002, "access token 属于另一个应用。请从管理后台 → 应用管理 → 同一个应用复制 agent_id 和 Secret"),
];

/// Advice that depends on the call, by the beginning of its name.
const ADVICE_BY_API: [(&str, i64, &str); 2] = [
    (
        "webhook/",
        45009,
        "机器人已达到每分钟 20 条的上限。请不要在其他程序中使用同一个机器人，它们共用这个上限",
    ),
    (
        "appchat/",
        48002,
        "该应用不能使用群聊，因为它看不到整个企业。请在管理后台 → 应用管理 → 该应用 → 可见范围中添加根部门",
    ),
];

/// The Chinese text for `reason`, if that is [`super::advice()`] of a frequent errcode.
///
/// The outbox stores the English text alone, because logs and commands show it.
pub fn chinese(reason: &str) -> Option<String> {
    let (api, rest) = reason.strip_prefix("WeCom refused ")?.split_once(" (")?;
    let (errcode, rest) = rest.split_once("): ")?;
    let number: i64 = errcode.parse().ok()?;
    let by_api = ADVICE_BY_API.iter().find(|(name, known, _)| api.starts_with(name) && *known == number);
    let usual = || ADVICE.iter().find(|(known, _)| *known == number).map(|(_, advice)| advice);
    let advice = by_api.map(|(_, _, advice)| advice).or_else(usual)?;
    let ip = rest.strip_prefix("IP ").and_then(|rest| rest.split(' ').next());
    let ip = ip.filter(|ip| Errcode(number) == NOT_TRUSTED && ip.parse::<IpAddr>().is_ok());
    let advice =
        ip.map_or_else(|| (*advice).to_owned(), |ip| advice.replace("本机公网 IP", &format!("IP {ip}")));
    Some(format!("企业微信拒绝 {api}（{errcode}）：{advice}。"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wecom::{Api, ApiError, errcode};

    fn reason(errcode: i64, errmsg: &str) -> String {
        errcode::advice(&ApiError {
            api: Api::MessageSend,
            errcode: Errcode(errcode),
            errmsg: errmsg.to_owned(),
        })
    }

    #[test]
    fn a_frequent_errcode_has_chinese_advice() {
        let refused =
            chinese(&reason(60020, "not allow to access from your ip, from ip: 203.0.113.7, more info"));
        let expected = "企业微信拒绝 message/send（60020）：IP 203.0.113.7 不在该应用的企业可信IP 中。请在管理后台 → 应用管理 → 该应用 → 企业可信IP 中添加，约一分钟后生效。";
        assert_eq!(refused.as_deref(), Some(expected));
        for (errcode, advice) in ADVICE {
            let text = chinese(&reason(errcode, "x")).unwrap();
            assert_eq!(text, format!("企业微信拒绝 message/send（{errcode}）：{advice}。"));
        }
        for (name, errcode, advice) in ADVICE_BY_API {
            let api = if name == "webhook/" { Api::WebhookSend } else { Api::AppchatSend };
            let error = ApiError { api, errcode: Errcode(errcode), errmsg: "x".to_owned() };
            assert!(chinese(&errcode::advice(&error)).unwrap().contains(advice));
        }
        assert_eq!(chinese("not delivered within 24h"), None);
        assert_eq!(chinese(&reason(40008, "x")), None);
    }
}
