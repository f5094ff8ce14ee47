//! Requests that are refused, with the reason, the values that were seen, and the setting that helps.

use std::time::Duration;

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{access::Closed, site, state::ConsoleState, throttle::WINDOW, words::Words};
use crate::{
    language::{Bilingual, Language},
    pages::{Foreign, Frame, Mark, Visitor},
};

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    Closed(Closed),
    Foreign(Foreign),
    /// The form is from another session.
    OldForm,
    ViewerOnly,
    NotFound(String),
    BadRequest(String),
    /// The reason why the form cannot be read.
    BadForm(Bilingual<String>),
    TooManyAttempts,
    /// It may be done again after this time.
    TooEarly(Duration),
    /// Those of one reader; the next one is allowed after this time.
    TooManyRequests(Duration),
    /// The state has changed meanwhile.
    Conflict(String),
    /// The outbox does not answer, for this reason.
    Outbox(String),
    Stopping,
}

const YAML: &str = "server:\n  console:\n    password_file: /etc/wecom-relay/console-password\n";

#[derive(Serialize)]
struct View<'a> {
    title: String,
    text: String,
    yaml: Option<&'a str>,
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Closed(_) | Self::Foreign(_) | Self::OldForm | Self::ViewerOnly => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::BadRequest(_) | Self::BadForm(_) => StatusCode::BAD_REQUEST,
            Self::TooManyAttempts | Self::TooEarly(_) | Self::TooManyRequests(_) => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Outbox(_) | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The whole seconds after which the request may come again.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyAttempts => Some(WINDOW.as_secs()),
            Self::TooEarly(wait) | Self::TooManyRequests(wait) => {
                Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
            }
            _ => None,
        }
    }

    /// The reason, and the fix as a sentence of its own if the reason does not have it.
    fn explanation(&self, language: Language) -> (String, Option<String>) {
        let choose = |en: [&str; 2], zh: [&str; 2]| {
            let [reason, fix] = language.choose(en, zh);
            (reason.to_owned(), Some(fix.to_owned()))
        };
        match self {
            Self::Closed(closed) => closed_text(closed, language),
            Self::Foreign(foreign) => foreign_text(foreign, language),
            Self::OldForm => choose(
                [
                    "This form belongs to another session.",
                    "Go back, load the page again, and repeat the action.",
                ],
                ["这个表单属于另一个会话。", "请返回，刷新页面后重试。"],
            ),
            Self::ViewerOnly => choose(
                [
                    "The password of a viewer changes nothing.",
                    "Log in with the operator's password (server.console.password).",
                ],
                ["viewer 密码不能修改任何内容。", "请使用 operator 密码（server.console.password）登录。"],
            ),
            Self::TooEarly(_) => {
                let reason = language.choose("This was done a short time ago.", "刚刚已经执行过。");
                (reason.to_owned(), self.wait_text(language))
            }
            Self::TooManyRequests(_) => {
                let reason = language.choose(
                    "Too many requests came from this browser or program.",
                    "来自这个浏览器或程序的请求过多。",
                );
                (reason.to_owned(), self.wait_text(language))
            }
            Self::TooManyAttempts => choose(
                ["Too many logins wait.", "Wait a minute and try again."],
                ["登录尝试过多。", "请一分钟后再试。"],
            ),
            Self::Stopping => choose(
                ["The relay is stopping.", "Try again after its start."],
                ["relay 正在停止。", "请在它启动后再试。"],
            ),
            Self::BadForm(reason) => {
                let reason = reason.get(language);
                let text = language.choose("The form cannot be read: ", "无法读取表单：");
                (format!("{text}{reason}"), None)
            }
            Self::Outbox(error) => {
                let text = language.choose("The outbox does not answer: ", "outbox 没有响应：");
                (format!("{text}{error}"), None)
            }
            Self::NotFound(text) | Self::BadRequest(text) | Self::Conflict(text) => (text.clone(), None),
        }
    }

    fn wait_text(&self, language: Language) -> Option<String> {
        let seconds = self.retry_after()?;
        Some(language.choose(format!("Wait {seconds} s and try again."), format!("请 {seconds} 秒后再试。")))
    }

    pub(super) fn text(&self, language: Language) -> String {
        let (reason, fix) = self.explanation(language);
        let space = language.choose(" ", "");
        fix.map_or_else(|| reason.clone(), |fix| format!("{reason}{space}{fix}"))
    }

    fn yaml(&self) -> Option<&'static str> {
        matches!(self, Self::Closed(Closed::InNetwork | Closed::Proxied(_) | Closed::Http10)).then_some(YAML)
    }

    /// The refusal as a page.
    pub(super) fn page<O>(&self, state: &ConsoleState<O>, visitor: &Visitor) -> Response {
        let words = Words::of(visitor.language);
        let frame = Frame {
            site: site::NAME,
            title: words.refused.to_owned(),
            count: 0,
            mark: Mark::Warn,
            nav: Vec::new(),
            role: None,
            token: String::new(),
            now: state.wall_time(),
        };
        let view =
            View { title: words.refused.to_owned(), text: self.text(visitor.language), yaml: self.yaml() };
        let mut response = state.pages.html("refused.html", visitor, &frame, words, &view);
        if response.status() == StatusCode::OK {
            *response.status_mut() = self.status();
        }
        self.with_retry_after(response)
    }

    /// The refusal as JSON, in English.
    pub(super) fn json(&self) -> Response {
        let (detail, fix) = self.explanation(Language::En);
        self.with_retry_after(Problem { status: self.status(), detail, fix }.into_response())
    }

    fn with_retry_after(&self, mut response: Response) -> Response {
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A refusal of the API: the problem details of RFC 9457, and the fix.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) detail: String,
    pub(super) fix: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, detail, fix } = self;
        let body = serde_json::json!({
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": detail,
            "fix": fix,
        });
        let mut response = (status, axum::Json(body)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

fn closed_text(closed: &Closed, language: Language) -> (String, Option<String>) {
    let reason = match closed {
        Closed::InNetwork => language.choose(
            "The console is closed, because it has no password and other machines can reach this address. Webhooks are \
             accepted as before."
                .to_owned(),
            "控制台已关闭：没有设置密码，而其他机器可以访问这个地址。webhook 照常接收。".to_owned(),
        ),
        Closed::Proxied(header) => language.choose(
            format!(
                "The console is closed, because it has no password and a proxy sent this request (header {header})."
            ),
            format!("控制台已关闭：没有设置密码，而这个请求来自代理（请求头 {header}）。"),
        ),
        Closed::Http10 => language.choose(
            "The console is closed, because it has no password and a proxy sent this request (HTTP/1.0).".to_owned(),
            "控制台已关闭：没有设置密码，而这个请求来自代理（HTTP/1.0）。".to_owned(),
        ),
        Closed::ForeignHost(host) => language.choose(
            format!(
                "The console is closed for the name “{host}”, because a page of a foreign site may use this name for \
                 this machine."
            ),
            format!("不能用主机名“{host}”访问控制台，因为外部网站的页面可能把这个名称解析到本机。"),
        ),
    };
    let fix = match closed {
        Closed::ForeignHost(_) => language.choose(
            "Use http://127.0.0.1 or http://localhost, or set server.console.password_file.",
            "请使用 http://127.0.0.1 或 http://localhost，或设置 server.console.password_file。",
        ),
        _ => language.choose(
            "Set server.console.password_file and reload the configuration.",
            "请设置 server.console.password_file 并重新加载配置。",
        ),
    };
    (reason, Some(fix.to_owned()))
}

fn foreign_text(foreign: &Foreign, language: Language) -> (String, Option<String>) {
    let (reason, fix) = match foreign {
        Foreign::Site { site } => (
            language.choose(
                format!(
                    "The browser sent this form for a page of another site (Sec-Fetch-Site: {site}). Nothing was changed."
                ),
                format!("浏览器是替其他网站的页面提交这个表单的（Sec-Fetch-Site: {site}）。没有做任何修改。"),
            ),
            language.choose("Open the console itself and repeat the action.", "请打开控制台本身后重试。"),
        ),
        Foreign::Origin { origin, expected } => (
            language.choose(
                format!(
                    "The form has the Origin “{origin}”, but this console is “{expected}”. Nothing was changed."
                ),
                format!("表单的 Origin 是“{origin}”，而控制台的地址是“{expected}”。没有做任何修改。"),
            ),
            language.choose(
                "If a proxy is in front of the relay, set server.console.external_url to the address in your browser.",
                "如果前面有代理，请把 server.console.external_url 设为浏览器中的地址。",
            ),
        ),
    };
    (reason, Some(fix.to_owned()))
}
