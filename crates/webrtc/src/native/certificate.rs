//! The DTLS certificate of a native node.

use std::fmt;
use std::sync::Arc;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};

use crate::core::certhash::Fingerprint;

const CERTIFICATE_TAG: &str = "CERTIFICATE";
const PRIVATE_KEY_TAG: &str = "PRIVATE KEY";

/// A self-signed ECDSA P-256 certificate and its private key.
///
/// Its SHA-256 is the `/certhash/…` of every address the node listens on, so a server that keeps its certificate keeps
/// its addresses. Cheap to clone.
#[derive(Clone)]
pub struct Certificate {
    inner: Arc<Inner>,
}

struct Inner {
    certificate: Vec<u8>,
    private_key: Vec<u8>,
    fingerprint: Fingerprint,
}

/// Why a certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The key or certificate could not be generated.
    #[error("cannot generate a certificate: {0}")]
    Generate(#[source] rcgen::Error),
    /// The text is not PEM.
    #[error("not a PEM file: {0}")]
    Pem(#[source] pem::PemError),
    /// A section is missing, or there is more than one of it.
    #[error("the PEM file must hold exactly one {0} section")]
    Section(&'static str),
    /// The private key cannot be read as PKCS #8.
    #[error("cannot read the private key: {0}")]
    Key(#[source] rcgen::Error),
    /// The private key is of another kind; WebRTC peers expect ECDSA P-256.
    #[error("the private key is not an ECDSA P-256 key")]
    KeyKind,
    /// The certificate was made for another key.
    #[error("the certificate does not belong to the private key")]
    Mismatch,
}

impl Certificate {
    /// Generates a new key and a certificate for it.
    pub fn generate() -> Result<Self, CertificateError> {
        let key =
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CertificateError::Generate)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(CertificateError::Generate)?;
        // Peers authenticate by fingerprint and Noise alone and ignore the dates; an expiry would only break the
        // addresses of a long-lived server.
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(4096, 1, 1);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "WebRTC");
        // Firefox refuses two certificates of one issuer with the same serial number.
        params.serial_number = Some(rand::random::<[u8; 16]>().to_vec().into());
        let certificate = params
            .self_signed(&key)
            .map_err(CertificateError::Generate)?;
        Ok(Self::new(certificate.der().to_vec(), key.serialize_der()))
    }

    /// Reads what [`Certificate::to_pem`] wrote: one `CERTIFICATE` and one PKCS #8 `PRIVATE KEY` section.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let sections = pem::parse_many(text).map_err(CertificateError::Pem)?;
        let only = |tag: &'static str| {
            let mut found = sections.iter().filter(|section| section.tag() == tag);
            match (found.next(), found.next()) {
                (Some(section), None) => Ok(section.contents().to_vec()),
                _ => Err(CertificateError::Section(tag)),
            }
        };
        let certificate = only(CERTIFICATE_TAG)?;
        let private_key = only(PRIVATE_KEY_TAG)?;
        let key = KeyPair::try_from(private_key.as_slice()).map_err(CertificateError::Key)?;
        if !key.is_compatible(&PKCS_ECDSA_P256_SHA256) {
            return Err(CertificateError::KeyKind);
        }
        // A certificate holds its public key (SubjectPublicKeyInfo) verbatim, so there is no need to parse X.509.
        let public_key = rcgen::PublicKeyData::subject_public_key_info(&key);
        if !certificate
            .windows(public_key.len())
            .any(|window| window == public_key)
        {
            return Err(CertificateError::Mismatch);
        }
        Ok(Self::new(certificate, private_key))
    }

    /// The certificate and its private key as PEM. Holds a secret.
    pub fn to_pem(&self) -> String {
        pem::encode_many(&[
            pem::Pem::new(CERTIFICATE_TAG, self.inner.certificate.clone()),
            pem::Pem::new(PRIVATE_KEY_TAG, self.inner.private_key.clone()),
        ])
    }

    /// Its SHA-256: what `/certhash/…` carries.
    pub fn fingerprint(&self) -> Fingerprint {
        self.inner.fingerprint
    }

    pub(crate) fn to_dtls(&self) -> dimpl::DtlsCertificate {
        dimpl::DtlsCertificate {
            certificate: self.inner.certificate.clone(),
            private_key: self.inner.private_key.clone(),
        }
    }

    fn new(certificate: Vec<u8>, private_key: Vec<u8>) -> Self {
        let fingerprint = Fingerprint::of_certificate(&certificate);
        Self {
            inner: Arc::new(Inner {
                certificate,
                private_key,
                fingerprint,
            }),
        }
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.inner.fingerprint == other.inner.fingerprint
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.inner.fingerprint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_round_trip_through_pem() {
        let certificate = Certificate::generate().unwrap();
        let again = Certificate::from_pem(&certificate.to_pem()).unwrap();
        assert_eq!(certificate.fingerprint(), again.fingerprint());
        assert_eq!(certificate.to_pem(), again.to_pem());
        assert_ne!(certificate, Certificate::generate().unwrap());
    }

    #[test]
    fn refuses_what_is_not_its_own() {
        let one = Certificate::generate().unwrap();
        let other = Certificate::generate().unwrap();
        assert!(matches!(
            Certificate::from_pem("hello"),
            Err(CertificateError::Section(_))
        ));
        assert!(matches!(
            Certificate::from_pem(&format!("{}{}", one.to_pem(), other.to_pem())),
            Err(CertificateError::Section(_))
        ));
        let mixed = pem::encode_many(&[
            pem::Pem::new(CERTIFICATE_TAG, one.inner.certificate.clone()),
            pem::Pem::new(PRIVATE_KEY_TAG, other.inner.private_key.clone()),
        ]);
        assert!(matches!(
            Certificate::from_pem(&mixed),
            Err(CertificateError::Mismatch)
        ));
        let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let other_kind = pem::encode_many(&[
            pem::Pem::new(CERTIFICATE_TAG, one.inner.certificate.clone()),
            pem::Pem::new(PRIVATE_KEY_TAG, ed25519.serialize_der()),
        ]);
        assert!(matches!(
            Certificate::from_pem(&other_kind),
            Err(CertificateError::KeyKind)
        ));
        let garbage = one.to_pem().replace("PRIVATE KEY", "PUBLIC KEY");
        assert!(matches!(
            Certificate::from_pem(&garbage),
            Err(CertificateError::Section(_))
        ));
    }
}
