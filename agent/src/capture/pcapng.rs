//! The newer format. Source: draft-ietf-opsawg-pcapng, "PCAP Next Generation Capture File Format".

use super::input::{Endian, Filled, Input};
use super::{CaptureError, Next, link_type};
use crate::limits::{CAPTURE_BLOCK_BYTES_MAX, CAPTURE_INTERFACES_MAX, CAPTURED_FRAME_BYTES_MAX};

/// First block of a section; the same in either order of bytes.
pub(super) const SECTION_HEADER_BLOCK: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const OPTION_END: u16 = 0;
const OPTION_TIME_RESOLUTION: u16 = 9;
const OPTION_TIME_OFFSET: u16 = 14;

/// The section that is being read: its order of bytes and its interfaces.
#[derive(Debug)]
pub(super) struct Section {
    endian: Endian,
    interfaces: Vec<Interface>,
    /// A simple packet has no time of its own; it takes that of the packet before it.
    last_at_ns: u64,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    ticks_per_second: u64,
    offset_s: i64,
    snap_bytes: usize,
}

impl Section {
    /// Reads a section's header behind its block type.
    pub(super) fn read(input: &mut Input) -> Result<Self, CaptureError> {
        let mut start = [0; 8];
        if input.fill(&mut start)? != Filled::Full {
            return Err(input.damaged("the section's header is cut short"));
        }
        let [a, b, c, d, magic @ ..] = start;
        let endian = [Endian::Little, Endian::Big]
            .into_iter()
            .find(|endian| endian.u32(magic) == BYTE_ORDER_MAGIC)
            .ok_or_else(|| input.damaged("the section's order of bytes is unknown"))?;
        let total = endian.u32([a, b, c, d]) as usize;
        if !(28..=CAPTURE_BLOCK_BYTES_MAX).contains(&total) || !total.is_multiple_of(4) {
            return Err(input.damaged("the section's header has an impossible length"));
        }
        if !input.skip(total - 12)? {
            return Err(input.damaged("the section's header is cut short"));
        }
        Ok(Self {
            endian,
            interfaces: Vec::new(),
            last_at_ns: 0,
        })
    }

    /// Reads blocks up to the next packet.
    pub(super) fn next_packet(
        &mut self,
        input: &mut Input,
        buffer: &mut Vec<u8>,
    ) -> Result<Next, CaptureError> {
        loop {
            let mut block_type = [0; 4];
            input.begin_record();
            match input.fill(&mut block_type)? {
                Filled::Full => {}
                Filled::Part(_) => return Ok(Next::Truncated),
                Filled::End => return Ok(Next::End),
            }
            if block_type == SECTION_HEADER_BLOCK {
                *self = Self {
                    last_at_ns: self.last_at_ns,
                    ..Self::read(input)?
                };
                continue;
            }
            let Some(body_bytes) = self.body_bytes(input)? else {
                return Ok(Next::Truncated);
            };
            let block_type = self.endian.u32(block_type);
            if !matches!(
                block_type,
                INTERFACE_DESCRIPTION | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET
            ) {
                if !input.skip(body_bytes + 4)? {
                    return Ok(Next::Truncated);
                }
                continue;
            }
            if body_bytes > CAPTURE_BLOCK_BYTES_MAX {
                return Err(input.damaged("its length is beyond any capture's"));
            }
            if !input.fill_buffer(buffer, body_bytes)? || !input.skip(4)? {
                return Ok(Next::Truncated);
            }
            if block_type == INTERFACE_DESCRIPTION {
                self.add_interface(buffer, input)?;
                continue;
            }
            let packet = match block_type {
                ENHANCED_PACKET => self.timed_packet(buffer, self.endian.u32_at(buffer, 0)),
                OBSOLETE_PACKET => {
                    self.timed_packet(buffer, self.endian.u16_at(buffer, 0).map(u32::from))
                }
                _ => self.simple_packet(buffer),
            };
            let packet = packet.ok_or_else(|| input.damaged("the packet contradicts itself"))?;
            if let Next::Frame { captured_at_ns, .. } = packet {
                self.last_at_ns = captured_at_ns;
            }
            return Ok(packet);
        }
    }

