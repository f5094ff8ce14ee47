//! The part of HTTP/1.1 that the load generator and the sink need: whole messages with a `Content-Length`.
//!
//! It is written by hand because a library would take a larger share of the two processors that all processes use.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The offsets of the body and of the end of the first message in `bytes`; `None` until its head is complete.
pub(crate) fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let body = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let lines = bytes[..body].split(|byte| *byte == b'\n');
    let length = lines.filter_map(|line| header(line, b"content-length:")).next();
    let length: usize = length.map_or(0, |value| value.trim().parse().unwrap());
    Some((body, body + length))
}

fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let (start, value) = line.split_at_checked(name.len())?;
    if start.eq_ignore_ascii_case(name) { std::str::from_utf8(value).ok() } else { None }
}

pub(crate) fn status(answer: &[u8]) -> u16 {
    let digits = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap()
}

/// Makes one GET request on a new connection; returns the whole answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}
