//! Addresses with memory behind those that are touched.

use std::ptr::NonNull;

/// A huge page of x86-64 and of AArch64 with pages of 4 KiB.
pub(super) const HUGE_PAGE_BYTES: usize = 2 << 20;

/// A stretch of addresses that belongs to its owner; given back when dropped.
pub(super) struct Memory {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: nobody else knows the addresses.
unsafe impl Send for Memory {}
// SAFETY: as above; a shared one can only be asked where it is.
unsafe impl Sync for Memory {}

impl Memory {
    /// So many bytes, on no page of anybody else; `None` when the system has no such stretch.
    #[cfg(target_os = "linux")]
    pub(super) fn reserve(bytes: usize) -> Option<Self> {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the system's choice.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, access, flags) };
        let start = NonNull::new(start.ok()?.cast())?;
        Some(Self { start, bytes })
    }

    /// So many bytes; `None` when the system has no such stretch.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn reserve(bytes: usize) -> Option<Self> {
        let layout = Self::layout(bytes)?;
        // SAFETY: callers ask for two huge pages at least.
        let start = NonNull::new(unsafe { std::alloc::alloc(layout) })?;
        Some(Self { start, bytes })
    }

    #[cfg(not(target_os = "linux"))]
    fn layout(bytes: usize) -> Option<std::alloc::Layout> {
        std::alloc::Layout::from_size_align(bytes, 64).ok()
    }

    /// Where it begins.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Asks for huge pages for a part that fills one; without them everything works, slower.
    #[cfg(target_os = "linux")]
    pub(super) fn advise(&self, from: NonNull<u8>, bytes: usize) {
        if bytes < HUGE_PAGE_BYTES {
            return;
        }
        // SAFETY: the range is a part of this mapping; the advice does not change what it holds.
        let _ = unsafe {
            rustix::mm::madvise(
                from.as_ptr().cast(),
                bytes,
                rustix::mm::Advice::LinuxHugepage,
            )
        };
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "other systems are asked")]
    pub(super) fn advise(&self, _from: NonNull<u8>, _bytes: usize) {}
}

impl Drop for Memory {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        // SAFETY: mapped by `reserve` with this length; the owner's values go with it.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.bytes) };
        #[cfg(not(target_os = "linux"))]
        if let Some(layout) = Self::layout(self.bytes) {
            // SAFETY: allocated by `reserve` with this layout.
            unsafe { std::alloc::dealloc(self.start.as_ptr(), layout) };
        }
    }
}
