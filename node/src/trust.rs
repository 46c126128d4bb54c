//! Whom our own requests over https believe: authorities from a file, never the system's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

/// Certificates that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read certificates from {path}: {what}")]
pub struct TrustError {
    path: PathBuf,
    what: String,
}

/// TLS that believes the authorities in a file in PEM.
///
/// # Errors
/// [`TrustError`] for a file that cannot be read, or without a certificate in it.
pub(crate) fn tls(path: &Path) -> Result<TlsConfig, TrustError> {
    let odd = |what: String| TrustError {
        path: path.to_owned(),
        what,
    };
    let pem = std::fs::read(path).map_err(|error| odd(error.to_string()))?;
    let mut roots: Vec<Certificate<'static>> = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| odd(error.to_string()))? {
            roots.push(certificate);
        }
    }
    if roots.is_empty() {
        return Err(odd("there is none in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(provider)
        .build())
}
