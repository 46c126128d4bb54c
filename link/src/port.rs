//! An engine on a UDP socket, driven by the thread that owns it.
//!
//! [`Port::receive`] waits and takes in, [`Port::transmit`] sends; in between the owner speaks with
//! the [`Engine`]. No task, lock or queue lies between a packet and who reads its datagrams.

mod intake;
mod outgoing;
mod slots;
mod waker;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use quinn::udp::UdpSocketState;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::engine::{Below, Engine};
use crate::impair::Impairment;
use crate::reset_key::ResetKey;
use crate::socket::{self, BindError};
use crate::tls::NodeCredentials;
use crate::transport::{
    GATHER, GATHER_BUFFER_BYTES, GATHER_LINKS_MIN, GATHER_PACKETS_MAX, GATHER_SHORT, Knobs,
    TIMER_GRAIN,
};

use intake::Intake;
use outgoing::Outgoing;
use waker::Alarm;

pub use waker::PortWaker;

/// A UDP socket and the [`Engine`] with its connections.
#[derive(Debug)]
pub struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    local_addr: SocketAddr,
    engine: Engine,
    /// The last time of reception, and the packets that it brought.
    now: Instant,
    packets: usize,
    /// How long packets may gather.
    gather: Duration,
    intake: Intake,
    outgoing: Outgoing,
    alarm: Alarm,
    waker: PortWaker,
}

impl Port {
    /// Opens the port at which agents arrive.
    ///
    /// # Errors
    /// [`BindError`] when the port cannot be had.
    pub fn bind_node(
        address: SocketAddr,
        credentials: &NodeCredentials,
        reset_key: &ResetKey,
        knobs: &Knobs,
    ) -> Result<Self, BindError> {
        let engine = |below| Engine::node(credentials, reset_key, knobs, below);
        let receive_buffer = Some(knobs.socket_receive_buffer_bytes);
        Self::bind(address, knobs, receive_buffer, None, engine)
    }

    /// Opens a node's port whose outgoing packets meet faults.
    ///
    /// # Errors
    /// [`BindError`] when the port cannot be had.
    pub fn bind_node_impaired(
        address: SocketAddr,
        credentials: &NodeCredentials,
        reset_key: &ResetKey,
        knobs: &Knobs,
        impairment: &Impairment,
    ) -> Result<Self, BindError> {
        let engine = |below| Engine::node(credentials, reset_key, knobs, below);
        let receive_buffer = Some(knobs.socket_receive_buffer_bytes);
        Self::bind(address, knobs, receive_buffer, Some(impairment), engine)
    }

    /// Opens a port from which agents connect, as many as wanted; `0.0.0.0:0` or `[::]:0` suit
    /// most.
    ///
    /// # Errors
    /// [`BindError`] when the port cannot be had.
    pub fn bind_agents(address: SocketAddr, knobs: &Knobs) -> Result<Self, BindError> {
        Self::bind(address, knobs, None, None, |below| {
            Engine::agents(knobs, below)
        })
    }

    /// Opens a port for agents whose outgoing packets meet faults.
    ///
    /// # Errors
    /// [`BindError`] when the port cannot be had.
    pub fn bind_agents_impaired(
        address: SocketAddr,
        knobs: &Knobs,
        impairment: &Impairment,
    ) -> Result<Self, BindError> {
        Self::bind(address, knobs, None, Some(impairment), |below| {
            Engine::agents(knobs, below)
        })
    }

    fn bind(
        address: SocketAddr,
        knobs: &Knobs,
        receive_buffer_bytes: Option<usize>,
        impairment: Option<&Impairment>,
        engine: impl FnOnce(Below) -> Engine,
    ) -> Result<Self, BindError> {
        let socket_error = |source| BindError::Socket { address, source };
        let socket =
            UdpSocket::bind(address).map_err(|source| BindError::Bind { address, source })?;
        if let Some(bytes) = receive_buffer_bytes {
            socket::enlarge_receive_buffer(&socket, bytes).map_err(socket_error)?;
        }
        let state = UdpSocketState::new((&socket).into()).map_err(socket_error)?;
        let local_addr = socket.local_addr().map_err(socket_error)?;
        let granted = state.recv_buffer_size((&socket).into());
        let gather = match granted.map_err(socket_error)? >= GATHER_BUFFER_BYTES {
            true => GATHER,
            false => GATHER_SHORT,
        };
        let (alarm, waker) = waker::pair().map_err(socket_error)?;
        let below = Below {
            may_fragment: state.may_fragment(),
            ipv6: local_addr.is_ipv6(),
        };
        Ok(Self {
            engine: engine(below),
            intake: Intake::new(knobs.receive_mtu().into(), state.gro_segments()),
            outgoing: Outgoing::new(impairment.cloned()),
            socket,
            state,
            local_addr,
            now: Instant::now(),
            packets: 0,
            gather,
            alarm,
            waker,
        })
    }

