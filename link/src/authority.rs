//! The private authority of an installation: it says which agents speak for which site.
//!
//! Keys are Ed25519. A signature needs no randomness, of which a router that has just started has
//! little; curve arithmetic without 64-bit multiplication is cheaper for it than for P-256; and
//! the key exchange uses the same curve (X25519), so a small agent carries one curve's code.

mod files;
pub mod tokens;

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, SanType,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, DnsName};
use wire::enrol::Fingerprint;
use wire::{AgentName, SiteName};

use crate::fingerprint;
use crate::identity::Identity;
use crate::signing_request::SigningRequest;

pub use files::{AuthorityDir, IssuedFiles};

pub use crate::private_file::{Existing, FileError};

/// Days for which an authority is valid: it outlives the hardware it serves.
pub const AUTHORITY_DAYS: u32 = 3_650;

/// Days for which a certificate is valid unless told otherwise. One that was stolen with its key ends
/// after a week where the node does not renew; where it does, the thief may renew it as well.
pub const CERTIFICATE_DAYS: u32 = 7;

/// Seconds by which validity starts early: a peer's clock may be behind ours.
const BACKDATE_SECONDS: u64 = 3_600;

const DAY_SECONDS: u64 = 86_400;

/// Why an authority cannot be made, loaded or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The certificate of the authority is not readable PEM.
    #[error("the authority's certificate is not PEM; expected the ca.pem of \"trilobite ca init\"")]
    CertificatePem,
    /// The key of the authority is not readable PEM.
    #[error("the authority's key is not a PEM key; expected the ca.key of \"trilobite ca init\"")]
    KeyPem(#[source] rcgen::Error),
    /// Certificate and key are not a pair made by [`Authority::create`].
    #[error(
        "ca.pem and ca.key do not belong together, or were not made by \"trilobite ca init\"; use \
         the two files of one \"trilobite ca init\""
    )]
    Mismatch,
    /// A node certificate without a name could not be verified by any agent.
    #[error(
        "a node certificate needs at least one name; give the DNS names or IP addresses that agents connect to"
    )]
    NoNames,
    /// A name of the node is neither a DNS name nor an IP address.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    Name(String),
    /// The certificate would not be valid for a single day.
    #[error("a certificate must be valid for 1 to {AUTHORITY_DAYS} days, not {0}")]
    Days(u32),
    /// The system's random numbers or the signature failed.
    #[error("cannot sign; the system's source of randomness may be missing")]
    Sign(#[source] rcgen::Error),
}

/// A certificate and its private key, both as PEM.
pub struct Issued {
    /// The certificate, to be shown to anyone.
    pub certificate_pem: String,
    /// The private key, for its owner only.
    pub key_pem: String,
}

impl std::fmt::Debug for Issued {
    /// Shows the certificate and hides the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// The private authority of an installation.
///
/// Its certificate is the one root that nodes and agents trust. An authority of another make works
/// as well, as long as its agent certificates carry the URI of [`Identity`]; it only cannot be
/// loaded here.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    fingerprint: Fingerprint,
}

impl Authority {
    /// Makes a new authority with a new key.
    ///
    /// # Errors
    /// [`AuthorityError::Sign`] when the system has no randomness.
    pub fn create() -> Result<Self, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(AuthorityError::Sign)?;
        let params = authority_params(&key, lifetime(AUTHORITY_DAYS)?);
        let certificate = params.self_signed(&key).map_err(AuthorityError::Sign)?;
        Ok(Self {
            fingerprint: fingerprint::of_der(certificate.der()),
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Loads an authority that [`create`](Self::create) made.
    ///
    /// # Errors
    /// [`AuthorityError`] when a text is not PEM, or the two are not a pair.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, AuthorityError> {
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|_| AuthorityError::CertificatePem)?;
        let key = KeyPair::from_pem(key_pem).map_err(AuthorityError::KeyPem)?;
        let params = authority_params(&key, 0..1);
        let expected = params.self_signed(&key).map_err(AuthorityError::Sign)?;
        if !same_name_and_key(&certificate, expected.der()) {
            return Err(AuthorityError::Mismatch);
        }
        Ok(Self {
            fingerprint: fingerprint::of_der(&certificate),
            certificate_pem: certificate_pem.to_owned(),
            issuer: Issuer::new(params, key),
        })
    }

    /// The authority's certificate as PEM: what nodes and agents trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's private key as PEM; whoever has it can invent agents.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Issues a certificate with which `agent` may speak for `site`, and for nothing else.
    ///
    /// # Errors
    /// [`AuthorityError::Days`] or [`AuthorityError::Sign`].
    pub fn issue_agent(
        &self,
        agent: &AgentName,
        site: &SiteName,
        days: u32,
    ) -> Result<Issued, AuthorityError> {
        self.issue(agent_params(agent, site, lifetime(days)?))
    }

