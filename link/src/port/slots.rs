//! Buffers that packets leave without being copied, and to which they come back.
//!
//! What arrives in a slot is cut off its front, packet by packet, and goes its way through the engine.
//! Once all of that has been dropped, which is mostly so before the next call to the system, the slot
//! has its memory again. As long as somebody keeps a piece of it (a part of a frame that waits for the
//! rest), the slot is closed; who needs a buffer then has one of its own, and copies out of it. So the
//! memory of all slots is fixed, whatever the other end does.

#![expect(
    unsafe_code,
    reason = "memory that was zeroed once need not be zeroed again"
)]

use bytes::BytesMut;

/// One buffer.
#[derive(Debug)]
pub(super) struct Slot {
    /// What is left of it: the end of an allocation that was zeroed, of which nothing ever grew.
    memory: BytesMut,
    bytes: usize,
}

impl Slot {
    /// A slot of so many bytes. The system gives memory for those only that are filled one day.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            memory: BytesMut::zeroed(bytes),
            bytes,
        }
    }

    /// The whole buffer, with anything in it; `None` while a piece of it is kept elsewhere.
    pub(super) fn open(&mut self) -> Option<&mut [u8]> {
        self.memory.clear();
        if !self.memory.try_reclaim(self.bytes) {
            return None;
        }
        // SAFETY: reclaiming never allocates. So these bytes are all in the one allocation that `new`
        // made with all its bytes set, and bytes that were set remain so.
        unsafe { self.memory.set_len(self.bytes) };
        Some(&mut self.memory)
    }

    /// Cuts off what was filled of a slot that is open.
    pub(super) fn take(&mut self, len: usize) -> BytesMut {
        self.memory.split_to(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_whole_again_once_all_pieces_are_gone() {
        let mut slot = Slot::new(100);
        let whole = slot.open().unwrap();
        whole.fill(7);
        let begins_at = whole.as_ptr();
        let mut rest = slot.take(60);
        let first = rest.split_to(25).freeze();
        drop(rest);
        assert!(slot.open().is_none());
        assert_eq!(first[..], [7; 25]);
        drop(first);
        let whole = slot.open().unwrap();
        assert_eq!((whole.len(), whole.as_ptr()), (100, begins_at));
        // All of it, none of it, and nothing taken at all.
        assert_eq!(slot.take(100).len(), 100);
        assert_eq!(slot.open().map(|whole| whole.len()), Some(100));
        assert_eq!(slot.take(0).len(), 0);
        assert_eq!(slot.open().map(|whole| whole.len()), Some(100));
        assert_eq!(slot.open().map(|whole| whole.len()), Some(100));
    }
}
