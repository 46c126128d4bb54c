//! TLS of a listener: a certificate and its key from files, read again on demand.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::signals::Hangups;

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the listener's own certificate first; PEM.
    pub certificate: PathBuf,
    /// Its private key; PEM.
    pub key: PathBuf,
}

/// Why a listener has no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of its kind.
    #[error("{}: no PEM {what} in it; check the path and its permissions", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        source: rustls_pki_types::pem::Error,
    },
    /// The key does not fit, or is of a kind that is not known.
    #[error(
        "{} and {}: not usable together; use the key of this certificate, ECDSA, RSA or Ed25519",
        files.certificate.display(), files.key.display()
    )]
    Pair {
        /// Which.
        files: TlsFiles,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// TLS 1.3 with one certificate.
#[derive(Clone)]
pub struct Tls {
    files: TlsFiles,
    certificate: Arc<Certificate>,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] names the file.
    ///
    /// # Panics
    /// Never: the provider knows TLS 1.3.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let certificate = Arc::new(Certificate(RwLock::new(read(&files)?)));
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .expect("the provider knows TLS 1.3")
            .with_no_client_auth();
        let mut config = config.with_cert_resolver(certificate.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            files,
            certificate,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// Reads the files again; new connections get what is in them now.
    ///
    /// # Errors
    /// [`TlsError`]; then the old certificate stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let certificate = read(&self.files)?;
        *self
            .certificate
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner) = certificate;
        Ok(())
    }

    /// The host names in the certificate.
    pub fn names(&self) -> Vec<String> {
        let pem = std::fs::read_to_string(&self.files.certificate).unwrap_or_default();
        link::authority::node_names(&pem)
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// The certificate in force.
struct Certificate(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(..)")
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.0
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

/// Reads all certificates again whenever the process is told to (SIGHUP).
pub(crate) async fn reload_on_hangup(certificates: Vec<Tls>) {
    let mut hangups = match Hangups::listen() {
        Ok(hangups) => hangups,
        Err(error) => return tracing::warn!(%error, "SIGHUP will not reload certificates"),
    };
    loop {
        hangups.next().await;
        for tls in certificates.clone() {
            let reloaded = tokio::task::spawn_blocking(move || tls.reload()).await;
            match reloaded {
                Ok(Ok(())) => tracing::info!("the certificate of a listener was read again"),
                Ok(Err(error)) => tracing::error!(%error, "the old certificate stays in use"),
                // It cannot panic in earnest, and if it did, the next signal would be another try.
                Err(_) => {}
            }
        }
    }
}

fn read(files: &TlsFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let error = |path: &Path, what| {
        let path = path.to_owned();
        move |source| TlsError::File { path, what, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| match chain.is_empty() {
            true => Err(rustls_pki_types::pem::Error::NoItemsFound),
            false => Ok(chain),
        })
        .map_err(error(&files.certificate, "certificate"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(error(&files.key, "private key"))?;
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
    let certified = certified.map_err(|source| TlsError::Pair {
        files: files.clone(),
        source,
    })?;
    Ok(Arc::new(certified))
}
