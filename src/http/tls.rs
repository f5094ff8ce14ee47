//! TLS 1.2 and 1.3 for the server: its certificate and, if configured, the CA of its clients.
//!
//! A [`TlsConfig`] is made of files that were read and checked together, so certificate, key and CA always match.

use std::{fmt, sync::Arc};

use rustls::{
    ConfigBuilder, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WantsServerCert, WebPkiClientVerifier},
};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::secret::Secret;

#[derive(Clone)]
pub struct TlsConfig {
    config: Arc<ServerConfig>,
    /// The same without certificates of clients.
    public: Arc<ServerConfig>,
    asks_for_certificates: bool,
    /// A digest of the files, for comparison.
    digest: [u8; 32],
}

impl PartialEq for TlsConfig {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for TlsConfig {}

/// The file that must be fixed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    #[error("{0}")]
    Certificate(String),
    #[error("{0}")]
    Key(String),
    #[error("{0}")]
    ClientCa(String),
}

impl TlsConfig {
    /// All arguments are PEM. `certificates` is the server's certificate, followed by the intermediate ones. With
    /// `client_ca`, clients need a certificate of that CA.
    ///
    /// # Errors
    /// [`TlsError`]
    pub fn new(certificates: &[u8], key: &Secret, client_ca: Option<&[u8]>) -> Result<Self, TlsError> {
        let digest = digest([certificates, key.expose().as_bytes(), client_ca.unwrap_or_default()]);
        let chain = parse(certificates).map_err(TlsError::Certificate);
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
        let (chain, key) =
            (chain?, key.map_err(|_| TlsError::Key("it has no unencrypted private key in PEM".to_owned()))?);
        let builder = || {
            ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| TlsError::Certificate(error.to_string()))
        };
        let public = server_config(builder()?.with_no_client_auth(), chain.clone(), key.clone_key())?;
        let config = match client_ca {
            None => Arc::clone(&public),
            Some(pem) => {
                let verifier = verifier(pem).map_err(TlsError::ClientCa)?;
                server_config(builder()?.with_client_cert_verifier(verifier), chain, key)?
            }
        };
        Ok(Self { config, public, asks_for_certificates: client_ca.is_some(), digest })
    }

    /// The same certificate for clients that have none.
    pub(super) fn without_client_certificates(&self) -> Self {
        Self { config: Arc::clone(&self.public), asks_for_certificates: false, ..self.clone() }
    }

    /// True if clients need a certificate.
    pub fn asks_for_certificates(&self) -> bool {
        self.asks_for_certificates
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await
    }
}

fn server_config(
    builder: ConfigBuilder<ServerConfig, WantsServerCert>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Key("it is not the key of the certificate in cert_file".to_owned())
        }
        rustls::Error::InvalidCertificate(_) => {
            TlsError::Certificate(format!("its first certificate cannot be used: {error}"))
        }
        other => TlsError::Key(format!("its key cannot be used: {other}")),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
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

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("asks_for_certificates", &self.asks_for_certificates)
            .finish_non_exhaustive()
    }
}
