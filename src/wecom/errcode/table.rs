//! The table of errcodes: those that `gettoken`, `message/send` and the calls beside them can answer.
//!
//! Meanings are WeCom's own (page 90313 of its documents); classes and mends are this program's.

use Class::{Configuration, Message, RateLimited, Recipient, Token, Transient};
use Source::{Documented, Inferred, Seen};

use super::{Class, Entry, Source};
use crate::wecom::Errcode;

const VISIBLE_RANGE: &str = "add them to admin console → App management → the app → Visible range (可见范围)";
const CARD: &str = "mend the template_card fields of the message";
const SECRET: &str = "copy corp_id from admin console → My company → Company ID (企业ID) and api_secret from \
                      admin console → App management → the app → Secret, and see that the app is enabled";
const RENEWED: &str = "as a renewed token is refused too, see that api_url and proxy_url lead gettoken and \
                       message/send to the same WeCom";
const OWN_APP: &str = "use the secret of a self-built app (自建应用), not that of contact sync";
const CHAT: &str = "use the chatid of a chat that this app has created";
const ROBOT: &str = "copy the robot's webhook address from the group once more";
const LICENCE: &str =
    "buy or assign the licence in admin console → App management → the app → Interface licence (接口许可)";
const USER_IDS: &str = "use the account names (账号) of admin console → Contacts";
const PARTY_IDS: &str = "use the department IDs of admin console → Contacts";
const TAG_IDS: &str = "use the tag IDs of admin console → Contacts → Tags";
const TRUSTED_IP: &str = "add it in admin console → App management → the app → Company's trusted IP (企业可信IP), \
                          which takes effect about a minute after saving";
const ENABLE: &str = "enable it in admin console → App management → the app";

const fn row(
    errcode: i64,
    class: Class,
    source: Source,
    meaning: &'static str,
    mend: Option<&'static str>,
) -> Entry {
    Entry { errcode: Errcode(errcode), class, meaning, mend, source }
}

