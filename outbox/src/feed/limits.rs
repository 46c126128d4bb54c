//! Every limit of the feed, with its reason.

use std::time::Duration;

/// Most messages in one answer, and the default; a larger `limit` is taken as this. About 180 kB.
pub use crate::limits::PAGE_MESSAGES_MAX;

/// Longest wait for a message; a longer `wait` is taken as this. Proxies cut what is silent for longer.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// Longest query string in bytes; a longer one is refused before it is looked at.
pub const QUERY_BYTES_MAX: usize = 8 * 1_024;

/// Most `type` and most `site` parameters: who wants more of them wants all, and picks.
pub const FILTERS_MAX: usize = 32;

/// Longest name of a group in bytes.
pub const GROUP_BYTES_MAX: usize = 64;

/// Most members of a group: each looks at all rows of the page and takes its share.
pub const MEMBERS_MAX: u32 = 256;
