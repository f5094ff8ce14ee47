//! Replies of WeCom that something on the way has changed.

use std::io::Write;

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};

use super::{
    SECRET, SENT, TOKEN, assert_accepted, assert_no_secret, client_of, json, send,
    server::{Reply, Server, status},
};
use wecom_relay::wecom::{Outcome, TransportErrorKind};

/// A response with these headers and this body.
fn response(headers: &str, body: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn every_2xx_with_wecoms_fields_is_an_answer() {
    for line in ["200 OK", "201 Created", "202 Accepted", "203 Non-Authoritative", "206 Partial", "299 Odd"] {
        let server = Server::wecom(move |_| status(line, SENT)).await;
        assert_accepted(&send(&client_of(&server)).await);
    }
}

#[tokio::test]
async fn a_compressed_answer_is_read_with_or_without_its_header() {
    let body = SENT.as_bytes();
    let cases = [
        ("Content-Encoding: gzip\r\n", gzip(body)),
        ("", gzip(body)),
        ("Content-Encoding: deflate\r\n", zlib(body)),
        ("", zlib(body)),
        ("Content-Encoding: Deflate\r\n", deflate(body)),
        ("Content-Encoding: gzip\r\n", body.to_vec()),
        ("Content-Encoding: deflate\r\n", body.to_vec()),
    ];
    for (headers, body) in cases {
        let server = Server::wecom(move |_| response(headers, &body)).await;
        assert_accepted(&send(&client_of(&server)).await);
    }
}

#[tokio::test]
async fn a_compressed_answer_cannot_fill_the_memory() {
    let bomb = gzip(&vec![b' '; 50 << 20]);
    let server = Server::wecom(move |_| response("", &bomb)).await;
    let Outcome::Unknown(error) = send(&client_of(&server)).await else { unreachable!() };
    assert_eq!(error.kind, TransportErrorKind::InvalidReply);
    assert_eq!(error.detail, "a reply of more than 65536 bytes");
}

#[tokio::test]
async fn an_answer_whose_body_breaks_off_is_read_from_its_headers() {
    let cut = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 99\r\n\r\n{{\"errc");
    let reply = cut("Error-Code: 0\r\nError-Msg: ok\r\n");
    let server = Server::wecom(move |_| Reply::Raw(reply.clone())).await;
    assert!(matches!(send(&client_of(&server)).await, Outcome::Accepted(_)));
    let reply = cut("Error-Code: 60020\r\nError-Msg: not allowed\r\n");
    let server = Server::wecom(move |_| Reply::Raw(reply.clone())).await;
    let Outcome::Rejected(error) = send(&client_of(&server)).await else { unreachable!() };
    assert_eq!((error.errcode.0, error.errmsg.as_str()), (60020, "not allowed"));
}

#[tokio::test]
async fn an_answer_that_echoes_the_url_shows_no_secret() {
    // Token and secret are encoded as a URL requires, and as some gateways do.
    let url = format!(
        "/cgi-bin/message/send?access_token={TOKEN}1&x=%61ccesstoken%2d1&y={}",
        SECRET.replace('+', "%2B")
    );
    let reply = format!(
        r#"{{"errcode":0,"errmsg":"ok","msgid":"{url}","response_code":"{url}","invaliduser":"u1|{url}","invalidparty":["{url}"],"invalidtag":"{url}","unlicenseduser":"{url}"}}"#
    );
    let server = Server::wecom(move |_| json(&reply)).await;
    let outcome = send(&client_of(&server)).await;
    assert_no_secret(&outcome);
    let Outcome::Accepted(receipt) = &outcome else { unreachable!("{outcome:?}") };
    let clean = "/cgi-bin/message/send?access_token=[secret]&x=[secret]&y=[secret]";
    assert_eq!((receipt.msgid.as_str(), receipt.response_code.as_str()), (clean, clean));
    assert_eq!(receipt.invalid.users, ["u1", clean]);
    assert_eq!(
        (&receipt.invalid.parties, &receipt.invalid.tags),
        (&vec![clean.to_owned()], &vec![clean.to_owned()])
    );
}