    /// Length of the body of the block whose type has just been read; `None` at the input's end.
    fn body_bytes(&self, input: &mut Input) -> Result<Option<usize>, CaptureError> {
        let mut total = [0; 4];
        if input.fill(&mut total)? != Filled::Full {
            return Ok(None);
        }
        let total = self.endian.u32(total) as usize;
        if total < 12 || !total.is_multiple_of(4) {
            return Err(input.damaged("the block has an impossible length"));
        }
        Ok(Some(total - 12))
    }

    fn add_interface(&mut self, body: &[u8], input: &Input) -> Result<(), CaptureError> {
        let fixed = (self.endian.u16_at(body, 0), self.endian.u32_at(body, 4));
        let (Some(link_type), Some(snap_bytes)) = fixed else {
            return Err(input.damaged("the interface's description is cut short"));
        };
        if self.interfaces.len() == CAPTURE_INTERFACES_MAX {
            return Err(input.damaged("there are more interfaces than any machine has"));
        }
        if link_type != link_type::RADIOTAP {
            return Err(input.wrong_link_type(Some(self.interfaces.len()), link_type));
        }
        let mut interface = Interface {
            ticks_per_second: 1_000_000,
            offset_s: 0,
            snap_bytes: snap_bytes as usize,
        };
        self.read_options(&body[8..], &mut interface);
        self.interfaces.push(interface);
        Ok(())
    }

    fn read_options(&self, mut options: &[u8], interface: &mut Interface) {
        while let (Some(code), Some(len)) = (
            self.endian.u16_at(options, 0),
            self.endian.u16_at(options, 2),
        ) {
            let len = usize::from(len);
            let Some(value) = options.get(4..4 + len) else {
                return;
            };
            match (code, value) {
                (OPTION_END, _) => return,
                (OPTION_TIME_RESOLUTION, &[resolution]) => {
                    interface.ticks_per_second = ticks_per_second(resolution);
                }
                (OPTION_TIME_OFFSET, &[a, b, c, d, e, f, g, h]) => {
                    interface.offset_s = match self.endian {
                        Endian::Little => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
                        Endian::Big => i64::from_be_bytes([a, b, c, d, e, f, g, h]),
                    };
                }
                _ => {}
            }
            options = options
                .get(4 + len.next_multiple_of(4)..)
                .unwrap_or_default();
        }
    }

    /// An enhanced or an obsolete packet: both hold the same words behind the interface's number.
    fn timed_packet(&self, body: &[u8], interface: Option<u32>) -> Option<Next> {
        let interface = self.interfaces.get(interface? as usize)?;
        let word = |index: usize| self.endian.u32_at(body, 4 * index);
        let (high, low, len, original_bytes) = (word(1)?, word(2)?, word(3)? as usize, word(4)?);
        if len > CAPTURED_FRAME_BYTES_MAX || body.len() - 20 < len {
            return None;
        }
        let captured_at_ns = interface.nanoseconds(u64::from(high) << 32 | u64::from(low));
        Some(Next::Frame {
            captured_at_ns,
            original_bytes,
            start: 20,
            len,
        })
    }

    /// A simple packet: of the first interface, without a time.
    fn simple_packet(&self, body: &[u8]) -> Option<Next> {
        let interface = self.interfaces.first()?;
        let original_bytes = self.endian.u32_at(body, 0)?;
        let snap_bytes = if interface.snap_bytes == 0 {
            usize::MAX
        } else {
            interface.snap_bytes
        };
        let len = snap_bytes.min(original_bytes as usize);
        if len > CAPTURED_FRAME_BYTES_MAX || body.len() - 4 < len {
            return None;
        }
        Some(Next::Frame {
            captured_at_ns: self.last_at_ns,
            original_bytes,
            start: 4,
            len,
        })
    }
}

impl Interface {
    /// Time in nanoseconds since 1970, saturating: a file may say anything.
    fn nanoseconds(&self, ticks: u64) -> u64 {
        let since_offset = u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks_per_second);
        let since_offset = i128::try_from(since_offset).unwrap_or(i128::MAX);
        let since_1970 = since_offset.saturating_add(i128::from(self.offset_s) * 1_000_000_000);
        u64::try_from(since_1970.max(0)).unwrap_or(u64::MAX)
    }
}

/// A power of ten, or of two if the top bit is set; beyond what a word holds, the default.
fn ticks_per_second(resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(exponent).unwrap_or(1_000_000)
}
