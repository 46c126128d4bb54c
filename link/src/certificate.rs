//! Facts about one certificate, and the words for its dates.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};

/// The interval in which a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
}

/// Which end a certificate is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Agent,
    Node,
}

/// Asks webpki to judge a certificate at `time` without any authority.
///
/// The checks of the certificate itself come first, so the answer tells about those, and a
/// certificate without fault comes back as `UnknownIssuer`.
fn judge(certificate: &CertificateDer<'_>, usage: Usage, time: UnixTime) -> webpki::Error {
    let judged = webpki::EndEntityCert::try_from(certificate).and_then(|certificate| {
        let usage = match usage {
            Usage::Agent => webpki::KeyUsage::client_auth(),
            Usage::Node => webpki::KeyUsage::server_auth(),
        };
        // Without an authority there is no signature to check.
        certificate
            .verify_for_usage(&[], &[], &[], time, usage, None, None)
            .map(drop)
    });
    judged.err().unwrap_or(webpki::Error::UnknownIssuer)
}

/// The interval in which a certificate is valid, or `None` if it is not a certificate.
pub(crate) fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let not_before = match judge(certificate, Usage::Agent, at(0)) {
        webpki::Error::CertNotValidYet { not_before, .. } => not_before,
        _ => at(0),
    };
    match judge(certificate, Usage::Agent, at(u64::MAX)) {
        webpki::Error::CertExpired { not_after, .. } => Some(Validity {
            not_before,
            not_after,
        }),
        _ => None,
    }
}

/// Whether the certificate is made for this end.
pub(crate) fn is_for(usage: Usage, certificate: &CertificateDer<'_>, validity: Validity) -> bool {
    matches!(
        judge(certificate, usage, validity.not_before),
        webpki::Error::UnknownIssuer
    )
}

/// The day of a time, in UTC, as `2026-11-01`.
pub(crate) fn date(time: UnixTime) -> String {
    /// The last second of the year 9999, beyond which certificates have no dates.
    const LATEST: u64 = 253_402_300_799;
    let since_1970 = Duration::from_secs(time.as_secs().min(LATEST));
    (rcgen::date_time_ymd(1970, 1, 1) + since_1970)
        .date()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::Installation;

    #[test]
    fn dates_are_days_in_utc() {
        let check = |seconds, expected: &str| {
            assert_eq!(
                date(UnixTime::since_unix_epoch(Duration::from_secs(seconds))),
                expected
            );
        };
        check(0, "1970-01-01");
        check(951_782_400, "2000-02-29");
        check(1_793_491_199, "2026-10-31");
        check(1_793_491_200, "2026-11-01");
        check(u64::MAX, "9999-12-31");
    }

    #[test]
    fn usage_and_dates_are_read_from_the_certificate() {
        let agent = Installation::new().agent_certificate_valid(1_000..2_000);
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let validity = validity(&agent).unwrap();
        assert_eq!(
            validity,
            Validity {
                not_before: at(1_000),
                not_after: at(2_000)
            }
        );
        assert!(is_for(Usage::Agent, &agent, validity));
        assert!(!is_for(Usage::Node, &agent, validity));
    }

    #[test]
    fn bytes_that_are_no_certificate_have_no_dates() {
        assert_eq!(validity(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
