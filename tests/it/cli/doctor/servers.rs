//! Servers that are not WeCom. Each ends with the process of the tests.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring};

/// Sends `answer` to every request.
pub(super) fn plain(answer: &'static str) -> SocketAddr {
    listen(move |mut stream| {
        _ = stream.read(&mut [0; 4096]);
        _ = stream.write_all(answer.as_bytes());
    })
}

/// Speaks TLS with a self-signed certificate.
pub(super) fn tls() -> SocketAddr {
    tls_with_pem().0
}

/// As [`tls`], with the certificate in PEM.
pub(super) fn tls_with_pem() -> (SocketAddr, String) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = own.signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let address = listen(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        // Fails if the client refuses the certificate.
        if stream.read(&mut [0; 4096]).is_ok() {
            _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
            _ = stream.flush();
        }
    });
    (address, own.cert.pem())
}

fn listen(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            serve(stream);
        }
    });
    address
}
