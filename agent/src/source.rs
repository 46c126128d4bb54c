//! Where observations come from: one trait, many sources.

#[cfg(all(feature = "monitor", target_os = "linux"))]
mod arrival;
#[cfg(any(
    feature = "pcap",
    feature = "monitor",
    feature = "nl80211",
    feature = "hostapd",
    feature = "ubus"
))]
mod bands;
#[cfg(all(feature = "ble", target_os = "linux"))]
pub mod ble;
pub mod feed;
#[cfg(all(feature = "hostapd", target_os = "linux"))]
pub mod hostapd;
#[cfg(any(feature = "pcap", feature = "monitor"))]
mod listener;
#[cfg(all(feature = "monitor", target_os = "linux"))]
pub mod monitor;
#[cfg(all(feature = "nl80211", target_os = "linux"))]
pub mod nl80211;
#[cfg(any(feature = "pcap", feature = "replay"))]
pub mod pace;
#[cfg(feature = "pcap")]
pub mod pcap;
#[cfg(all(
    any(
        feature = "monitor",
        feature = "nl80211",
        feature = "hostapd",
        feature = "ubus",
        feature = "ble"
    ),
    target_os = "linux"
))]
mod reopen;
#[cfg(feature = "replay")]
pub mod replay;
#[cfg(feature = "synthetic")]
pub mod synthetic;
#[cfg(all(feature = "ubus", target_os = "linux"))]
pub mod ubus;

use std::error::Error;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use wire::frame::{Clock, RadioHello};
use wire::{ClientId, ClientName, Kind, Range};

use crate::address::Address;
use crate::limits::LOOK_INTERVAL_MAX;

/// One radio heard one transmitter once: what a source gives to the privacy stage.
///
/// It may hold a real address and therefore lives only between the two: it has neither `Debug` nor
/// serde.
#[expect(missing_debug_implementations, reason = "may hold a real address")]
#[derive(Clone, Copy)]
pub struct Heard {
    /// Who was heard.
    pub from: Transmitter,
    /// When, in microseconds of the clock that the source names ([`Source::clock`]).
    pub heard_at_us: u64,
    /// Which radio heard, as an index into [`Source::radios`].
    pub radio: u8,
    /// Signal strength in dBm; `None` for a source that only ranges.
    pub rssi_dbm: Option<i8>,
    /// Noise floor in dBm where it is known.
    pub noise_dbm: Option<i8>,
    /// Channel number in the radio's band; 0 where it is not known.
    pub channel: u8,
    /// What was heard.
    pub kind: Kind,
    /// The transmitter is associated with this AP.
    pub associated: bool,
    /// Measured distance, where the source ranges.
    pub range: Option<Range>,
}

/// Who transmitted.
#[expect(missing_debug_implementations, reason = "may hold a real address")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transmitter {
    /// A device by its real address; only the privacy stage may look at it.
    Address(Address),
    /// A client whose id is known: a pseudonym of a recording, or a client named by consent.
    Client(ClientId),
}

/// Something that hears: a capture, a recording, a simulated world, a radio.
///
/// A source runs on the agent's one thread and never blocks it. All of its sources share that
/// thread; each has its own radios.
pub trait Source: Send {
    /// Gives out what was heard, at most `room` times, and says when to come back.
    ///
    /// `now_us` is the agent's monotonic clock; a source with [`Clock::Recording`] uses it for its
    /// pace only.
    ///
    /// # Errors
    /// [`SourceError`] when the source cannot go on; what it gave out before is good.
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError>;

    /// The clock that stamps what this source gives out: the agent's own, if it hears what is on air.
    fn clock(&self) -> Clock {
        Clock::Monotonic
    }

    /// In that clock: everything heard before it has been given out.
    fn watermark_us(&self) -> u64;

    /// The radios of this source, as [`Heard::radio`] counts them.
    fn radios(&self) -> &[RadioHello];

    /// The clients that this source knows by name; who hears addresses knows none.
    fn names(&self) -> Vec<(ClientId, ClientName)> {
        Vec::new()
    }

    /// Networks of the site's own access points, as the node tells: what they send as access points
    /// is given out from now on, beside that of those in the configuration. They replace those told
    /// before. Of no use to a source that hears no access points.
    fn handle_access_points(&mut self, _told: &[Address]) {}

    /// Cumulative counters since the source was made.
    fn health(&self) -> SourceHealth;

    /// How long what comes may wait to be read: looks at busy sources are no further apart, so that
    /// the queue in front of this one does not overflow.
    fn wait_max(&self) -> Duration {
        LOOK_INTERVAL_MAX
    }

    /// Readable means that there is something to drain, before the time that the last
    /// [`Drained::NextAt`] named. The agent asks after each drain, so a source may close its
    /// descriptor and open another.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// How a [`Source::drain`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Nothing is left now; come back at this time of the agent's monotonic clock, or as soon as
    /// [`Source::fd`] is readable.
    NextAt(u64),
    /// The room was used up and more has already been heard: come back at once.
    More,
    /// As fast as the agent can: come back when its queue has room, so that nothing is dropped.
    WaitForRoom,
    /// Nothing will ever follow.
    Finished,
}

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("source {name}: {what}")]
pub struct SourceError {
    /// The source as a user knows it, such as the path of its file.
    pub name: String,
    /// What happened and what to do about it.
    pub what: String,
    /// What caused it, if something below did.
    #[source]
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What a source went through, in frames (or readings) since it was made.
///
/// `frames = heard` + all that follow but `restarts`, once nothing is waiting inside the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceHealth {
    /// Frames or readings that the source met.
    pub frames: u64,
    /// Of these, given out.
    pub heard: u64,
    /// Without a signal strength and without a range, our own transmissions among them.
    pub without_signal: u64,
    /// Without a transmitter's address: acknowledgements and the like.
    pub without_transmitter: u64,
    /// Sent by an access point that is not configured: of no use for locating clients.
    pub from_access_point: u64,
    /// On a band for which the agent has no radio.
    pub without_radio: u64,
    /// Received with a wrong checksum.
    pub bad_checksum: u64,
    /// Too short or contradicting themselves.
    pub malformed: u64,
    /// Dropped because the source's own queue was full.
    pub dropped: u64,
    /// Dropped by the kernel because the source was not read in time.
    pub dropped_by_kernel: u64,
    /// Readings that only repeat what was given out before.
    pub stale: u64,
    /// Times that the source was opened again after it broke. Not among the frames.
    pub restarts: u64,
    /// Something a person should know, such as that a file was cut short.
    pub notice: Option<String>,
}
