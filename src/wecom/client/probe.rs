//! Calls for operators: they show whether WeCom can be reached and what an app may do there, and create group chats.
//!
//! They use the client that sends, so that their result also holds for a message.

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::{Response, header};
use rustls::CertificateError;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{body::read_body, call::Caller, error::CallError, send::Client, sender::SenderClient};
use crate::{
    http_client::{causes_of, tls_error},
    wecom::{
        Api, TransportError, TransportErrorKind, WecomError,
        reply::{self, ApiReply},
        token::Token,
    },
};

/// A tag may have tens of thousands of members, each with a name.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// A group chat to create.
#[derive(Debug, Clone, Serialize)]
pub struct NewChat {
    pub name: String,
    pub owner: String,
    pub userlist: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chatid: String,
}

/// WeCom answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The server's clock, from the header `Date`.
    pub date: Option<Timestamp>,
}

/// WeCom did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReachError {
    pub stage: Stage,
    pub error: TransportError,
}

/// The place at which a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The proxy requires a user and a password, or refuses those that were given.
    ProxyLogin,
    /// The proxy refuses the connection.
    Proxy,
    /// The server's certificate is not valid.
    Certificate(InvalidCertificate),
    /// TLS failed for another reason.
    Tls,
    /// Not classified: before TLS or after it.
    Other,
}

/// The reason why a certificate is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidCertificate {
    UnknownIssuer,
    Expired,
    NotYetValid,
    /// It was issued for another host.
    WrongName,
    Other,
}

impl SenderClient {
    /// [`Client::reach`]
    ///
    /// # Errors
    /// [`ReachError`] when WeCom does not answer.
    pub async fn reach(&self) -> Result<Reached, ReachError> {
        match self {
            Self::App(client) => client.caller.reach().await,
            Self::Robot(robot) => robot.caller.reach().await,
        }
    }
}

impl Client {
    /// Calls `gettoken` without parameters. WeCom refuses that before it looks at a secret, so this does not count as
    /// an attempt with a wrong secret.
    ///
    /// # Errors
    /// [`ReachError`] when WeCom does not answer.
    pub async fn reach(&self) -> Result<Reached, ReachError> {
        self.caller.reach().await
    }

    /// The fields of WeCom's reply to a read call with one parameter.
    ///
    /// # Errors
    /// [`WecomError`] when WeCom refuses or does not answer.
    pub async fn read(
        &self,
        token: &Token,
        api: Api,
        parameter: (&str, &str),
    ) -> Result<Map<String, Value>, WecomError> {
        let (name, value) = parameter;
        let mut url = self.caller.url(api, ("access_token", token.secret().expose()));
        url.query_pairs_mut().append_pair(name, value);
        self.fields(token, api, self.caller.get(url).await).await
    }

    /// Creates a group chat of this app, and returns its id. An empty `chatid` lets WeCom choose one.
    ///
    /// # Errors
    /// [`WecomError`] when WeCom refuses or does not answer.
    #[expect(clippy::expect_used, reason = "texts can always be written as JSON")]
    pub async fn create_chat(&self, token: &Token, chat: &NewChat) -> Result<String, WecomError> {
        let api = Api::AppchatCreate;
        let url = self.caller.url(api, ("access_token", token.secret().expose()));
        let body = serde_json::to_string(chat).expect("a chat is valid JSON");
        let fields = self.fields(token, api, self.caller.post(url, body).send().await).await?;
        let id = fields.get("chatid").and_then(Value::as_str).filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or_else(|| {
            let error = CallError::invalid_reply("a reply without a chatid".to_owned());
            WecomError::Transport(self.caller.transport_error(api, error, Some(token)))
        })
    }

    async fn fields(
        &self,
        token: &Token,
        api: Api,
        response: Result<Response, reqwest::Error>,
    ) -> Result<Map<String, Value>, WecomError> {
        let reply = match response {
            Ok(response) => read_reply(api, response).await,
            Err(error) => Err(error.into()),
        };
        match reply {
            Ok(ApiReply::Success(fields)) => Ok(fields),
            Ok(ApiReply::Error { errcode, errmsg }) => {
                Err(WecomError::Rejected(self.caller.api_error(api, errcode, &errmsg, Some(token))))
            }
            Err(error) => Err(WecomError::Transport(self.caller.transport_error(api, error, Some(token)))),
        }
    }
}

impl Caller {
    async fn reach(&self) -> Result<Reached, ReachError> {
        let api = Api::GetToken;
        let failed = |stage, error| ReachError { stage, error: self.transport_error(api, error, None) };
        let response = match self.get(self.url_without_parameters(api)).await {
            Ok(response) => response,
            Err(error) => {
                let stage = stage(&error, self.has_proxy());
                return Err(failed(stage, error.into()));
            }
        };
        let date = date(&response);
        match read_reply(api, response).await {
            Ok(_) => Ok(Reached { date }),
            Err(error) if error.kind == TransportErrorKind::Status(407) => {
                Err(failed(Stage::ProxyLogin, error))
            }
            Err(error) => Err(failed(Stage::Other, error)),
        }
    }
}

async fn read_reply(api: Api, response: Response) -> Result<ApiReply<Map<String, Value>>, CallError> {
    let body = read_body(api, response, MAX_BODY_BYTES).await?;
    reply::fields_reply(&body).map_err(|error| CallError::foreign_reply(error, &body))
}

fn date(response: &Response) -> Option<Timestamp> {
    let date = response.headers().get(header::DATE)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(date).ok()
}

fn stage(error: &reqwest::Error, has_proxy: bool) -> Stage {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            return Stage::Certificate(invalid_certificate(reason));
        }
        Some(_) => return Stage::Tls,
        None => {}
    }
    if !has_proxy || !error.is_connect() || error.is_timeout() {
        return Stage::Other;
    }
    // The error's type is private in hyper-util, so only this text shows that a CONNECT was answered with 407. A test
    // with a real proxy pins it.
    if causes_of(error).any(|cause| cause.to_string().contains("proxy authorization required")) {
        return Stage::ProxyLogin;
    }
    Stage::Proxy
}

fn invalid_certificate(error: &CertificateError) -> InvalidCertificate {
    match error {
        CertificateError::UnknownIssuer => InvalidCertificate::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => InvalidCertificate::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            InvalidCertificate::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            InvalidCertificate::WrongName
        }
        _ => InvalidCertificate::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_errors_are_classified() {
        let classified = |error| invalid_certificate(&error);
        assert_eq!(classified(CertificateError::NotValidForName), InvalidCertificate::WrongName);
        assert_eq!(classified(CertificateError::NotValidYet), InvalidCertificate::NotYetValid);
        assert_eq!(classified(CertificateError::UnknownIssuer), InvalidCertificate::UnknownIssuer);
        assert_eq!(classified(CertificateError::Revoked), InvalidCertificate::Other);
    }
}
