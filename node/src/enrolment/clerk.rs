//! Who gets a certificate, and who does not and why; plain code without thread or clock.

use std::net::IpAddr;
use std::path::Path;
use std::time::Instant;

use link::Identity;
use link::authority::tokens::{RedeemError, Redemption, TokenBook};
use link::authority::{Authority, AuthorityError};
use link::private_file;
use link::signing_request::SigningRequest;
use wire::SiteName;
use wire::enrol::{Denial, EnrolAnswer, EnrolRequest, Granted};

use super::limiter::Limiter;

/// Has the authority's key and its join tokens.
#[derive(Debug)]
pub struct Clerk {
    authority: Authority,
    book: TokenBook,
    sites: Vec<SiteName>,
    days: u32,
    limiter: Limiter,
}

/// Why a request is denied.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
struct Denied {
    why: Denial,
    reason: String,
}

impl Denied {
    fn new(why: Denial, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { why, reason }
    }
}

impl Clerk {
    /// Takes an authority and its tokens; certificates are for these sites and for so many days.
    pub fn new(authority: Authority, book: TokenBook, sites: Vec<SiteName>, days: u32) -> Self {
        Self {
            authority,
            book,
            sites,
            days,
            limiter: Limiter::default(),
        }
    }

    /// Reads the authority; its join tokens lie beside its key.
    ///
    /// # Errors
    /// [`AuthorityError`] when certificate or key cannot be read, or are not a pair.
    pub fn from_files(
        certificate: &Path,
        key: &Path,
        sites: Vec<SiteName>,
        days: u32,
    ) -> Result<Self, AuthorityError> {
        let (certificate, key_pem) = (private_file::read(certificate)?, private_file::read(key)?);
        let authority = Authority::load(
            &String::from_utf8_lossy(&certificate),
            &String::from_utf8_lossy(&key_pem),
        )?;
        let book = TokenBook::beside(key.parent().unwrap_or(Path::new(".")));
        Ok(Self::new(authority, book, sites, days))
    }

    /// Answers a stranger's request, whatever its bytes are.
    pub fn enrol(
        &mut self,
        source: IpAddr,
        request: &[u8],
        now: Instant,
        now_unix_s: u64,
    ) -> EnrolAnswer {
        if !self.limiter.admits(source, now) {
            let reason = "too many requests from there were wrong; try again in a minute";
            return EnrolAnswer::Denied {
                why: Denial::TooMany,
                reason: reason.to_owned(),
            };
        }
        match self.grant(request, now_unix_s) {
            Ok(granted) => EnrolAnswer::Granted(granted),
            Err(Denied { why, reason }) => {
                if why != Denial::NodeTrouble {
                    self.limiter.note_failure(source, now);
                }
                EnrolAnswer::Denied { why, reason }
            }
        }
    }

    fn grant(&self, request: &[u8], now_unix_s: u64) -> Result<Granted, Denied> {
        let malformed =
            |error: &dyn std::fmt::Display| Denied::new(Denial::Malformed, error.to_string());
        let request = EnrolRequest::parse(request).map_err(|error| malformed(&error))?;
        let asked =
            SigningRequest::parse(&request.signing_request).map_err(|error| malformed(&error))?;
        // Marked on the disk first: if the node dies now, this key alone may ask again.
        let Redemption { agent, site, again } = self
            .book
            .redeem(&request.secret, asked.key(), now_unix_s, |agent, site| {
                if !asked.may_be_for(agent) {
                    let reason = format!("the request names another agent than {agent}");
                    return Err(Denied::new(Denial::OtherName, reason));
                }
                if !self.sites.contains(site) {
                    let reason = format!(
                        "this node does not serve site {site}; add it to node.toml, or make a token \
                         for a site that it serves"
                    );
                    return Err(Denied::new(Denial::UnknownSite, reason));
                }
                Ok(())
            })
            .map_err(denied)?;
        let certificate = self
            .authority
            .certify_agent(&asked, &agent, &site, self.days)
            .map_err(|error| trouble(&error))?;
        let once_more = if again { " once more" } else { "" };
        tracing::info!(
            "certified agent {agent} of site {site}{once_more}, {} days",
            self.days
        );
        Ok(Granted {
            certificate,
            authority: self.authority.certificate_pem().to_owned(),
            time_unix_s: now_unix_s,
        })
    }

    /// The next certificate of an agent that has one, as PEM. It is for the key that signed the
    /// request, which need not be the key of the one before.
    ///
    /// # Errors
    /// What is wrong and what to do, for the agent's log.
    pub fn renew(&self, identity: &Identity, signing_request: &[u8]) -> Result<String, String> {
        let asked = SigningRequest::parse(signing_request).map_err(|error| error.to_string())?;
        let Identity { agent, site } = identity;
        if !asked.may_be_for(agent) {
            return Err(format!("the request names another agent than {agent}"));
        }
        if !self.sites.contains(site) {
            return Err(format!("this node does not serve site {site}"));
        }
        self.authority
            .certify_agent(&asked, agent, site, self.days)
            .map_err(|error| trouble(&error).reason)
    }
}

fn denied(error: RedeemError<Denied>) -> Denied {
    let reason = error.to_string();
    match error {
        RedeemError::Refused(denied) => denied,
        RedeemError::Unknown => Denied::new(Denial::UnknownToken, reason),
        RedeemError::Expired { .. } => Denied::new(Denial::ExpiredToken, reason),
        RedeemError::Used { .. } => Denied::new(Denial::UsedToken, reason),
        RedeemError::Book(error) => trouble(&error),
        _ => Denied::new(Denial::Unknown, reason),
    }
}

/// What is wrong here is for our log, not for strangers.
fn trouble(error: &(dyn std::error::Error + 'static)) -> Denied {
    let mut causes = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        causes = format!("{causes}: {cause}");
        source = cause.source();
    }
    tracing::error!("cannot certify agents: {causes}");
    let reason = "the node cannot certify agents now; its log says why";
    Denied::new(Denial::NodeTrouble, reason)
}

#[cfg(test)]
mod tests;
