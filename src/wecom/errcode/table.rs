//! The errcodes that the calls can return: those that send messages, `gettoken`, and the read calls.
//!
//! The meanings come from page 90313 of WeCom's documentation. Classes and fixes are our own.

use Class::{Configuration, Message, RateLimited, Recipient, Token, Transient};
use Source::{Documented, Inferred, Seen};

use super::entry::{Class, Entry, Source};
use crate::wecom::{Api, Errcode};

const VISIBLE_RANGE: &str = "Add them in admin console → App management → the app → Visible range (可见范围)";
const CARD: &str = "Correct the template_card of the receiver or its template";
const SECRET: &str = "Copy corp_id from admin console → My company → Company ID (企业ID) and api_secret from \
                      admin console → App management → the app → Secret, and check that the app is enabled";
const RENEWED: &str = "WeCom also refused a renewed token. Check that api_url and proxy_url lead gettoken and \
                       message/send to the same WeCom";
const OWN_APP: &str = "Use the secret of a self-built app (自建应用), not the secret of contact sync";
const CHAT: &str = "Use the chatid of a chat that this app created";
const ROBOT: &str = "Copy the robot's webhook URL from the group again (群设置 → 消息推送), and write it into key of the robot";
const LICENCE: &str =
    "Buy or assign the licence in admin console → App management → the app → Interface licence (接口许可)";
const USER_IDS: &str = "Use the account names (账号) of admin console → Contacts";
const PARTY_IDS: &str = "Use the department IDs of admin console → Contacts";
const TAG_IDS: &str = "Use the tag IDs of admin console → Contacts → Tags";
const TRUSTED_IP: &str = "Add it in admin console → App management → the app → Company's trusted IP (企业可信IP), \
                          and wait about a minute until it takes effect";
const ENABLE: &str = "Enable it in admin console → App management → the app";

const fn row(
    errcode: i64,
    class: Class,
    source: Source,
    meaning: &'static str,
    fix: Option<&'static str>,
) -> Entry {
    Entry { errcode: Errcode(errcode), class, meaning, fix, source }
}

