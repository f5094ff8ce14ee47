//! The reasons why a message differs from the configured one.

use std::time::Duration;

use crate::{language::Language, render::RenderError, wecom::limits::CardError};

/// The reason why a message differs from the configured one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFailure {
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error("template {0} wrote an empty message")]
    Empty(String),
    #[error("the templates did not end within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("the templates were not run, because earlier ones of this receiver still run")]
    Stuck,
    #[error("the templates were interrupted by a defect of the relay, which is in its log")]
    Panicked,
    #[error("{0} is @all after rendering, which is allowed only when the configuration says so literally")]
    MentionOfEverybody(&'static str),
    #[error("{key} contains {id:?} after rendering, which nobody can have")]
    BadMention { key: &'static str, id: String },
    #[error("the url of the button {0:?} is not http or https, and the button is left out")]
    BadLink(String),
    #[error("WeCom would refuse the card, and the text is sent: {0}")]
    Unfit(#[from] CardError),
}

impl TemplateFailure {
    /// The reason in the language of the member who reads it.
    pub(super) fn text(&self, language: Language) -> String {
        match (language, self) {
            (Language::En, failure) => failure.to_string(),
            (Language::Zh, Self::Render(RenderError { template, at, message })) => {
                let at = at.map(|at| format!(" 第 {} 行第 {} 列", at.line, at.column)).unwrap_or_default();
                format!("模板 {template}{at}出错：{message}")
            }
            (Language::Zh, Self::Empty(template)) => format!("模板 {template} 输出为空"),
            (Language::Zh, Self::TimedOut(limit)) => format!("模板在 {} 秒内没有完成", limit.as_secs_f64()),
            (Language::Zh, Self::Stuck) => "该接收器之前的模板仍在运行，本次未渲染".to_owned(),
            (Language::Zh, Self::Panicked) => "模板被中继自身的缺陷中断，详见中继日志".to_owned(),
            (Language::Zh, Self::MentionOfEverybody(key)) => {
                format!("{key} 渲染后为 @all，只有在配置中直接写明才允许")
            }
            (Language::Zh, Self::BadMention { key, id }) => format!("{key} 渲染后包含无效的 {id:?}"),
            (Language::Zh, Self::BadLink(button)) => {
                format!("按钮「{button}」的链接不是 http 或 https，已省略")
            }
            (Language::Zh, Self::Unfit(error)) => format!("企业微信会拒绝这张卡片：{error}"),
        }
    }
}
