//! Certificates of CAs that are trusted beside the built-in ones.

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use sha2::{Digest, Sha256};
use x509_cert::{Certificate, der::Decode};

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

    pub(super) fn add_to(&self, store: &mut RootCertStore) {
        store.add_parsable_certificates(self.0.iter().cloned());
    }
}

fn not_after(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let validity = *Certificate::from_der(certificate).ok()?.tbs_certificate().validity();
    let seconds = i64::try_from(validity.not_after.to_unix_duration().as_secs()).ok()?;
    Timestamp::from_second(seconds).ok()
}