/// Every errcode that is known, in ascending order.
pub static TABLE: &[Entry] = &[
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
        Some("upload the file again"),
    ),
    row(40008, Message, Seen, "the message type is not known", None),
    row(
        40013,
        Configuration,
        Seen,
        "corp_id is not valid",
        Some("copy it from admin console → My company → Company ID (企业ID)"),
    ),
    row(40014, Token, Seen, "the access token is not valid", Some(RENEWED)),
    row(40031, Message, Documented, "the list of user IDs is not valid", None),
    row(40032, Message, Documented, "there are more than 1,000 user IDs", None),
    row(40033, Message, Documented, "the content has characters that WeCom does not take", None),
    row(40035, Message, Documented, "a parameter is not valid", None),
    row(40039, Message, Documented, "a URL is too long", None),
    row(
        40050,
        Configuration,
        Documented,
        "the group chat does not exist",
        Some("create the chat with this app and use its chatid"),
    ),
    row(
        40056,
        Configuration,
        Seen,
        "agent_id is not an app of this company",
        Some("copy agent_id from admin console → App management → the app → AgentId"),
    ),
    row(
        40057,
        Configuration,
        Documented,
        "the callback URL could not be verified",
        Some(
            "see that the URL in admin console → App management → the app → Receive messages answers from the Internet",
        ),
    ),
    row(40058, Message, Seen, "a parameter is not valid: bad JSON, or a value too long or too many", None),
    row(40063, Message, Documented, "a parameter is empty", None),
    row(40066, Recipient, Seen, "the list of departments is empty or names an unknown one", Some(PARTY_IDS)),
    row(40068, Recipient, Documented, "a tag ID is not valid", Some(TAG_IDS)),
    row(40070, Recipient, Documented, "none of the tag IDs is valid", Some(TAG_IDS)),
    row(40074, Message, Documented, "news messages cannot be confidential (safe)", None),
    row(40091, Configuration, Documented, "api_secret is not valid", Some(SECRET)),
    row(
        41001,
        Token,
        Seen,
        "the access token is missing in the request",
        Some("see that the reverse proxy or proxy between keeps the URL's query"),
    ),
    row(
        41002,
        Configuration,
        Documented,
        "the corp ID is missing in the request",
        Some("fill in corp_id, and see that a reverse proxy keeps the URL's query"),
    ),
    row(
        41004,
        Configuration,
        Seen,
        "the secret is missing in the request",
        Some("fill in api_secret, and see that a reverse proxy keeps the URL's query"),
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
        Some("let the user follow the company's WeChat plugin (微信插件)"),
    ),
    row(
        43012,
        Configuration,
        Inferred,
        "the app needs a callback URL for this card",
        Some("set one in admin console → App management → the app → Receive messages"),
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
        Some("see that no other program behind the same IP uses a wrong secret"),
    ),
    row(
        45031,
        Configuration,
        Documented,
        "api_secret is not safe enough any more",
        Some("reset it in admin console → App management → the app → Secret"),
    ),
    row(45032, Message, Documented, "the author's name is too long", None),
    row(45033, Transient, Seen, "too many calls at the same time", None),
    row(45034, Message, Documented, "a URL has no http:// or https://", None),
    row(46004, Recipient, Documented, "the user does not exist", Some(USER_IDS)),
    row(48001, Configuration, Documented, "the app has no right to this API", Some(OWN_APP)),
    row(48002, Configuration, Seen, "this API is forbidden to the app", Some(OWN_APP)),
    row(
        48004,
        Configuration,
        Documented,
        "the app's authorization has ended",
        Some("authorize the app again in admin console → App management"),
    ),
    row(48005, Configuration, Documented, "WeCom has removed this API", Some("update this program")),
    row(
        48006,
        Configuration,
        Documented,
        "the right to this API was withdrawn for disuse",
        Some("ask for it again in admin console → App management"),
    ),
    row(
        50001,
        Configuration,
        Documented,
        "the domain is not trusted",
        Some("add it in admin console → App management → the app → Trusted domain (可信域名)"),
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
            "see that they exist and add them to admin console → App management → the app → Visible range (可见范围)",
        ),
    ),
    row(82001, Message, Documented, "no recipient is named", Some("fill in to_user, to_party or to_tag")),
    row(82002, Message, Documented, "there are more than 100 departments", None),
    row(82003, Message, Documented, "there are more than 100 tags", None),
    row(82004, Message, Documented, "the content could crash WeCom's clients", None),
    row(85002, Message, Documented, "the content has forbidden words", None),
    row(86001, Configuration, Documented, "the chatid is not valid", Some(CHAT)),
    row(86003, Configuration, Documented, "the chatid is missing", Some(CHAT)),
    row(86008, Configuration, Seen, "the chat was created by another app", Some(CHAT)),
    row(86217, Configuration, Documented, "the sender is not in the chat", Some(CHAT)),
    row(
        93000,
        Configuration,
        Seen,
        "the robot's webhook address is wrong or the robot was removed",
        Some(ROBOT),
    ),
    row(93004, Configuration, Documented, "the robot is disabled", Some("enable the robot in its group")),
    row(93006, Configuration, Documented, "the robot's group is not valid", Some(ROBOT)),
    row(
        93008,
        Configuration,
        Documented,
        "the robot is not in the group",
        Some("add the robot to the group"),
    ),
    row(
        301002,
        Configuration,
        Seen,
        "the token belongs to another app than agent_id",
        Some("copy agent_id and api_secret from the same page, admin console → App management → the app"),
    ),
    row(301007, Configuration, Documented, "the company is dissolved or banned", Some("ask WeCom's support")),
    row(701008, Configuration, Documented, "the company has no valid interface licence", Some(LICENCE)),
    row(701099, Configuration, Documented, "the interface licence is not enough", Some(LICENCE)),
];
