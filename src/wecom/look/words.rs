//! The words that are not part of a message.

use crate::language::Language;

/// WeChat's sentence for a message that it does not show.
pub(super) const UNSUPPORTED: &str = "暂不支持此消息类型，请在企业微信中查看";

/// The label of everything that this module draws.
pub fn approximate(language: Language) -> &'static str {
    language.choose("approximate", "近似")
}

pub(super) fn refused(language: Language) -> &'static str {
    language.choose("⚠ WeCom does not open this link", "⚠ 企业微信打不开此链接")
}

pub(super) fn mini_program(language: Language) -> &'static str {
    language.choose("mini program", "小程序")
}

pub(super) fn hidden(bytes: usize, language: Language) -> String {
    let en = format!("✂ WeCom cuts off {bytes} more bytes");
    language.choose(en, format!("✂ 企业微信截去其余 {bytes} 字节"))
}
