//! What is to be true in the store: one write is one transaction, and the same write again changes
//! nothing.

use std::sync::Arc;

/// Id of the pseudonym key under which a client was told.
///
/// A hash that tells keys apart and nothing else; 0 for clients named by consent, whose ids outlive
/// keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KeyId(pub(super) i64);

impl KeyId {
    /// Of clients named by consent.
    pub(super) const NAMED: Self = Self(0);

    /// Of a key.
    pub(super) fn of(key: &wire::frame::PseudonymKey) -> Self {
        let hash = blake3::derive_key("trilobite presence 2026-11 id of a pseudonym key", &key.key);
        let [a, b, c, d, e, f, g, h, ..] = hash;
        // Zero is taken.
        Self(i64::from_le_bytes([a, b, c, d, e, f, g, h]) | 1)
    }
}

/// A client as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    /// Sixteen digits, or the name of a named client.
    pub(super) text: String,
    /// Its id on the wire.
    pub(super) id: u64,
    /// Under which key it is known.
    pub(super) key: KeyId,
}

/// What is to become true, about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Write {
    /// Whether a client is in a zone.
    Visit(Visit),
    /// Whether an access point is online.
    Ap {
        /// The site.
        site: Arc<str>,
        /// The access point.
        ap: String,
        /// Whether it is.
        online: bool,
        /// Since when.
        since_us: u64,
    },
    /// A client is to be forgotten.
    End {
        /// The site.
        site: Arc<str>,
        /// Whom.
        client: Client,
        /// Why.
        reason: EndReason,
        /// When.
        at_us: u64,
    },
    /// A pseudonym key is in force; whom another one named has ended.
    Rotate {
        /// The site.
        site: Arc<str>,
        /// The key.
        key: KeyId,
        /// Since when.
        at_us: u64,
    },
    /// What a site was made of when the node started.
    Site(SiteFacts),
    /// Another calibration is in force.
    Calibration {
        /// The site.
        site: Arc<str>,
        /// Tells calibrations apart.
        hash: String,
    },
    /// Consumers with valid tokens, each with its token's mark: all that there are.
    Tokens {
        /// Names and marks.
        tokens: Arc<[(String, String)]>,
        /// Now.
        at_us: u64,
    },
    /// Rows of what ended before then are no longer needed.
    Purge {
        /// Then.
        before_us: u64,
    },
}

/// Whether a client is in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visit {
    /// The site.
    pub(super) site: Arc<str>,
    /// The zone.
    pub(super) zone: ZoneFacts,
    /// The client.
    pub(super) client: Client,
    /// Whether it is.
    pub(super) state: VisitState,
}

/// Whether a client is in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VisitState {
    /// It is.
    Inside {
        /// Since when.
        since_us: u64,
        /// When the stay became as long as the zone wants to hear of.
        dwelt_us: Option<u64>,
    },
    /// It is not.
    Outside {
        /// Since when.
        at_us: u64,
        /// Why it left.
        reason: &'static str,
    },
}

/// What the store needs to know of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ZoneFacts {
    /// Its id.
    pub(super) id: Arc<str>,
    /// Numbers of clients that are told of.
    pub(super) occupancy: Arc<[u32]>,
}

/// Why a client is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum EndReason {
    /// It opted out.
    OptedOut,
    /// Somebody asked the node to forget it.
    Erased,
}

impl EndReason {
    /// As the store and resources spell it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::OptedOut => "opted_out",
            Self::Erased => "erased",
        }
    }
}

/// What a site is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SiteFacts {
    /// The site.
    pub(super) site: Arc<str>,
    /// Tells site files apart.
    pub(super) file_hash: String,
    /// Tells floor plans apart: everything but the zones.
    pub(super) plan_hash: String,
    /// Tells zones apart.
    pub(super) zones_hash: String,
    /// Tells calibrations apart.
    pub(super) calibration_hash: String,
    /// The zones that there are.
    pub(super) zones: Vec<ZoneFacts>,
    /// The access points that there are.
    pub(super) aps: Vec<String>,
    /// Now.
    pub(super) at_us: u64,
}

impl Write {
    /// The site that it is about, if it is about one.
    pub(super) fn site(&self) -> Option<&str> {
        match self {
            Self::Visit(Visit { site, .. })
            | Self::Ap { site, .. }
            | Self::End { site, .. }
            | Self::Rotate { site, .. }
            | Self::Site(SiteFacts { site, .. })
            | Self::Calibration { site, .. } => Some(site),
            Self::Tokens { .. } | Self::Purge { .. } => None,
        }
    }
}