    /// The address and port that the socket got.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Ends a wait from another thread.
    pub fn waker(&self) -> PortWaker {
        self.waker.clone()
    }

    /// The connections.
    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Waits until packets come, a connection's timer is due, [`PortWaker::wake`] is called or
    /// `until` is there (at a node with many links that get few packets each, packets may gather for
    /// a moment first); then takes in what there is, for a millisecond or so. Returns the time at
    /// which all that happened.
    ///
    /// Then take the engine's events until there are none, read the links that they name, and
    /// [`transmit`](Self::transmit).
    ///
    /// # Errors
    /// What the system says of the socket, which is broken then.
    pub fn receive(&mut self, until: Instant) -> io::Result<Instant> {
        self.engine.begin_round();
        if !self.intake.expects_more() {
            if self.gathers() {
                let wait = until.saturating_duration_since(Instant::now());
                self.wait_for(wait.min(self.gather), false)?;
            } else {
                self.wait(until)?;
            }
        }
        let now = Instant::now();
        self.now = now;
        self.packets = self
            .intake
            .take(now, &self.socket, &self.state, &mut self.engine)?;
        if self.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.engine.handle_timeout(now);
        }
        Ok(now)
    }

    /// Packets come, but so few at a time that it is better to wait for more. A round without any
    /// ends that.
    fn gathers(&mut self) -> bool {
        (1..=GATHER_PACKETS_MAX).contains(&self.packets)
            && self.serves_many()
            && !self.outgoing.is_blocked()
            && !self.engine.has_events()
    }

    /// A node whose links are so many that a moment's wait brings several of them together.
    fn serves_many(&self) -> bool {
        self.engine.is_node() && self.engine.connections() >= GATHER_LINKS_MIN
    }

    /// Least time to wait for a timer of a connection.
    fn timer_grain(&self) -> Duration {
        match self.serves_many() {
            true => self.gather,
            false => TIMER_GRAIN,
        }
    }

    fn wait(&mut self, until: Instant) -> io::Result<()> {
        let now = Instant::now();
        let wait = if self.engine.has_events() {
            Duration::ZERO
        } else {
            let grain = self.timer_grain();
            let timer = self.engine.poll_timeout().map(|due| {
                let wait = due.saturating_duration_since(now);
                if wait.is_zero() {
                    wait
                } else {
                    wait.max(grain)
                }
            });
            let wait = until.saturating_duration_since(now);
            timer.map_or(wait, |timer| timer.min(wait))
        };
        self.wait_for(wait, true)
    }

    /// Waits so long, or until the waker rings, or also until the socket has something.
    fn wait_for(&mut self, wait: Duration, for_socket: bool) -> io::Result<()> {
        let mut wanted = PollFlags::IN;
        if self.outgoing.is_blocked() {
            wanted |= PollFlags::OUT;
        }
        let mut descriptors = [
            PollFd::new(self.alarm.descriptor(), PollFlags::IN),
            PollFd::new(&self.socket, wanted),
        ];
        let polled = if for_socket { 2 } else { 1 };
        // No clock reaches a wait that a Timespec cannot hold.
        let timeout = Timespec::try_from(wait).ok();
        match poll(&mut descriptors[..polled], timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let rings = !descriptors[0].revents().is_empty();
        if rings {
            self.alarm.silence();
        }
        Ok(())
    }

    /// Sends what the connections want to send. What the socket does not take now is kept, and
    /// [`receive`](Self::receive) also waits for the socket then.
    ///
    /// # Errors
    /// None that a lost packet would not be as good as; kept for systems that have others.
    pub fn transmit(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.outgoing
            .send(now, &self.socket, &self.state, &mut self.engine)
    }
}