/// Every known errcode, in ascending order.
pub(super) static TABLE: &[Entry] = &[
    row(-1, Transient, Documented, "WeCom is busy", None),
    row(6000, Transient, Documented, "the data changed at the same time", None),
    row(
        40001,
        Configuration,
        Seen,
        "api_secret does not belong to corp_id, was reset, or the app is disabled",
        Some(SECRET),
    ),
    row(40003, Recipient, Documented, "a user ID is not valid", Some(USER_IDS)),
    row(
        40007,
        Message,
        Documented,
        "a media_id is wrong or older than three days",
        Some("Upload the file again"),
    ),
    row(40008, Message, Seen, "WeCom does not know the message type", None),
    row(
        40013,
        Configuration,
        Seen,
        "corp_id is not valid",
        Some("Copy it from admin console → My company → Company ID (企业ID)"),
    ),
    row(40014, Token, Seen, "the access token is not valid", Some(RENEWED)),
    row(40031, Message, Documented, "the list of user IDs is not valid", None),
    row(40032, Message, Documented, "there are more than 1,000 user IDs", None),
    row(40033, Message, Documented, "the content has characters that WeCom does not accept", None),
    row(40035, Message, Documented, "a parameter is not valid", None),
    row(40039, Message, Documented, "a URL is too long", None),
    row(
        40050,
        Recipient,
        Documented,
        "the group chat does not exist",
        Some("Create the chat with this app and use its chatid"),
    ),
    row(
        40056,
        Configuration,
        Seen,
        "agent_id is not an app of this company",
        Some("Copy agent_id from admin console → App management → the app → AgentId"),
    ),
    row(
        40057,
        Configuration,
        Documented,
        "the callback URL could not be verified",
        Some(
            "Check that the URL in admin console → App management → the app → Receive messages can be reached from the Internet",
        ),
    ),
    row(
        40058,
        Message,
        Seen,
        "a parameter is not valid: the JSON is broken, a value is too long, or a list has too many items",
        None,
    ),
    row(40063, Message, Documented, "a parameter is empty", None),
    row(
        40066,
        Recipient,
        Seen,
        "the list of departments is empty or has an unknown department",
        Some(PARTY_IDS),
    ),
    row(40068, Recipient, Documented, "a tag ID is not valid", Some(TAG_IDS)),
    row(40070, Recipient, Documented, "none of the tag IDs is valid", Some(TAG_IDS)),
    row(40074, Message, Documented, "news messages cannot be confidential (safe)", None),
    row(40091, Configuration, Documented, "api_secret is not valid", Some(SECRET)),
    row(
        41001,
        Token,
        Seen,
        "the access token is missing in the request",
        Some("Check that a proxy or reverse proxy does not drop the query of the URL"),
    ),
    row(
        41002,
        Configuration,
        Documented,
        "the corp ID is missing in the request",
        Some("Set corp_id, and check that a reverse proxy does not drop the query of the URL"),
    ),
    row(
        41004,
        Configuration,
        Seen,
        "the secret is missing in the request",
        Some("Set api_secret, and check that a reverse proxy does not drop the query of the URL"),
    ),
    row(41006, Message, Documented, "the media_id is missing", None),
    row(41010, Message, Documented, "the URL is missing", None),
    row(41011, Message, Documented, "the agentid is missing", None),
    row(41016, Message, Documented, "the title is missing", None),
    row(41033, Message, Documented, "the description is missing", None),
    row(42001, Token, Seen, "the access token has expired", Some(RENEWED)),
    row(42014, Message, Documented, "the card's task_id is not valid", Some(CARD)),
    row(42015, Message, Documented, "the card belongs to another app", Some(CARD)),
    row(42016, Message, Documented, "the card's task_id is not known", Some(CARD)),
    row(42017, Message, Seen, "the card's button key does not exist", Some(CARD)),
    row(42018, Message, Documented, "the card's button key is not valid", Some(CARD)),
    row(42019, Message, Documented, "the card's button key is missing", Some(CARD)),
    row(42020, Message, Documented, "the card's button name is missing", Some(CARD)),
    row(42027, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42028, Message, Seen, "a URL is missing in the card", Some(CARD)),
    row(42029, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42030, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42031, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42033, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42035, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42036, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42037, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42038, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42039, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42040, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42041, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42042, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42043, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42044, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42045, Message, Documented, "card_action is missing or not valid", Some(CARD)),
    row(42046, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42047, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42049, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42050, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42051, Message, Documented, "a field of the card is missing, too long or not valid", Some(CARD)),
    row(42052, Message, Documented, "the msgid is older than 24 hours", None),
    row(
        43004,
        Recipient,
        Documented,
        "the user is not bound to WeChat",
        Some("Let the user follow the company's WeChat plugin (微信插件)"),
    ),
    row(
        43012,
        Configuration,
        Inferred,
        "the app needs a callback URL for this card",
        Some("Set one in admin console → App management → the app → Receive messages"),
    ),
    row(44001, Message, Seen, "the media file is empty", None),
    row(44004, Message, Seen, "the content is empty", None),
    row(45001, Message, Documented, "the media file is too big", None),
    row(45002, Message, Documented, "the content is too long", None),
    row(45007, Message, Documented, "the voice is too long", None),
    row(45008, Message, Documented, "there are more than eight articles", None),
    row(
        45009,
        RateLimited,
        Seen,
        "WeCom's limit of calls is reached",
        Some("Check that no other program with the same public IP uses a wrong secret"),
    ),
    row(
        45031,
        Configuration,
        Documented,
        "WeCom no longer accepts api_secret because it is too weak",
        Some("Reset it in admin console → App management → the app → Secret"),
    ),
    row(45032, Message, Documented, "the author's name is too long", None),
    row(45033, Transient, Seen, "too many calls at the same time", None),
    row(45034, Message, Documented, "a URL has no http:// or https://", None),
    row(46004, Recipient, Documented, "the user does not exist", Some(USER_IDS)),
    row(48001, Configuration, Documented, "the app may not use this API", Some(OWN_APP)),
    row(48002, Configuration, Seen, "the app may not use this API", Some(OWN_APP)),
    row(
        48004,
        Configuration,
        Documented,
        "the app's authorization has ended",
        Some("Authorize the app again in admin console → App management"),
    ),
    row(48005, Configuration, Documented, "WeCom has removed this API", Some("Update wecom-relay")),
    row(
        48006,
        Configuration,
        Documented,
        "WeCom withdrew the permission for this API because it was not used",
        Some("Request it again in admin console → App management"),
    ),
    row(
        50001,
        Configuration,
        Documented,
        "the domain is not trusted",
        Some("Add it in admin console → App management → the app → Trusted domain (可信域名)"),
    ),
    row(50002, Recipient, Documented, "a member is outside the app's range", Some(VISIBLE_RANGE)),
    row(50003, Configuration, Documented, "the app is disabled", Some(ENABLE)),
    row(60003, Recipient, Documented, "a department does not exist", Some(PARTY_IDS)),
    row(60011, Recipient, Documented, "the app may not see a member, department or tag", Some(VISIBLE_RANGE)),
    row(
        60020,
        Configuration,
        Seen,
        "this machine's public IP is not a trusted IP of the app",
        Some(TRUSTED_IP),
    ),
    row(60021, Recipient, Documented, "a user is outside the app's visible range", Some(VISIBLE_RANGE)),
    row(60031, Configuration, Documented, "the app may not call WeCom's API", Some(ENABLE)),
    row(60111, Recipient, Documented, "a user ID does not exist or is not visible", Some(VISIBLE_RANGE)),
    row(60123, Recipient, Documented, "a department ID does not exist", Some(PARTY_IDS)),
    row(60140, Message, Documented, "the response_code is wrong, used or older than 72 hours", None),
    row(
        81013,
        Recipient,
        Seen,
        "none of the users, departments and tags can get the message",
        Some(
            "Check that they exist, and add them in admin console → App management → the app → Visible range (可见范围)",
        ),
    ),
    row(
        82001,
        Message,
        Documented,
        "no recipient is named",
        Some("Set to_user, to_party or to_tag of the receiver"),
    ),
    row(82002, Message, Documented, "there are more than 100 departments", None),
    row(82003, Message, Documented, "there are more than 100 tags", None),
    row(82004, Message, Documented, "the content could crash WeCom's clients", None),
    row(85002, Message, Documented, "the content has forbidden words", None),
    row(86001, Recipient, Documented, "the chatid is not valid", Some(CHAT)),
    row(86003, Recipient, Documented, "the chatid is missing", Some(CHAT)),
    row(86008, Recipient, Seen, "the chat was created by another app", Some(CHAT)),
    row(86217, Recipient, Documented, "the sender is not in the chat", Some(CHAT)),
    row(
        93000,
        Configuration,
        Seen,
        "the webhook URL of the robot is wrong, or the robot was removed",
        Some(ROBOT),
    ),
    row(
        93004,
        Configuration,
        Documented,
        "the robot is disabled",
        Some("Enable the robot in its group, or let the administrator of WeCom allow robots again"),
    ),
    row(93006, Configuration, Documented, "the robot's group is not valid", Some(ROBOT)),
    row(
        93008,
        Configuration,
        Documented,
        "the robot is not in the group",
        Some("Add the robot to the group, or add a new one and write its webhook URL into key of the robot"),
    ),
    row(
        301002,
        Configuration,
        Seen,
        "the access token belongs to another app than agent_id",
        Some("Copy agent_id and api_secret from the same page, admin console → App management → the app"),
    ),
    row(
        301007,
        Configuration,
        Documented,
        "the company is dissolved or banned",
        Some("Contact WeCom's support"),
    ),
    row(701008, Configuration, Documented, "the company has no valid interface licence", Some(LICENCE)),
    row(701099, Configuration, Documented, "the interface licence does not cover this call", Some(LICENCE)),
];

/// Errcodes that mean something else for some calls.
pub(super) static BY_API: &[(&[Api], Entry)] = &[
    (
        &[Api::WebhookSend],
        row(
            45009,
            RateLimited,
            Seen,
            "the robot's limit of 20 messages a minute is reached",
            Some("Use the robot in no other program, because all of them share the limit"),
        ),
    ),
    (
        &[Api::AppchatSend, Api::AppchatCreate, Api::AppchatGet],
        row(
            48002,
            Recipient,
            Seen,
            "the app may not use group chats, because it does not see the whole company",
            Some(
                "Add the root department in admin console → App management → the app → Visible range (可见范围)",
            ),
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
