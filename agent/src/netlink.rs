//! Netlink messages, as the kernel writes and reads them: bounded walks over bytes, nothing else.
//!
//! Numbers are in the machine's own order of bytes. Nothing recurses: who expects nested attributes
//! walks them, level by level.
//!
//! Source: Linux `include/uapi/linux/netlink.h`, `genetlink.h`, and `Documentation/userspace-api/netlink`.

mod attribute;
mod message;
mod request;
#[cfg(test)]
mod tests;

pub use attribute::{Attribute, Attributes};
pub use message::{Answer, Message, Messages};
pub use request::{Nest, Request};

/// Answers go on over several datagrams until one says [`Answer::Done`].
pub const DUMP: u16 = 0x0300;

/// The kernel answers with an error code, 0 for success, to what has no other answer.
pub const ACKNOWLEDGE: u16 = 0x0004;

/// The family that knows all others, and its command to ask for one.
pub mod controller {
    /// Type of its messages.
    pub const FAMILY: u16 = 16;
    /// Asks for a family.
    pub const GET_FAMILY: u8 = 3;
    /// The number under which a family goes on this machine.
    pub const ATTRIBUTE_FAMILY_ID: u16 = 1;
    /// A family's name.
    pub const ATTRIBUTE_FAMILY_NAME: u16 = 2;
}
