//! TLS of clients: the trusted CAs, which are the built-in ones and those of the configuration.

use std::sync::Arc;

use der::{
    AnyRef, Decode, Reader, SliceReader, Tagged,
    asn1::{GeneralizedTime, UtcTime},
};
use jiff::Timestamp;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use sha2::{Digest, Sha256};

/// Certificates of CAs that are trusted beside the built-in ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtraRoots(Vec<CertificateDer<'static>>);

impl ExtraRoots {
    /// The usable certificates of a PEM file. Other certificates are left out, because bundles of systems have some.
    ///
    /// # Errors
    /// A text that says why the file has no usable certificate.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let all: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        if all.is_empty() {
            return Err(match pem.contains("-----BEGIN") {
                true => "it has no certificate".to_owned(),
                false => "it is not PEM".to_owned(),
            });
        }
        let is_usable =
            |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
        let usable: Vec<_> = all.into_iter().flatten().filter(is_usable).collect();
        if usable.is_empty() {
            return Err("its certificates are damaged".to_owned());
        }
        Ok(Self(usable))
    }

    /// The end of the validity of each certificate that has expired before `now`.
    pub fn expired(&self, now: Timestamp) -> Vec<Timestamp> {
        self.0.iter().filter_map(|certificate| not_after(certificate)).filter(|end| *end < now).collect()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The certificates of both.
    pub fn with(&self, more: &Self) -> Self {
        Self(self.0.iter().chain(&more.0).cloned().collect())
    }

    /// Differs if the certificates differ. Empty without certificates.
    pub fn fingerprint(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let digest = self.0.iter().fold(Sha256::new(), |hash, certificate| hash.chain_update(certificate));
        digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// TLS with the bundled root certificates and `extra` ones. Neither the system's certificate store nor a process-wide
/// default provider is needed.
///
/// # Errors
/// None in practice.
pub fn client_config(extra: &ExtraRoots) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots.add_parsable_certificates(extra.0.iter().cloned());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The end of the validity: `Certificate.tbsCertificate.validity.notAfter` of RFC 5280, section 4.1.
fn not_after(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = elements(AnyRef::from_der(certificate).ok()?)?;
    // The optional elements have a tag of their own. Serial number, algorithm and issuer come before the validity.
    let mut to_be_signed = elements(*certificate.first()?)?;
    to_be_signed.retain(|element| !element.tag().is_context_specific());
    let validity = elements(*to_be_signed.get(3)?)?;
    let time = validity.get(1)?;
    let since_1970 = match time.decode_as::<UtcTime>() {
        Ok(time) => time.to_unix_duration(),
        Err(_) => time.decode_as::<GeneralizedTime>().ok()?.to_unix_duration(),
    };
    Timestamp::from_second(i64::try_from(since_1970.as_secs()).ok()?).ok()
}

/// The elements of a sequence.
fn elements(sequence: AnyRef<'_>) -> Option<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(sequence.value()).ok()?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(elements)
}
