//! One end's own certificate and key, checked when they are loaded.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use crate::certificate::{self, Usage, Validity};
use crate::identity::IdentityError;
use crate::private_file::{self, FileError};

/// Why certificates or keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// No certificate in what should hold one.
    #[error("{what}: no PEM certificate in it; expected \"-----BEGIN CERTIFICATE-----\"")]
    NoCertificate {
        /// The file, or what it stands for.
        what: String,
    },
    /// No private key in what should hold one.
    #[error("{what}: no PEM private key in it; expected \"-----BEGIN PRIVATE KEY-----\"")]
    NoKey {
        /// The file, or what it stands for.
        what: String,
    },
    /// The certificate is damaged, or of an unknown kind.
    #[error("{what}: the certificate is unreadable; issue a new one with \"trilobite ca issue\"")]
    BadCertificate {
        /// The file, or what it stands for.
        what: String,
    },
    /// The key is damaged, or of a kind that is not supported.
    #[error("{what}: the key is unreadable; use an Ed25519, ECDSA P-256 or P-384 key in PKCS #8")]
    BadKey {
        /// The file, or what it stands for.
        what: String,
    },
    /// The key is of another certificate.
    #[error("{key} is not the key of {certificate}; use the two files that were issued together")]
    KeyMismatch {
        /// The certificate's file, or what it stands for.
        certificate: String,
        /// The key's file, or what it stands for.
        key: String,
    },
    /// The certificate is of no more use.
    #[error("{what}: expired on {date}; issue a new one with \"trilobite ca issue\"")]
    Expired {
        /// The file, or what it stands for.
        what: String,
        /// The last day.
        date: String,
    },
    /// The certificate is of no use yet.
    #[error("{what}: valid from {date} on; check this machine's clock")]
    NotValidYet {
        /// The file, or what it stands for.
        what: String,
        /// The first day.
        date: String,
    },
    /// The certificate was made for the other end.
    #[error("{what}: not a certificate for {expected}; agents and nodes need different ones")]
    WrongUsage {
        /// The file, or what it stands for.
        what: String,
        /// Who needs one.
        expected: &'static str,
    },
    /// The certificate does not say who the agent is.
    #[error("{what}: unfit for an agent; issue a new one with \"trilobite ca issue\"")]
    NoIdentity {
        /// The file, or what it stands for.
        what: String,
        /// What is missing.
        source: IdentityError,
    },
}

/// A PEM text and what to call it in an error.
pub(super) struct Pem {
    pub(super) what: String,
    text: Vec<u8>,
}

impl Pem {
    pub(super) fn from_text(what: &str, text: &str) -> Self {
        Self {
            what: what.to_owned(),
            text: text.as_bytes().to_vec(),
        }
    }

    pub(super) fn from_file(path: &Path) -> Result<Self, FileError> {
        Ok(Self {
            what: path.display().to_string(),
            text: private_file::read(path)?,
        })
    }

    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.text).collect();
        match all {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err(CredentialError::NoCertificate {
                what: self.what.clone(),
            }),
        }
    }

    pub(super) fn roots(&self) -> Result<Arc<RootCertStore>, CredentialError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            let bad = |_| CredentialError::BadCertificate {
                what: self.what.clone(),
            };
            roots.add(certificate).map_err(bad)?;
        }
        Ok(Arc::new(roots))
    }
}

/// A certificate chain with its key, and what was checked about it.
pub(super) struct OwnCertificate {
    pub(super) leaf: CertificateDer<'static>,
    pub(super) validity: Validity,
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) resolver: Arc<SingleCertAndKey>,
}

impl OwnCertificate {
    pub(super) fn new(
        usage: Usage,
        certificate: &Pem,
        key: &Pem,
        provider: &CryptoProvider,
    ) -> Result<Self, CredentialError> {
        let what = || certificate.what.clone();
        let chain = certificate.certificates()?;
        let leaf = chain[0].clone();
        let validity = certificate::validity(&leaf)
            .ok_or_else(|| CredentialError::BadCertificate { what: what() })?;
        if !certificate::is_for(usage, &leaf, validity) {
            let expected = match usage {
                Usage::Agent => "an agent (client authentication)",
                Usage::Node => "a node (server authentication)",
            };
            return Err(CredentialError::WrongUsage {
                what: what(),
                expected,
            });
        }
        if UnixTime::now() > validity.not_after {
            let date = certificate::date(validity.not_after);
            return Err(CredentialError::Expired { what: what(), date });
        }
        let key_der =
            PrivateKeyDer::from_pem_slice(&key.text).map_err(|_| CredentialError::NoKey {
                what: key.what.clone(),
            })?;
        let certified = CertifiedKey::from_der(chain, key_der, provider).map_err(|error| {
            let (certificate, key) = (what(), key.what.clone());
            match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    CredentialError::KeyMismatch { certificate, key }
                }
                _ => CredentialError::BadKey { what: key },
            }
        })?;
        Ok(Self {
            leaf,
            validity,
            certified: Arc::new(certified.clone()),
            resolver: Arc::new(certified.into()),
        })
    }
}