    /// Certifies a key that `agent` has made by itself, as [`issue_agent`](Self::issue_agent) would;
    /// returns the certificate as PEM. What the request says besides its key does not matter.
    ///
    /// # Errors
    /// [`AuthorityError::Days`] or [`AuthorityError::Sign`].
    pub fn certify_agent(
        &self,
        request: &SigningRequest,
        agent: &AgentName,
        site: &SiteName,
        days: u32,
    ) -> Result<String, AuthorityError> {
        let certificate = agent_params(agent, site, lifetime(days)?)
            .signed_by(request, &self.issuer)
            .map_err(AuthorityError::Sign)?;
        Ok(certificate.pem())
    }

    /// By what an agent that has not seen this authority yet can know it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Issues a certificate for a node that agents reach under any of `names`.
    ///
    /// # Errors
    /// [`AuthorityError::NoNames`], [`AuthorityError::Name`], [`AuthorityError::Days`] or
    /// [`AuthorityError::Sign`].
    pub fn issue_node(&self, names: &[String], days: u32) -> Result<Issued, AuthorityError> {
        self.issue(node_params(names, lifetime(days)?)?)
    }

    /// Signs a certificate for a new key.
    pub(crate) fn issue(&self, params: CertificateParams) -> Result<Issued, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(AuthorityError::Sign)?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(AuthorityError::Sign)?;
        Ok(Issued {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

/// Unix seconds from a little ago to `days` from now.
fn lifetime(days: u32) -> Result<Range<u64>, AuthorityError> {
    if days == 0 || days > AUTHORITY_DAYS {
        return Err(AuthorityError::Days(days));
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Ok(now.saturating_sub(BACKDATE_SECONDS)..now + u64::from(days) * DAY_SECONDS)
}

fn params(common_name: &str, valid: Range<u64>) -> CertificateParams {
    let since_1970 = |seconds| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = since_1970(valid.start);
    params.not_after = since_1970(valid.end);
    params
}

/// The authority's own certificate. Its name is made from its key, so that two authorities never
/// share a name and a loaded key tells the name by itself.
fn authority_params(key: &KeyPair, valid: Range<u64>) -> CertificateParams {
    let id = CertificateParams::default().key_identifier(key);
    let id: String = id
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut params = params(&format!("trilobite authority {id}"), valid);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(common_name: &str, valid: Range<u64>) -> CertificateParams {
    let mut params = params(common_name, valid);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

/// What an agent's certificate says, valid in an interval of Unix seconds.
pub(crate) fn agent_params(
    agent: &AgentName,
    site: &SiteName,
    valid: Range<u64>,
) -> CertificateParams {
    let uri = Identity {
        agent: agent.clone(),
        site: site.clone(),
    }
    .to_string();
    let mut params = leaf_params(agent.as_str(), valid);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("names are ASCII"))];
    params
}

/// What a node's certificate says, valid in an interval of Unix seconds.
pub(crate) fn node_params(
    names: &[String],
    valid: Range<u64>,
) -> Result<CertificateParams, AuthorityError> {
    if names.is_empty() {
        return Err(AuthorityError::NoNames);
    }
    let mut params = leaf_params("trilobite node", valid);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = names
        .iter()
        .map(|name| node_name(name))
        .collect::<Result<_, _>>()?;
    Ok(params)
}

fn node_name(name: &str) -> Result<SanType, AuthorityError> {
    if let Ok(address) = name.parse() {
        return Ok(SanType::IpAddress(address));
    }
    let name_error = || AuthorityError::Name(name.to_owned());
    DnsName::try_from(name).map_err(|_| name_error())?;
    Ok(SanType::DnsName(
        name.to_owned().try_into().map_err(|_| name_error())?,
    ))
}

/// The DNS names for which a node's certificate (PEM) is valid, in its order; none if it is unfit.
pub fn node_names(certificate_pem: &str) -> Vec<String> {
    let Ok(certificate) = CertificateDer::from_pem_slice(certificate_pem.as_bytes()) else {
        return Vec::new();
    };
    let certificate = webpki::EndEntityCert::try_from(&certificate);
    certificate.map_or(Vec::new(), |certificate| {
        certificate.valid_dns_names().map(str::to_owned).collect()
    })
}

fn same_name_and_key(one: &CertificateDer<'_>, other: &CertificateDer<'_>) -> bool {
    let facts = |certificate: &CertificateDer<'_>| {
        let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
        Some((
            certificate.subject().to_vec(),
            certificate.subject_public_key_info(),
        ))
    };
    facts(one).is_some() && facts(one) == facts(other)
}
