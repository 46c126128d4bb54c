//! The links of an engine by their number, and by that of their connection.

use std::fmt;

use quinn_proto::{Connection, ConnectionHandle};

use super::link::{Handshake, Link, Stage};

/// A link of one engine; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId {
    /// How often the slot was used before.
    generation: u32,
    slot: u32,
}

impl LinkId {
    pub(super) fn new(slot: u32, generation: u32) -> Self {
        Self { generation, slot }
    }

    pub(super) fn slot(self) -> u32 {
        self.slot
    }
}

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkId({}.{})", self.slot, self.generation)
    }
}

/// A place for a link.
struct Slot {
    generation: u32,
    link: Option<Box<Link>>,
}

/// All links, closed ones included until they are forgotten.
#[derive(Default)]
pub(super) struct Links {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The slot of each connection that is not drained, by its handle.
    by_handle: Vec<Option<u32>>,
    connections: usize,
}

impl Links {
    pub(super) fn insert(
        &mut self,
        handle: ConnectionHandle,
        connection: Connection,
        handshake: Handshake,
    ) -> LinkId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                link: None,
            });
            u32::try_from(self.slots.len() - 1).expect("a socket has fewer connections than 2^32")
        });
        let place = &mut self.slots[slot as usize];
        let link = Link::new(slot, place.generation, handle, connection, handshake);
        let id = link.id();
        place.link = Some(Box::new(link));
        if self.by_handle.len() <= handle.0 {
            self.by_handle.resize(handle.0 + 1, None);
        }
        self.by_handle[handle.0] = Some(slot);
        self.connections += 1;
        id
    }

    pub(super) fn at(&mut self, slot: u32) -> Option<&mut Link> {
        self.slots.get_mut(slot as usize)?.link.as_deref_mut()
    }

    pub(super) fn of_handle(&mut self, handle: ConnectionHandle) -> Option<&mut Link> {
        let slot = (*self.by_handle.get(handle.0)?)?;
        self.at(slot)
    }

    /// A link that its owner has not forgotten.
    pub(super) fn get(&mut self, id: LinkId) -> Option<&mut Link> {
        let link = self.at(id.slot)?;
        (link.id() == id && !link.forgotten).then_some(link)
    }

    /// The same, only to look at.
    pub(super) fn peek(&self, id: LinkId) -> Option<&Link> {
        let link = self.slots.get(id.slot as usize)?.link.as_deref()?;
        (link.id() == id && !link.forgotten).then_some(link)
    }

    /// Slots that were ever used.
    pub(super) fn slots(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Connections that are not drained.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// QUIC is done with a link.
    pub(super) fn drained(&mut self, slot: u32) {
        let Some(link) = self.at(slot) else {
            return;
        };
        if std::mem::replace(&mut link.drained, true) {
            return;
        }
        let handle = link.handle;
        self.by_handle[handle.0] = None;
        self.connections -= 1;
        self.release(slot);
    }

    /// The owner is done with a link.
    pub(super) fn forget(&mut self, id: LinkId) {
        if let Some(link) = self.get(id) {
            link.forgotten = true;
            self.release(id.slot);
        }
    }

    /// Frees a slot that neither needs any more.
    fn release(&mut self, slot: u32) {
        let place = &mut self.slots[slot as usize];
        let over = place.link.as_ref().is_some_and(|link| {
            link.drained && link.forgotten && matches!(link.stage, Stage::Closed(_))
        });
        if over {
            place.link = None;
            // A slot whose generations are used up stays empty for good.
            if let Some(next) = place.generation.checked_add(1) {
                place.generation = next;
                self.free.push(slot);
            }
        }
    }
}
