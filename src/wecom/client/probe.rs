//! Calls that change nothing, for a look at the way to WeCom and at what an app may do there.
//!
//! They go through the client that sends: what holds for them holds for a message.

use std::{error::Error, io};

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::{Method, Response, header};
use rustls::CertificateError;
use serde_json::{Map, Value};

use super::{
    super::{
        Api, ApiError, TransportError, TransportErrorKind,
        message::{self, Answer},
        token::{Failure, Token},
    },
    CallError, Caller, Client, bad_status, broken, foreign, read,
};

/// A tag may have tens of thousands of members, each with its name.
const MAX_READ_BYTES: usize = 8 * 1024 * 1024;

/// A WeCom that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The time of day there, if it says so.
    pub date: Option<Timestamp>,
}

/// No WeCom that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// How far it went.
    pub stage: Stage,
    /// What went wrong there.
    pub fault: TransportError,
}

/// How far a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The proxy wants a user and a password, or others.
    ProxyLogin,
    /// The proxy does not let it through.
    Proxy,
    /// The server's certificate is refused.
    Certificate(Certificate),
    /// There is no TLS for another reason.
    Tls,
    /// Beyond all that, or not so far.
    Elsewhere,
}

/// Why a certificate is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Nobody who is trusted has issued it.
    UnknownIssuer,
    /// It is over.
    Expired,
    /// It has not begun.
    NotYetValid,
    /// It is for another host.
    WrongName,
    /// Anything else.
    Other,
}

impl Client {
    /// Calls `gettoken` without parameters, which WeCom refuses before it looks at anything: shows the way there, and
    /// costs no try of a secret.
    ///
    /// # Errors
    /// [`Unreached`] when there was no WeCom's word.
    pub async fn reach(&self) -> Result<Reached, Unreached> {
        let (api, caller) = (Api::GetToken, &*self.caller);
        let fault = |stage, broken| Unreached { stage, fault: caller.fault(api, broken, None) };
        let url = caller.settings.api_url.call(api.name());
        let response = match caller.http.request(Method::GET, url).send().await {
            Ok(response) => response,
            Err(error) => {
                let stage = stage(&error, caller.settings.proxy_url.is_some());
                return Err(fault(stage, broken(error)));
            }
        };
        let date = date(&response);
        let answer = caller.fields(response).await.map_err(|broken| {
            let login = broken.kind == TransportErrorKind::Status(407);
            fault(if login { Stage::ProxyLogin } else { Stage::Elsewhere }, broken)
        })?;
        match answer {
            Answer::Done(_) | Answer::Refused { .. } => Ok(Reached { date }),
        }
    }

    /// Reads what `api` says of one thing: the fields of its reply.
    ///
    /// # Errors
    /// [`Failure`] when WeCom refuses or does not answer.
    pub async fn read(
        &self,
        token: &Token,
        api: Api,
        parameter: (&str, &str),
    ) -> Result<Map<String, Value>, Failure> {
        let caller = &*self.caller;
        let mut url = caller.settings.api_url.call(api.name());
        let (name, value) = parameter;
        url.query_pairs_mut().append_pair("access_token", token.secret().expose()).append_pair(name, value);
        let answer = match caller.http.request(Method::GET, url).send().await {
            Ok(response) => caller.fields(response).await,
            Err(error) => Err(broken(error)),
        };
        match answer {
            Ok(Answer::Done(fields)) => Ok(fields),
            Ok(Answer::Refused { errcode, errmsg }) => {
                let errmsg = caller.quotable(errmsg, Some(token));
                Err(Failure::Refused(ApiError { api, errcode, errmsg }))
            }
            Err(broken) => Err(Failure::TransportError(caller.fault(api, broken, Some(token)))),
        }
    }
}

impl Caller {
    async fn fields(&self, response: Response) -> Result<Answer<Map<String, Value>>, CallError> {
        if response.status().as_u16() != 200 {
            return Err(bad_status(&response));
        }
        let body = read(response, MAX_READ_BYTES).await?;
        message::reply(&body).map_err(|error| foreign(error, &body))
    }
}

fn date(response: &Response) -> Option<Timestamp> {
    let date = response.headers().get(header::DATE)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(date).ok()
}

fn stage(error: &reqwest::Error, proxied: bool) -> Stage {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(why)) => return Stage::Certificate(certificate(why)),
        Some(_) => return Stage::Tls,
        None => {}
    }
    if !proxied || !error.is_connect() || error.is_timeout() {
        return Stage::Elsewhere;
    }
    // Its type is private, and this text is all that tells a 407 to a CONNECT.
    if causes_of(error).any(|cause| cause.to_string().contains("proxy authorization required")) {
        return Stage::ProxyLogin;
    }
    Stage::Proxy
}

fn certificate(why: &CertificateError) -> Certificate {
    match why {
        CertificateError::UnknownIssuer => Certificate::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Certificate::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Certificate::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Certificate::WrongName
        }
        _ => Certificate::Other,
    }
}

fn causes_of<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    causes_of(error).find_map(|cause| {
        // The source of an `io::Error` is that of the error within it, which is therefore asked itself.
        let within = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause.downcast_ref().or_else(|| within.and_then(|within| tls_error(within)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tls_error_is_found_within_an_io_error() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        let Some(rustls::Error::InvalidCertificate(why)) = tls_error(&error) else { unreachable!("{error}") };
        assert_eq!(certificate(why), Certificate::Expired);
        assert!(tls_error(&io::Error::other("refused")).is_none());
    }

    #[test]
    fn certificates_are_told_apart() {
        assert_eq!(certificate(&CertificateError::NotValidForName), Certificate::WrongName);
        assert_eq!(certificate(&CertificateError::NotValidYet), Certificate::NotYetValid);
        assert_eq!(certificate(&CertificateError::UnknownIssuer), Certificate::UnknownIssuer);
        assert_eq!(certificate(&CertificateError::Revoked), Certificate::Other);
    }
}
