//! TLS of the listening side: 1.2 and 1.3, the certificate of the relay, and on request those of its clients.
//!
//! A value is made of files that were read and checked together, so what is in force always fits together. A
//! resolver that swaps only the certificate was rejected: sessions that are resumed would keep the old client CA.

use std::{fmt, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::secret::Secret;

/// How connections are encrypted.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    asks_for_certificates: bool,
    /// Of all that it was made of.
    digest: [u8; 32],
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Tls {}

/// Why files do not make a [`Tls`], by the file that is to be mended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTls {
    /// The certificates.
    #[error("{0}")]
    Certificate(String),
    /// The private key.
    #[error("{0}")]
    Key(String),
    /// The CA of the clients.
    #[error("{0}")]
    ClientCa(String),
}

impl Tls {
    /// From PEM: the relay's certificate with the intermediate ones after it, its private key, and the CA from which
    /// clients must have a certificate, if they must have one.
    ///
    /// # Errors
    /// [`BadTls`]
    pub fn new(certificates: &[u8], key: &Secret, client_ca: Option<&[u8]>) -> Result<Self, BadTls> {
        let digest = digest([certificates, key.expose().as_bytes(), client_ca.unwrap_or_default()]);
        let chain = parse(certificates).map_err(BadTls::Certificate);
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
        let (chain, key) =
            (chain?, key.map_err(|_| BadTls::Key("it has no unencrypted private key in PEM".to_owned()))?);
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| BadTls::Certificate(error.to_string()))?;
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => builder.with_client_cert_verifier(verifier(pem).map_err(BadTls::ClientCa)?),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                BadTls::Key("it is not the key of the certificate in cert_file".to_owned())
            }
            rustls::Error::InvalidCertificate(_) => {
                BadTls::Certificate(format!("its first certificate cannot be used: {error}"))
            }
            other => BadTls::Key(format!("its key cannot be used: {other}")),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), asks_for_certificates: client_ca.is_some(), digest })
    }

    /// Whether only clients with a certificate get in.
    pub fn asks_for_certificates(&self) -> bool {
        self.asks_for_certificates
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await
    }
}

fn digest(parts: [&[u8]; 3]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn verifier(pem: &[u8]) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in parse(pem)? {
        roots.add(certificate).map_err(|error| format!("a certificate in it cannot be used: {error}"))?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map_err(|error| error.to_string())
}

fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err("it has no certificate in PEM".to_owned()),
        Ok(all) => Ok(all),
        Err(_) => Err("it is not PEM".to_owned()),
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("asks_for_certificates", &self.asks_for_certificates)
            .finish_non_exhaustive()
    }
}
