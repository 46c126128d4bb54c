//! Must-deliver messages: what a message is. It knows no Wi-Fi.
//!
//! A message says that the state of a resource changed; it carries no state. It is stored in the
//! transaction that changed the state, and a consumer reads the resource when it hears of it.

/// A message: four fields and never a fifth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Unique id, ordered by time (UUIDv7), in its canonical text form.
    pub id: String,
    /// When the state changed, RFC 3339 in UTC.
    pub time: String,
    /// What happened, such as `zone.entered`.
    pub kind: String,
    /// Path of the resource whose state changed, such as `/api/v1/sites/hq/zones/lobby`.
    pub resource: String,
}
