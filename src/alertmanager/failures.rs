//! The sentences about failed calls of Alertmanager, for operators. Each is a clause without a full stop.

use crate::language::Bilingual;

pub(super) const CREDENTIALS: Bilingual<&str> = Bilingual::new(
    "Alertmanager refuses the relay's credentials (HTTP {}); correct bearer_token or basic_auth of alertmanager",
    "Alertmanager 拒绝了 relay 的凭据（HTTP {}），请修正 alertmanager 的 bearer_token 或 basic_auth",
);
pub(super) const NO_API: Bilingual<&str> = Bilingual::new(
    "there is no Alertmanager API v2 at this URL (HTTP {}); correct alertmanager.url",
    "该地址没有 Alertmanager API v2（HTTP {}），请修正 alertmanager.url",
);
pub(super) const OVERLOADED: Bilingual<&str> =
    Bilingual::new("Alertmanager is overloaded (HTTP {})", "Alertmanager 过载（HTTP {}）");
pub(super) const REDIRECTS: Bilingual<&str> = Bilingual::new(
    "Alertmanager redirects (HTTP {}); write the final URL in alertmanager.url",
    "Alertmanager 返回重定向（HTTP {}），请在 alertmanager.url 中写最终地址",
);
pub(super) const REDIRECTS_TO: Bilingual<&str> = Bilingual::new(
    "Alertmanager redirects to {} (HTTP {}); write the final URL in alertmanager.url",
    "Alertmanager 返回重定向 {}（HTTP {}），请在 alertmanager.url 中写最终地址",
);
/// The second gap is empty, or has a colon and the text of Alertmanager.
pub(super) const REFUSED: Bilingual<&str> =
    Bilingual::new("Alertmanager refuses the silence (HTTP {}){}", "Alertmanager 拒绝了该静默（HTTP {}）{}");
pub(super) const FAILED: Bilingual<&str> = Bilingual::new(
    "Alertmanager failed (HTTP {}){}; look into its log",
    "Alertmanager 出错（HTTP {}）{}，请查看其日志",
);
pub(super) const FOREIGN: Bilingual<&str> = Bilingual::new(
    "the answer is not one of Alertmanager's API v2; correct alertmanager.url",
    "返回的内容不是 Alertmanager API v2 的响应，请修正 alertmanager.url",
);
pub(super) const TIMED_OUT: Bilingual<&str> =
    Bilingual::new("Alertmanager does not answer within {} s", "Alertmanager 在 {} 秒内没有响应");
pub(super) const UNTRUSTED: Bilingual<&str> = Bilingual::new(
    "the certificate of Alertmanager is not trusted: {}; name its CA in ca_file of alertmanager, or write the name in the \
     certificate into alertmanager.url",
    "Alertmanager 的证书不可信：{}，请在 alertmanager 的 ca_file 中写明其 CA，或在 alertmanager.url 中使用证书里的主机名",
);
pub(super) const UNREACHABLE: Bilingual<&str> =
    Bilingual::new("Alertmanager cannot be reached: {}", "无法连接 Alertmanager：{}");
pub(super) const LOST: Bilingual<&str> =
    Bilingual::new("the connection to Alertmanager was lost: {}", "与 Alertmanager 的连接中断：{}");

const ALL: [Bilingual<&str>; 12] = [
    CREDENTIALS,
    NO_API,
    OVERLOADED,
    REDIRECTS,
    REDIRECTS_TO,
    REFUSED,
    FAILED,
    FOREIGN,
    TIMED_OUT,
    UNTRUSTED,
    UNREACHABLE,
    LOST,
];

/// The Chinese text of a [`super::SilencesError`] that is shown in English.
pub fn chinese_failure(english: &str) -> Option<String> {
    let (url, detail) = english.split_once(": ")?;
    let chinese = ALL.iter().find_map(|sentence| sentence.chinese_of(detail, str::to_owned))?;
    Some(format!("{url}：{chinese}"))
}
