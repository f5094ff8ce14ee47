//! Fixes that several errcodes share.

use crate::language::Bilingual;

pub(super) const VISIBLE_RANGE: Bilingual<&str> = Bilingual::new(
    "Add them in admin console → App management → the app → Visible range (可见范围)",
    "请在管理后台 → 应用管理 → 该应用 → 可见范围中添加",
);
pub(super) const CARD: Bilingual<&str> = Bilingual::new(
    "Correct the template_card of the receiver or its template",
    "请修正 receiver 的 template_card 或相应模板",
);
pub(super) const SECRET: Bilingual<&str> = Bilingual::new(
    "Copy corp_id from admin console → My company → Company ID (企业ID) and api_secret from admin console → App management → the app → Secret, and check that the app is enabled",
    "请在管理后台核对企业ID 和应用的 Secret，并确认应用已启用",
);
pub(super) const RENEWED: Bilingual<&str> = Bilingual::new(
    "WeCom also refused a renewed token. Check that api_url and proxy_url lead gettoken and message/send to the same WeCom",
    "刷新后的 token 也被拒绝。请检查 api_url 和 proxy_url 是否让 gettoken 与 message/send 到达同一个企业微信",
);
pub(super) const OWN_APP: Bilingual<&str> = Bilingual::new(
    "Use the secret of a self-built app (自建应用), not the secret of contact sync",
    "请使用自建应用的 Secret，而不是通讯录同步的 Secret",
);
pub(super) const CHAT: Bilingual<&str> = Bilingual::new(
    "Use the chatid of a chat that this app created",
    "请使用本应用所创建群聊的 chatid（wecom-relay chat create）",
);
pub(super) const ROBOT: Bilingual<&str> = Bilingual::new(
    "Copy the robot's webhook URL from the group again (群设置 → 消息推送), and write it into key of the robot",
    "请在群设置 → 消息推送中重新复制 Webhook 地址，填入机器人的 key",
);
pub(super) const LICENCE: Bilingual<&str> = Bilingual::new(
    "Buy or assign the licence in admin console → App management → the app → Interface licence (接口许可)",
    "请在管理后台 → 应用管理 → 该应用 → 接口许可中购买或分配许可",
);
pub(super) const USER_IDS: Bilingual<&str> = Bilingual::new(
    "Use the account names (账号) of admin console → Contacts",
    "请使用管理后台 → 通讯录中的“账号”",
);
pub(super) const PARTY_IDS: Bilingual<&str> =
    Bilingual::new("Use the department IDs of admin console → Contacts", "请使用管理后台 → 通讯录中的部门ID");
pub(super) const TAG_IDS: Bilingual<&str> = Bilingual::new(
    "Use the tag IDs of admin console → Contacts → Tags",
    "请使用管理后台 → 通讯录 → 标签中的标签ID",
);
pub(super) const TRUSTED_IP: Bilingual<&str> = Bilingual::new(
    "Add it in admin console → App management → the app → Company's trusted IP (企业可信IP), and wait about a minute until it takes effect",
    "请在管理后台 → 应用管理 → 该应用 → 企业可信IP 中添加，约一分钟后生效",
);
pub(super) const ENABLE: Bilingual<&str> = Bilingual::new(
    "Enable it in admin console → App management → the app",
    "请在管理后台 → 应用管理 → 该应用中启用",
);
