//! One radio heard one client once.

use crate::id::ClientId;

/// A reading as it travels: one radio heard one client once.
///
/// The time is the agent's monotonic clock. `None` means "not measured": zero is never a stand-in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Who was heard.
    pub client: ClientId,
    /// When, in microseconds of the agent's monotonic clock.
    pub heard_at_us: u64,
    /// Which of the agent's radios heard, as an index into the radios of `hello`.
    pub radio: u8,
    /// Signal strength in dBm, from -127 to 127; `None` for a source that only ranges (UWB).
    pub rssi_dbm: Option<i8>,
    /// Noise floor in dBm where the driver tells it.
    pub noise_dbm: Option<i8>,
    /// Channel number in the radio's band; 0 where the source does not know it.
    pub channel: u8,
    /// What was heard.
    pub kind: Kind,
    /// The client's address is randomised (locally administered).
    pub randomised: bool,
    /// The client is associated with this AP.
    pub associated: bool,
    /// Measured distance, where the source ranges (FTM, UWB).
    pub range: Option<Range>,
}

/// A measured distance to the radio: raw, no bias removed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Distance in millimetres; may be negative.
    pub distance_mm: i32,
    /// Standard deviation that the source states, in millimetres, where it states one.
    pub deviation_mm: Option<u16>,
}

/// What kind of transmission an observation stems from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Not told by the source.
    Other = 0,
    /// A probe request.
    Probe = 1,
    /// Another management frame: authentication, association, action.
    Management = 2,
    /// A data or null frame.
    Data = 3,
    /// An average over frames, as a driver's station table reports it.
    Average = 4,
    /// A beacon or probe answer of another AP: it calibrates the site.
    Beacon = 5,
    /// A Bluetooth LE advertisement.
    Advertisement = 6,
    /// A ranging exchange (FTM, UWB).
    Ranging = 7,
}

impl Kind {
    /// The kind with this code, [`Kind::Other`] for a code above 7.
    #[inline]
    pub fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Probe,
            2 => Self::Management,
            3 => Self::Data,
            4 => Self::Average,
            5 => Self::Beacon,
            6 => Self::Advertisement,
            7 => Self::Ranging,
            _ => Self::Other,
        }
    }
}
