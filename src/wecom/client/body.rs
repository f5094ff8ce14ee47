//! The body of a response: read within a bound, and decompressed.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reqwest::{Response, Url, header, header::HeaderMap};
use serde_json::json;

use super::error::CallError;
use crate::wecom::{Api, TransportErrorKind};

/// The body of a 2xx response with at most `max_bytes`, before and after decompression.
///
/// WeCom writes errcode and errmsg into the headers, too. They replace a body that cannot be read, because the message must
/// not be sent again if WeCom has answered. For an API that sends no message this holds for errors only, because a
/// success is in the body.
pub(super) async fn read_body(
    api: Api,
    mut response: Response,
    max_bytes: usize,
) -> Result<Vec<u8>, CallError> {
    if !response.status().is_success() {
        return Err(unexpected_status(&response));
    }
    let reply_in_headers = reply_in_headers(api, response.headers());
    let is_deflate = has_content_coding(response.headers(), "deflate");
    match read(&mut response, max_bytes).await {
        Ok(body) => decompress(body, is_deflate, max_bytes),
        Err(error) => reply_in_headers.ok_or(error),
    }
}

async fn read(response: &mut Response, max_bytes: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(body),
            // The server has begun to answer, so it has the request.
            Err(error) => return Err(CallError { not_sent: false, ..CallError::from(error) }),
        };
        body.extend_from_slice(&chunk);
        if body.len() > max_bytes {
            return Err(CallError::invalid_reply(format!("a reply of more than {max_bytes} bytes")));
        }
    }
}

fn reply_in_headers(api: Api, headers: &HeaderMap) -> Option<Vec<u8>> {
    let errcode: i64 = headers.get("error-code")?.to_str().ok()?.trim().parse().ok()?;
    if errcode == 0 && !api.sends() {
        return None;
    }
    let errmsg = headers.get("error-msg").map(|text| String::from_utf8_lossy(text.as_bytes()));
    Some(json!({ "errcode": errcode, "errmsg": errmsg }).to_string().into_bytes())
}

fn has_content_coding(headers: &HeaderMap, coding: &str) -> bool {
    headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(coding.as_bytes()))
}

/// Decompresses a body that is compressed, also if no header says so. JSON begins with none of these bytes.
fn decompress(body: Vec<u8>, is_deflate: bool, max_bytes: usize) -> Result<Vec<u8>, CallError> {
    match body.as_slice() {
        [0x1f, 0x8b, ..] => bounded(MultiGzDecoder::new(body.as_slice()), max_bytes),
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => bounded(ZlibDecoder::new(body.as_slice()), max_bytes),
        [] | [b'{', ..] => Ok(body),
        _ if is_deflate => bounded(DeflateDecoder::new(body.as_slice()), max_bytes),
        _ => Ok(body),
    }
}

fn bounded(decoder: impl Read, max_bytes: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    if let Err(error) = decoder.take(limit).read_to_end(&mut body) {
        return Err(CallError::invalid_reply(format!("a compressed reply that cannot be read: {error}")));
    }
    if body.len() > max_bytes {
        return Err(CallError::invalid_reply(format!("a reply of more than {max_bytes} bytes")));
    }
    Ok(body)
}

fn unexpected_status(response: &Response) -> CallError {
    let status = response.status().as_u16();
    let mut detail = format!("HTTP {status}");
    if let Some(origin) = redirect_origin(response) {
        detail.push_str(&format!(", a redirect to {origin}"));
    }
    CallError { kind: TransportErrorKind::Status(status), detail, not_sent: (300..=499).contains(&status) }
}

/// The origin of a redirect's target. Path and query are left out, because they repeat those of the request.
fn redirect_origin(response: &Response) -> Option<String> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let url = Url::parse(location).ok()?;
    Some(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_in_the_headers_counts_only_for_messages() {
        let headers = |errcode: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("error-code", errcode.parse().unwrap());
            headers
        };
        assert!(reply_in_headers(Api::MessageSend, &headers("0")).is_some());
        assert!(reply_in_headers(Api::GetToken, &headers("0")).is_none());
        assert!(reply_in_headers(Api::GetToken, &headers("40001")).is_some());
    }
}
