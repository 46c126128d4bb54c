//! The classic format. Source: draft-ietf-opsawg-pcap, "PCAP Capture File Format".

use super::input::{Endian, Filled, Input};
use super::{CaptureError, Next, link_type};
use crate::limits::CAPTURED_FRAME_BYTES_MAX;

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// What the header of the file says about its records.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileHeader {
    endian: Endian,
    tick_ns: u64,
}

impl FileHeader {
    /// Reads the header behind its magic number; `None` when the magic number is another format's.
    pub(super) fn read(magic: [u8; 4], input: &mut Input) -> Result<Option<Self>, CaptureError> {
        let known = [Endian::Little, Endian::Big]
            .into_iter()
            .find_map(|endian| match endian.u32(magic) {
                MAGIC_MICROSECONDS => Some(Self {
                    endian,
                    tick_ns: 1_000,
                }),
                MAGIC_NANOSECONDS => Some(Self { endian, tick_ns: 1 }),
                _ => None,
            });
        let Some(header) = known else { return Ok(None) };
        let mut rest = [0; 20];
        if input.fill(&mut rest)? != Filled::Full {
            return Ok(None);
        }
        let [.., a, b, c, d] = rest;
        // The upper bits tell of checksums at the end of frames.
        let link_type = (header.endian.u32([a, b, c, d]) & 0xffff) as u16;
        if link_type != link_type::RADIOTAP {
            return Err(input.wrong_link_type(None, link_type));
        }
        Ok(Some(header))
    }

    pub(super) fn next_record(
        &self,
        input: &mut Input,
        buffer: &mut Vec<u8>,
    ) -> Result<Next, CaptureError> {
        let mut record = [[0; 4]; 4];
        input.begin_record();
        match input.fill(record.as_flattened_mut())? {
            Filled::Full => {}
            Filled::Part(_) => return Ok(Next::Truncated),
            Filled::End => return Ok(Next::End),
        }
        let [seconds, ticks, len, original_bytes] = record.map(|word| self.endian.u32(word));
        let len = len as usize;
        if len > CAPTURED_FRAME_BYTES_MAX {
            return Err(input.damaged("its length is beyond any capture's"));
        }
        if !input.fill_buffer(buffer, len)? {
            return Ok(Next::Truncated);
        }
        let captured_at_ns = u64::from(seconds) * 1_000_000_000 + u64::from(ticks) * self.tick_ns;
        Ok(Next::Frame {
            captured_at_ns,
            original_bytes,
            start: 0,
            len,
        })
    }
}
