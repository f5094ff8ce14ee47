//! Requests that are refused, with the reason, the values that were seen, and the setting that helps.

use std::time::Duration;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{access::Closed, site, state::ConsoleState, words::Words};
use crate::{
    language::Language,
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
    TooManyAttempts,
    /// It may be done again after this time.
    TooEarly(Duration),
    /// The state has changed meanwhile.
    Conflict(String),
    Outbox(String),
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
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TooManyAttempts | Self::TooEarly(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Outbox(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn text(&self, language: Language) -> String {
        match self {
            Self::Closed(closed) => closed_text(closed, language),
            Self::Foreign(foreign) => foreign_text(foreign, language),
            Self::OldForm => language
                .choose(
                    "This form belongs to another session. Go back, load the page again, and repeat the action.",
                    "这个表单属于另一个会话。请返回，刷新页面后重试。",
                )
                .to_owned(),
            Self::ViewerOnly => language
                .choose(
                    "The password of a viewer changes nothing. Log in with the operator's password \
                     (server.console.password).",
                    "viewer 密码不能修改任何内容。请使用 operator 密码（server.console.password）登录。",
                )
                .to_owned(),
            Self::TooEarly(wait) => {
                let seconds = wait.as_secs().max(1);
                language.choose(
                    format!("This was done a short time ago. Wait {seconds} s and try again."),
                    format!("刚刚已经执行过，请 {seconds} 秒后再试。"),
                )
            }
            Self::TooManyAttempts => language
                .choose(
                    "Too many logins wait. Wait a minute and try again.",
                    "登录尝试过多，请一分钟后再试。",
                )
                .to_owned(),
            Self::NotFound(text) | Self::BadRequest(text) | Self::Conflict(text) | Self::Outbox(text) => {
                text.clone()
            }
        }
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
        response
    }

    /// The refusal as JSON.
    pub(super) fn json(&self) -> Response {
        let body = serde_json::json!({ "error": self.text(Language::En) });
        (self.status(), axum::Json(body)).into_response()
    }
}

fn closed_text(closed: &Closed, language: Language) -> String {
    match (closed, language) {
        (Closed::InNetwork, Language::En) => {
            "The console is closed, because it has no password and other machines can reach this address. Webhooks are \
             accepted as before. Add these lines to the configuration and reload it:"
                .to_owned()
        }
        (Closed::InNetwork, Language::Zh) => {
            "控制台已关闭：没有设置密码，而其他机器可以访问这个地址。webhook 照常接收。请在配置中加入以下几行并重新加载："
                .to_owned()
        }
        (Closed::Proxied(header), Language::En) => format!(
            "The console is closed, because it has no password and a proxy sent this request (header {header}). Add \
             these lines to the configuration and reload it:"
        ),
        (Closed::Proxied(header), Language::Zh) => format!(
            "控制台已关闭：没有设置密码，而这个请求来自代理（请求头 {header}）。请在配置中加入以下几行并重新加载："
        ),
        (Closed::Http10, Language::En) => "The console is closed, because it has no password and a proxy sent this \
             request (HTTP/1.0). Set server.console.password_file, as in these lines, and reload the configuration:"
            .to_owned(),
        (Closed::Http10, Language::Zh) => {
            "控制台已关闭：没有设置密码，而这个请求来自代理（HTTP/1.0）。请如下设置 server.console.password_file 并重新加载：".to_owned()
        }
        (Closed::ForeignHost(host), Language::En) => format!(
            "The console is closed for the name “{host}”, because a page of a foreign site may use this name for this \
             machine. Use http://127.0.0.1 or http://localhost, or set server.console.password_file."
        ),
        (Closed::ForeignHost(host), Language::Zh) => format!(
            "不能用主机名“{host}”访问控制台，因为外部网站的页面可能把这个名称解析到本机。请使用 http://127.0.0.1 或 \
             http://localhost，或设置 server.console.password_file。"
        ),
    }
}

fn foreign_text(foreign: &Foreign, language: Language) -> String {
    match (foreign, language) {
        (Foreign::Site { site }, Language::En) => format!(
            "The browser sent this form for a page of another site (Sec-Fetch-Site: {site}). Nothing was changed. Open \
             the console itself and repeat the action."
        ),
        (Foreign::Site { site }, Language::Zh) => format!(
            "浏览器是替其他网站的页面提交这个表单的（Sec-Fetch-Site: {site}）。没有做任何修改。请打开控制台本身后重试。"
        ),
        (Foreign::Origin { origin, expected }, Language::En) => format!(
            "The form has the Origin “{origin}”, but this console is “{expected}”. Nothing was changed. If a proxy is in \
             front of the relay, set server.console.external_url to the address in your browser."
        ),
        (Foreign::Origin { origin, expected }, Language::Zh) => format!(
            "表单的 Origin 是“{origin}”，而控制台的地址是“{expected}”。没有做任何修改。如果前面有代理，请把 \
             server.console.external_url 设为浏览器中的地址。"
        ),
    }
}
