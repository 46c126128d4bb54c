//! Messages: what a datagram from the kernel holds.

use super::Attributes;

const HEADER_BYTES: usize = 16;
const GENERIC_HEADER_BYTES: usize = 4;

/// Types of messages that every family has.
const NOOP: u16 = 1;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;

/// The dump changed while it was read: rows may be missing or come twice.
const INTERRUPTED: u16 = 0x0010;

/// Walks over the messages of a datagram; ends where one contradicts itself.
#[derive(Debug, Clone, Copy)]
pub struct Messages<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The request that it answers.
    pub sequence: u32,
    /// What was asked for changed while it was dumped: rows may be missing or come twice.
    pub interrupted: bool,
    /// What it says.
    pub answer: Answer<'a>,
}

/// What a message says.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// Nothing follows in answer to this request: it was done, or failed with a positive number of
    /// the system's errors.
    Done(Result<(), i32>),
    /// The kernel lost messages.
    Overrun,
    /// A message of a family.
    Row {
        /// The family's number.
        family: u16,
        /// What kind of row.
        command: u8,
        /// Its content.
        attributes: Attributes<'a>,
    },
    /// To be passed over.
    Nothing,
}

impl<'a> Messages<'a> {
    /// The messages in a datagram.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::from(bytes, 0)
    }

    /// The messages that begin at this place of a datagram.
    pub fn from(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Where the next message begins.
    pub fn at(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let bytes = self.bytes.get(self.at..)?;
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let [l0, l1, l2, l3, t0, t1, f0, f1, s0, s1, s2, s3, ..] = *header;
        let len = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let body = bytes.get(HEADER_BYTES..len)?;
        self.at = self.at.saturating_add(len.next_multiple_of(4));
        Some(Message {
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            interrupted: u16::from_ne_bytes([f0, f1]) & INTERRUPTED != 0,
            answer: Answer::parse(u16::from_ne_bytes([t0, t1]), body),
        })
    }
}

impl<'a> Answer<'a> {
    fn parse(kind: u16, body: &'a [u8]) -> Self {
        let code = || body.first_chunk().copied().map_or(0, i32::from_ne_bytes);
        match kind {
            NOOP => Self::Nothing,
            ERROR | DONE => Self::Done(match code() {
                // The number of rows, or nothing.
                0.. => Ok(()),
                negative => Err(negative.saturating_neg()),
            }),
            OVERRUN => Self::Overrun,
            family => match body.split_at_checked(GENERIC_HEADER_BYTES) {
                Some((&[command, ..], attributes)) => Self::Row {
                    family,
                    command,
                    attributes: Attributes::new(attributes),
                },
                _ => Self::Nothing,
            },
        }
    }
}
