//! What an agent may say to a node: observations, batches, ids; bytes in, values out.
//!
//! This crate opens no socket or file, reads no clock and knows neither QUIC nor positions. It does
//! not decide what is sent, dropped or believed; it only says what the bytes mean.
//!
//! Start from
//! - [`batch::decode`] and [`batch::BatchWriter`]: the observations in one datagram;
//! - [`Frame`] with [`control::FrameReader`] and [`control::encode_frame`]: the control stream;
//! - [`enrol::EnrolRequest`] and [`enrol::EnrolAnswer`]: how an agent gets its first certificate;
//! - [`recording::Recorder`] and [`recording::RecordingReader`]: datagrams kept for later.
//!
//! Invariants:
//! - No bytes make a reader panic, and none make it allocate more than [`limits`] allows.
//! - Decoding a batch copies and allocates nothing; a batch is checked once, as a whole.
//! - `None` means "not measured"; zero never stands in for it.
//! - `FORMAT.md` gives every byte, and a test compares its examples with this code.
//!
//! ```
//! use wire::batch::{self, BatchWriter, Header};
//! use wire::{ClientId, Kind, Observation, Session};
//!
//! let heard = Observation {
//!     client: ClientId(0x9f0c_4e2a_b1d0_7735),
//!     heard_at_us: 1_000_000,
//!     radio: 0,
//!     rssi_dbm: Some(-61),
//!     noise_dbm: None,
//!     channel: 36,
//!     kind: Kind::Data,
//!     randomised: false,
//!     associated: true,
//!     range: None,
//! };
//! let header = Header {
//!     session: Session(7),
//!     sequence: 0,
//!     first_observation: 0,
//!     sent_us: 1_250_000,
//!     radio: 0,
//! };
//! let mut datagram = Vec::new();
//! let packed = BatchWriter::new(1_200).encode(&header, &[heard], &mut datagram);
//! assert_eq!(packed, 1);
//!
//! let batch = batch::decode(&datagram)?;
//! assert_eq!(batch.rows.row(0).expect("one row").age_ms, 250);
//! assert!(batch.observations().eq([heard]));
//! # Ok::<(), batch::DecodeError>(())
//! ```

pub mod access_point;
pub mod batch;
pub mod control;
pub mod enrol;
pub mod frame;
pub mod id;
pub mod limits;
pub mod observation;
pub mod recording;

mod byte_string;
mod client_ids;
mod envelope;
mod short_bytes;

pub use access_point::{AccessPoint, Bssid};
pub use batch::Batch;
pub use frame::Frame;
pub use id::{AgentName, ApName, ClientId, ClientName, Session, SiteName, named_client_id};
pub use observation::{Kind, Observation, Range};
