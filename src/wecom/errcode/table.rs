//! The errcodes that the calls can return: those that send messages, `gettoken`, and the read calls.
//!
//! The meanings come from page 90313 of WeCom's documentation. Classes and fixes are our own.

use Class::{Configuration, Message, RateLimited, Recipient, Token, Transient};
use Source::{Documented, Inferred, Seen};

use super::{
    entry::{Class, Entry, Source},
    fixes::{
        CARD, CHAT, ENABLE, LICENCE, OWN_APP, PARTY_IDS, RENEWED, ROBOT, SECRET, TAG_IDS, TRUSTED_IP,
        USER_IDS, VISIBLE_RANGE,
    },
};
use crate::{
    language::Bilingual,
    wecom::{Api, Errcode},
};

const fn row(
    errcode: i64,
    class: Class,
    source: Source,
    meaning: Bilingual<&'static str>,
    fix: Option<Bilingual<&'static str>>,
) -> Entry {
    Entry { errcode: Errcode(errcode), class, meaning, fix, source }
}

const fn text(en: &'static str, zh: &'static str) -> Bilingual<&'static str> {
    Bilingual::new(en, zh)
}

/// Every known errcode, in ascending order.
pub(super) static TABLE: &[Entry] = &[
    row(-1, Transient, Documented, text("WeCom is busy", "企业微信系统繁忙"), None),
    row(6000, Transient, Documented, text("the data changed at the same time", "数据同时被修改"), None),
    row(
        40001,
        Configuration,
        Seen,
        text(
            "api_secret does not belong to corp_id, was reset, or the app is disabled",
            "api_secret 与 corp_id 不匹配、已被重置，或应用已停用",
        ),
        Some(SECRET),
    ),
    row(40003, Recipient, Documented, text("a user ID is not valid", "成员账号无效"), Some(USER_IDS)),
    row(
        40007,
        Message,
        Documented,
        text("a media_id is wrong or older than three days", "media_id 错误，或已超过三天"),
        Some(text("Upload the file again", "请重新上传文件")),
    ),
    row(40008, Message, Seen, text("WeCom does not know the message type", "企业微信不认识该消息类型"), None),
    row(
        40013,
        Configuration,
        Seen,
        text("corp_id is not valid", "corp_id 无效"),
        Some(text(
            "Copy it from admin console → My company → Company ID (企业ID)",
            "请从管理后台 → 我的企业 → 企业ID 复制",
        )),
    ),
    row(40014, Token, Seen, text("the access token is not valid", "access token 无效"), Some(RENEWED)),
    row(40031, Message, Documented, text("the list of user IDs is not valid", "成员账号列表无效"), None),
    row(40032, Message, Documented, text("there are more than 1,000 user IDs", "成员超过 1,000 个"), None),
    row(
        40033,
        Message,
        Documented,
        text("the content has characters that WeCom does not accept", "内容含有企业微信不接受的字符"),
        None,
    ),
    row(40035, Message, Documented, text("a parameter is not valid", "参数无效"), None),
    row(40039, Message, Documented, text("a URL is too long", "URL 太长"), None),
    row(
        40050,
        Recipient,
        Documented,
        text("the group chat does not exist", "群聊不存在"),
        Some(text(
            "Create the chat with this app and use its chatid",
            "请用该应用创建群聊（wecom-relay chat create），并使用它的 chatid",
        )),
    ),
    row(
        40056,
        Configuration,
        Seen,
        text("agent_id is not an app of this company", "agent_id 不是本企业的应用"),
        Some(text(
            "Copy agent_id from admin console → App management → the app → AgentId",
            "请从管理后台 → 应用管理 → 该应用复制 AgentId",
        )),
    ),
    row(
        40057,
        Configuration,
        Documented,
        text("the callback URL could not be verified", "回调 URL 未通过验证"),
        Some(text(
            "Check that the URL in admin console → App management → the app → Receive messages can be reached from the Internet",
            "请检查管理后台 → 应用管理 → 该应用 → 接收消息中的 URL 能否从公网访问",
        )),
    ),
    row(
        40058,
        Message,
        Seen,
        text(
            "a parameter is not valid: the JSON is broken, a value is too long, or a list has too many items",
            "参数无效：JSON 有误、值太长，或列表项太多",
        ),
        None,
    ),
    row(40063, Message, Documented, text("a parameter is empty", "参数为空"), None),
    row(
        40066,
        Recipient,
        Seen,
        text(
            "the list of departments is empty or has an unknown department",
            "部门列表为空，或含有不存在的部门",
        ),
        Some(PARTY_IDS),
    ),
    row(40068, Recipient, Documented, text("a tag ID is not valid", "标签ID 无效"), Some(TAG_IDS)),
    row(40070, Recipient, Documented, text("none of the tag IDs is valid", "标签ID 全部无效"), Some(TAG_IDS)),
    row(
        40074,
        Message,
        Documented,
        text("news messages cannot be confidential (safe)", "图文消息不能设为保密（safe）"),
        None,
    ),
    row(40091, Configuration, Documented, text("api_secret is not valid", "api_secret 无效"), Some(SECRET)),
    row(
        41001,
        Token,
        Seen,
        text("the access token is missing in the request", "请求里缺少 access token"),
        Some(text(
            "Check that a proxy or reverse proxy does not drop the query of the URL",
            "请检查代理或反向代理是否丢了 URL 的查询参数",
        )),
    ),
    row(
        41002,
        Configuration,
        Documented,
        text("the corp ID is missing in the request", "请求里缺少企业ID"),
        Some(text(
            "Set corp_id, and check that a reverse proxy does not drop the query of the URL",
            "请设置 corp_id，并检查反向代理是否丢了 URL 的查询参数",
        )),
    ),
    row(
        41004,
        Configuration,
        Seen,
        text("the secret is missing in the request", "请求里缺少 Secret"),
        Some(text(
            "Set api_secret, and check that a reverse proxy does not drop the query of the URL",
            "请设置 api_secret，并检查反向代理是否丢了 URL 的查询参数",
        )),
    ),
    row(41006, Message, Documented, text("the media_id is missing", "缺少 media_id"), None),
    row(41010, Message, Documented, text("the URL is missing", "缺少 URL"), None),
    row(41011, Message, Documented, text("the agentid is missing", "缺少 agentid"), None),
    row(41016, Message, Documented, text("the title is missing", "缺少标题"), None),
    row(41033, Message, Documented, text("the description is missing", "缺少描述"), None),
    row(42001, Token, Seen, text("the access token has expired", "access token 已过期"), Some(RENEWED)),
    row(
        42014,
        Message,
        Documented,
        text("the card's task_id is not valid", "卡片的 task_id 无效"),
        Some(CARD),
    ),
    row(42015, Message, Documented, text("the card belongs to another app", "卡片属于别的应用"), Some(CARD)),
    row(
        42016,
        Message,
        Documented,
        text("the card's task_id is not known", "没有这个 task_id 的卡片"),
        Some(CARD),
    ),
    row(
        42017,
        Message,
        Seen,
        text("the card's button key does not exist", "卡片的按钮 key 不存在"),
        Some(CARD),
    ),
    row(
        42018,
        Message,
        Documented,
        text("the card's button key is not valid", "卡片的按钮 key 无效"),
        Some(CARD),
    ),
    row(42019, Message, Documented, text("the card's button key is missing", "卡片缺少按钮 key"), Some(CARD)),
    row(
        42020,
        Message,
        Documented,
        text("the card's button name is missing", "卡片缺少按钮名称"),
        Some(CARD),
    ),
    row(
        42027,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(42028, Message, Seen, text("a URL is missing in the card", "卡片缺少 URL"), Some(CARD)),
    row(
        42029,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42030,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42031,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42033,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42035,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42036,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42037,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42038,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42039,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42040,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42041,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42042,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42043,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42044,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42045,
        Message,
        Documented,
        text("card_action is missing or not valid", "card_action 缺失或无效"),
        Some(CARD),
    ),
    row(
        42046,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42047,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42049,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42050,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42051,
        Message,
        Documented,
        text("a field of the card is missing, too long or not valid", "卡片的字段缺失、太长或无效"),
        Some(CARD),
    ),
    row(
        42052,
        Message,
        Documented,
        text("the msgid is older than 24 hours", "msgid 已超过 24 小时"),
        Some(text(
            "Tell the members to ignore the message, because WeCom takes back those of the last 24 hours only",
            "请通知成员忽略该消息，企业微信只能撤回 24 小时内的消息",
        )),
    ),
    row(
        43004,
        Recipient,
        Documented,
        text("the user is not bound to WeChat", "成员没有关注微信插件"),
        Some(text(
            "Let the user follow the company's WeChat plugin (微信插件)",
            "请该成员关注企业的微信插件",
        )),
    ),
    row(
        43012,
        // The text form reaches members, and a held app does not.
        Message,
        Inferred,
        text("the app needs a callback URL for this card", "这种卡片要求应用有回调 URL"),
        Some(text(
            "Set one in admin console → App management → the app → Receive messages",
            "请在管理后台 → 应用管理 → 该应用 → 接收消息中设置",
        )),
    ),
    row(44001, Message, Seen, text("the media file is empty", "媒体文件为空"), None),
    row(44004, Message, Seen, text("the content is empty", "内容为空"), None),
    row(45001, Message, Documented, text("the media file is too big", "媒体文件太大"), None),
    row(45002, Message, Documented, text("the content is too long", "消息内容过长"), None),
    row(45007, Message, Documented, text("the voice is too long", "语音太长"), None),
    row(45008, Message, Documented, text("there are more than eight articles", "图文超过八条"), None),
    row(
        45009,
        RateLimited,
        Seen,
        text("WeCom's limit of calls is reached", "调用次数达到企业微信上限"),
        Some(text(
            "Check that no other program with the same public IP uses a wrong secret",
            "请确认没有其他程序以同一公网 IP 使用错误的 Secret",
        )),
    ),
    row(
        45031,
        Configuration,
        Documented,
        text(
            "WeCom no longer accepts api_secret because it is too weak",
            "api_secret 太弱，企业微信不再接受",
        ),
        Some(text(
            "Reset it in admin console → App management → the app → Secret",
            "请在管理后台 → 应用管理 → 该应用 → Secret 中重置",
        )),
    ),
    row(45032, Message, Documented, text("the author's name is too long", "作者名太长"), None),
    row(45033, Transient, Seen, text("too many calls at the same time", "并发调用过多"), None),
    row(
        45034,
        Message,
        Documented,
        text("a URL has no http:// or https://", "URL 没有 http:// 或 https://"),
        None,
    ),
    row(46004, Recipient, Documented, text("the user does not exist", "成员不存在"), Some(USER_IDS)),
    row(
        48001,
        Configuration,
        Documented,
        text("the app may not use this API", "该应用无权调用此接口"),
        Some(OWN_APP),
    ),
    row(
        48002,
        Configuration,
        Seen,
        text("the app may not use this API", "该应用无权调用此接口"),
        Some(OWN_APP),
    ),
    row(
        48004,
        Configuration,
        Documented,
        text("the app's authorization has ended", "应用的授权已失效"),
        Some(text(
            "Authorize the app again in admin console → App management",
            "请在管理后台 → 应用管理中重新授权",
        )),
    ),
    row(
        48005,
        Configuration,
        Documented,
        text("WeCom has removed this API", "企业微信已下线该接口"),
        Some(text("Update wecom-relay", "请升级 wecom-relay")),
    ),
    row(
        48006,
        Configuration,
        Documented,
        text(
            "WeCom withdrew the permission for this API because it was not used",
            "接口长期未使用，权限已被收回",
        ),
        Some(text("Request it again in admin console → App management", "请在管理后台 → 应用管理中重新申请")),
    ),
    row(
        50001,
        Configuration,
        Documented,
        text("the domain is not trusted", "域名不可信"),
        Some(text(
            "Add it in admin console → App management → the app → Trusted domain (可信域名)",
            "请在管理后台 → 应用管理 → 该应用 → 可信域名中添加",
        )),
    ),
    row(
        50002,
        Recipient,
        Documented,
        text("a member is outside the app's range", "成员不在应用的范围内"),
        Some(VISIBLE_RANGE),
    ),
    row(50003, Configuration, Documented, text("the app is disabled", "应用已停用"), Some(ENABLE)),
    row(60003, Recipient, Documented, text("a department does not exist", "部门不存在"), Some(PARTY_IDS)),
    row(
        60011,
        Recipient,
        Documented,
        text("the app may not see a member, department or tag", "应用无权查看某个成员、部门或标签"),
        Some(VISIBLE_RANGE),
    ),
    row(
        60020,
        Configuration,
        Seen,
        text(
            "this machine's public IP is not a trusted IP of the app",
            "本机公网 IP 不在该应用的企业可信IP 中",
        ),
        Some(TRUSTED_IP),
    ),
    row(
        60021,
        Recipient,
        Documented,
        text("a user is outside the app's visible range", "成员不在应用的可见范围内"),
        Some(VISIBLE_RANGE),
    ),
    row(
        60031,
        Configuration,
        Documented,
        text("the app may not call WeCom's API", "应用不能调用企业微信接口"),
        Some(ENABLE),
    ),
    row(
        60111,
        Recipient,
        Documented,
        text("a user ID does not exist or is not visible", "成员账号不存在或不可见"),
        Some(VISIBLE_RANGE),
    ),
    row(
        60123,
        Recipient,
        Documented,
        text("a department ID does not exist", "部门ID 不存在"),
        Some(PARTY_IDS),
    ),
    row(
        60140,
        Message,
        Documented,
        text(
            "the response_code is wrong, used or older than 72 hours",
            "response_code 错误、已使用，或已超过 72 小时",
        ),
        Some(text(
            "Read the message that the relay sent instead, because a card can be changed once for each press",
            "请看 relay 改发的消息，每次按下按钮只能更新一次卡片",
        )),
    ),
    row(
        81013,
        Recipient,
        Seen,
        text(
            "none of the users, departments and tags can get the message",
            "收件成员、部门、标签都收不到消息",
        ),
        Some(text(
            "Check that they exist, and add them in admin console → App management → the app → Visible range (可见范围)",
            "请确认它们存在，并已加入管理后台 → 应用管理 → 该应用 → 可见范围",
        )),
    ),
    row(
        82001,
        Message,
        Documented,
        text("no recipient is named", "没有指定接收人"),
        Some(text(
            "Set to_user, to_party or to_tag of the receiver",
            "请设置 receiver 的 to_user、to_party 或 to_tag",
        )),
    ),
    row(82002, Message, Documented, text("there are more than 100 departments", "部门超过 100 个"), None),
    row(82003, Message, Documented, text("there are more than 100 tags", "标签超过 100 个"), None),
    row(
        82004,
        Message,
        Documented,
        text("the content could crash WeCom's clients", "内容可能使企业微信客户端崩溃"),
        None,
    ),
    row(85002, Message, Documented, text("the content has forbidden words", "内容含有违禁词"), None),
    row(86001, Recipient, Documented, text("the chatid is not valid", "chatid 无效"), Some(CHAT)),
    row(86003, Recipient, Documented, text("the chatid is missing", "缺少 chatid"), Some(CHAT)),
    row(
        86008,
        Recipient,
        Seen,
        text("the chat was created by another app", "该群聊由另一个应用创建"),
        Some(CHAT),
    ),
    row(86217, Recipient, Documented, text("the sender is not in the chat", "发送者不在群聊里"), Some(CHAT)),
    row(
        93000,
        Configuration,
        Seen,
        text(
            "the webhook URL of the robot is wrong, or the robot was removed",
            "机器人的 Webhook 地址无效，或机器人已被移除",
        ),
        Some(ROBOT),
    ),
    row(
        93004,
        Configuration,
        Documented,
        text("the robot is disabled", "机器人已被停用"),
        Some(text(
            "Enable the robot in its group, or let the administrator of WeCom allow robots again",
            "请在群里重新启用，或请企业微信管理员允许使用机器人",
        )),
    ),
    row(
        93006,
        Configuration,
        Documented,
        text("the robot's group is not valid", "机器人所在的群无效"),
        Some(ROBOT),
    ),
    row(
        93008,
        Configuration,
        Documented,
        text("the robot is not in the group", "机器人不在群里"),
        Some(text(
            "Add the robot to the group, or add a new one and write its webhook URL into key of the robot",
            "请把机器人加回群，或添加新的机器人并把 Webhook 地址填入 key",
        )),
    ),
    row(
        301002,
        Configuration,
        Seen,
        text(
            "the access token belongs to another app than agent_id",
            "access token 属于另一个应用，与 agent_id 不符",
        ),
        Some(text(
            "Copy agent_id and api_secret from the same page, admin console → App management → the app",
            "请从管理后台 → 应用管理 → 同一个应用复制 agent_id 和 Secret",
        )),
    ),
    row(
        301007,
        Configuration,
        Documented,
        text("the company is dissolved or banned", "企业已解散或被封禁"),
        Some(text("Contact WeCom's support", "请联系企业微信客服")),
    ),
    row(
        701008,
        Configuration,
        Documented,
        text("the company has no valid interface licence", "企业没有有效的接口许可"),
        Some(LICENCE),
    ),
    row(
        701099,
        Configuration,
        Documented,
        text("the interface licence does not cover this call", "接口许可不覆盖该调用"),
        Some(LICENCE),
    ),
];

/// Errcodes that mean something else for some calls.
pub(super) static BY_API: &[(&[Api], Entry)] = &[
    (
        &[Api::WebhookSend],
        row(
            45009,
            RateLimited,
            Seen,
            text("the robot's limit of 20 messages a minute is reached", "机器人已达到每分钟 20 条的上限"),
            Some(text(
                "Use the robot in no other program, because all of them share the limit",
                "请不要在其他程序中使用同一个机器人，它们共用这个上限",
            )),
        ),
    ),
    (
        &[Api::MessageRecall],
        row(
            40058,
            Message,
            Documented,
            text(
                "another app sent the message, or its msgid is not valid",
                "消息由其他应用发送，或 msgid 无效",
            ),
            Some(text("Recall it with the app that sent it", "请用发送该消息的应用撤回")),
        ),
    ),
    (
        &[Api::AppchatSend, Api::AppchatCreate, Api::AppchatGet],
        row(
            48002,
            Recipient,
            Seen,
            text(
                "the app may not use group chats, because it does not see the whole company",
                "该应用不能使用群聊，因为它看不到整个企业",
            ),
            Some(text(
                "Add the root department in admin console → App management → the app → Visible range (可见范围)",
                "请在管理后台 → 应用管理 → 该应用 → 可见范围中添加根部门",
            )),
        ),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_sorted_without_duplicates() {
        assert!(TABLE.is_sorted_by(|a, b| a.errcode < b.errcode));
    }

    #[test]
    fn every_class_but_unknown_is_in_the_table() {
        let classes: BTreeSet<Class> = TABLE.iter().map(|entry| entry.class).collect();
        let all = [
            Class::Token,
            Class::Transient,
            Class::RateLimited,
            Class::Configuration,
            Class::Message,
            Class::Recipient,
        ];
        assert_eq!(classes, BTreeSet::from(all));
    }

    #[test]
    fn every_errcode_of_a_send_is_in_the_table() {
        let ranges = [42014..=42020, 42027..=42031, 42033..=42033, 42035..=42047, 42049..=42052];
        let singles = [
            -1, 6000, 40001, 40003, 40007, 40008, 40013, 40014, 40031, 40032, 40033, 40035, 40039, 40050,
            40056, 40057, 40058, 40063, 40066, 40068, 40070, 40074, 40091, 41001, 41002, 41004, 41006, 41010,
            41011, 41016, 41033, 42001, 43004, 43012, 44001, 44004, 45001, 45002, 45007, 45008, 45009, 45031,
            45032, 45033, 45034, 46004, 48001, 48002, 48004, 48005, 48006, 50001, 50002, 50003, 60003, 60011,
            60020, 60021, 60031, 60111, 60123, 60140, 81013, 82001, 82002, 82003, 82004, 85002, 86001, 86003,
            86008, 86217, 93000, 93004, 93006, 93008, 301002, 301007, 701008, 701099,
        ];
        let known: BTreeSet<i64> = ranges.into_iter().flatten().chain(singles).collect();
        let table = TABLE.iter().map(|entry| entry.errcode.0).collect();
        assert_eq!(known.difference(&table).collect::<Vec<_>>(), Vec::<&i64>::new());
    }

    #[test]
    fn every_problem_of_configuration_has_a_fix() {
        for entry in TABLE.iter().filter(|entry| matches!(entry.class, Class::Configuration | Class::Token)) {
            assert!(entry.fix.is_some(), "{}", entry.errcode);
        }
    }
}
