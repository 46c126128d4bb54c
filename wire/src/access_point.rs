//! The site's own access points, as a node names them to its agents.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::id::ApName;
use crate::limits::WELCOME_BSSIDS_MAX;

/// An access point of the site and its networks on air.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPoint {
    /// The AP as the site file names it.
    pub ap: ApName,
    /// Its networks, in no order.
    #[serde(with = "bytes")]
    pub bssids: Vec<Bssid>,
}

/// Address of a network on air. An access point's, never a client's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bssid(pub [u8; 6]);

impl fmt::Debug for Bssid {
    /// Shows nothing of the address: no log needs it, and in a log it could be anybody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bssid")
    }
}

pub(crate) fn within_limit<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<AccessPoint>, D::Error> {
    let access_points: Vec<AccessPoint> = Vec::deserialize(from)?;
    let bssids = access_points.iter().map(|ap| ap.bssids.len()).sum();
    let most = access_points.len().max(bssids);
    if most > WELCOME_BSSIDS_MAX {
        return Err(D::Error::custom(format_args!(
            "{most} access points or networks; at most {WELCOME_BSSIDS_MAX} fit"
        )));
    }
    Ok(access_points)
}

/// Networks as one MessagePack `bin`: six bytes each, in the order in which they travel on air.
mod bytes {
    use super::*;

    pub(super) fn serialize<S: Serializer>(bssids: &[Bssid], to: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = bssids.iter().flat_map(|bssid| bssid.0).collect();
        to.serialize_bytes(&bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Bssid>, D::Error> {
        from.deserialize_bytes(BssidsVisitor)
    }

    struct BssidsVisitor;

    impl Visitor<'_> for BssidsVisitor {
        type Value = Vec<Bssid>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(
                f,
                "6 bytes for each of at most {WELCOME_BSSIDS_MAX} networks"
            )
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            match bytes.as_chunks() {
                (bssids, []) if bssids.len() <= WELCOME_BSSIDS_MAX => {
                    Ok(bssids.iter().copied().map(Bssid).collect())
                }
                _ => Err(E::invalid_length(bytes.len(), &self)),
            }
        }
    }
}
