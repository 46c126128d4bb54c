//! What the owner of an engine says and hears over its links.

use bytes::Bytes;
use quinn_proto::SendDatagramError;
use wire::Frame;

use crate::agent_end::SendError;
use crate::closed::LinkClosed;
use crate::control::ControlError;

use super::link::Stage;
use super::{Engine, LinkId};

impl Engine {
    /// The next datagram that has arrived.
    pub fn read_datagram(&mut self, id: LinkId) -> Option<Bytes> {
        self.links.get(id)?.connection.datagrams().recv()
    }

    /// The next datagrams that have arrived, at most so many, behind what `out` holds; returns how
    /// many those are. After fewer than asked for there are no more.
    pub fn read_datagrams(&mut self, id: LinkId, at_most: usize, out: &mut Vec<Bytes>) -> usize {
        let Some(link) = self.links.get(id) else {
            return 0;
        };
        let mut datagrams = link.connection.datagrams();
        let read = std::iter::from_fn(|| datagrams.recv()).take(at_most);
        let before = out.len();
        out.extend(read);
        out.len() - before
    }

    /// Hands a datagram over, if there is room for it; if not, [`Event::Room`](super::Event::Room)
    /// tells when to try again.
    ///
    /// # Errors
    /// [`SendError`]; the datagram was not taken, and no other was dropped for it.
    pub fn send_datagram(&mut self, id: LinkId, datagram: Bytes) -> Result<(), SendError> {
        let link = self.links.get(id).ok_or(LinkClosed::Here)?;
        if let Stage::Closed(closed) = &link.stage {
            return Err(closed.clone().into());
        }
        let bytes = datagram.len();
        let mut datagrams = link.connection.datagrams();
        match datagrams.send(datagram, false) {
            Ok(()) => {
                self.send(id.slot());
                Ok(())
            }
            Err(SendDatagramError::Blocked(_)) => Err(SendError::NoRoom),
            Err(
                SendDatagramError::TooLarge
                | SendDatagramError::UnsupportedByPeer
                | SendDatagramError::Disabled,
            ) => Err(SendError::TooLong {
                bytes,
                bytes_max: datagrams.max_size().unwrap_or(0),
            }),
        }
    }

    /// Free bytes of the send buffer: a datagram of this length will be taken.
    pub fn datagram_room(&mut self, id: LinkId) -> usize {
        let link = self.links.get(id);
        link.map_or(0, |link| link.connection.datagrams().send_buffer_space())
    }

    /// Longest datagram that goes through now, in bytes; zero until the link is open.
    ///
    /// Ask before packing each batch, see
    /// [`NodeLink::datagram_bytes_max`](crate::NodeLink::datagram_bytes_max).
    pub fn datagram_bytes_max(&mut self, id: LinkId) -> usize {
        let link = self.links.get(id);
        link.and_then(|link| link.connection.datagrams().max_size())
            .unwrap_or(0)
    }

    /// Hands a frame over, to be delivered as long as the link stands. An agent's first frame opens
    /// the control stream, also before the link is open; a node's wait for that.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] when too much waits already, then
    /// [`Event::Room`](super::Event::Room) tells when to try again; else why it can never be sent.
    pub fn write_frame(&mut self, id: LinkId, frame: &Frame) -> Result<(), ControlError> {
        let link = self.links.get(id).ok_or(LinkClosed::Here)?;
        if let Stage::Closed(closed) = &link.stage {
            return Err(closed.clone().into());
        }
        link.control.write(frame)?;
        link.control.flush(&mut link.connection);
        self.send(id.slot());
        Ok(())
    }

    /// Says that no more frames follow those that were written.
    pub fn finish_control(&mut self, id: LinkId) {
        if let Some(link) = self.links.get(id) {
            link.control.finish();
            link.control.flush(&mut link.connection);
            self.send(id.slot());
        }
    }

    /// The next frame that has arrived; `None` also when no more will come.
    ///
    /// # Errors
    /// [`ControlError`]; after [`FrameError::Malformed`](wire::control::FrameError::Malformed) the
    /// next frame can still be read.
    pub fn read_frame(&mut self, id: LinkId) -> Result<Option<Frame>, ControlError> {
        let Some(link) = self.links.get(id) else {
            return Ok(None);
        };
        let frame = link.control.read(&mut link.connection);
        // Reading may have made room that the other end waits to hear of.
        self.send(id.slot());
        frame
    }
}

/// What only tests do to a link.
#[cfg(test)]
impl Engine {
    pub(super) fn force_key_update(&mut self, id: LinkId) {
        let link = self.links.get(id).expect("a link");
        link.connection.force_key_update();
    }

    /// Writes bytes that may be no frame.
    pub(super) fn write_raw(&mut self, id: LinkId, bytes: &[u8]) {
        let link = self.links.get(id).expect("a link");
        link.control.write_raw(bytes);
        link.control.flush(&mut link.connection);
        self.send(id.slot());
    }

    /// Opens further streams and writes to them; returns how many were granted.
    pub(super) fn open_streams(&mut self, id: LinkId, wanted: usize) -> usize {
        let link = self.links.get(id).expect("a link");
        let mut granted = 0;
        while granted < wanted
            && let Some(stream) = link.connection.streams().open(quinn_proto::Dir::Bi)
        {
            let _ = link.connection.send_stream(stream).write(b"more");
            granted += 1;
        }
        self.send(id.slot());
        granted
    }
}
