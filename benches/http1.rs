//! As much of HTTP/1.1 as the load generator and the sink need: whole messages with a `Content-Length`.
//!
//! By hand, so that what is measured is the other side.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Where a message that begins with `bytes` has its body and its end; `None` while there is too little of it.
pub(crate) fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let body = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let lines = bytes[..body].split(|byte| *byte == b'\n');
    let length = lines.filter_map(|line| header(line, b"content-length:")).next();
    let length: usize = length.map_or(0, |value| value.trim().parse().unwrap());
    Some((body, body + length))
}

fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let (start, value) = line.split_at_checked(name.len())?;
    if start.eq_ignore_ascii_case(name) { std::str::from_utf8(value).ok() } else { None }
}

/// The status of an answer.
pub(crate) fn status(answer: &[u8]) -> u16 {
    let digits = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap()
}

/// One request on a connection of its own: status and the whole answer.
pub(crate) fn once(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    (status(&answer), String::from_utf8_lossy(&answer).into_owned())
}
