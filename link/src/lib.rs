//! QUIC endpoints and identities for both ends; turns batches into datagrams and back.
//!
//! It does not know what a datagram says, when to send one or where to connect next: `agent` and
//! `ingest` do. It retries nothing.
//!
//! Start from [`Port`], where agents arrive on the thread of its owner, [`AgentEndpoint`], from
//! where an agent connects among its other tasks, and [`authority`], which makes the certificates
//! that both ends need. Below a port is an [`Engine`], which knows no socket and no clock.
//!
//! # Invariants
//!
//! - Who an agent is comes from its certificate, never from what it says. No datagram reaches the
//!   caller before the certificate was verified and the identity read.
//! - Who has no certificate may ask for one, if the node lets it, over a connection that can do
//!   nothing else.
//! - No datagram is dropped to make room at the sender: there is room or there is not.
//! - TLS 1.3 only, certificates both ways but for that, no early data, no session resumption.
//! - Every knob of the transport is in [`transport`], with its reason.
//! - This is the only crate that names quinn.
//!
//! # Example
//!
//! An authority, a node and an agent, all in one process:
//!
//! ```
//! use link::authority::Authority;
//! use link::{AgentCredentials, AgentEndpoint, Event, Knobs, NodeCredentials, Port, ResetKey};
//! use std::time::{Duration, Instant};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let authority = Authority::create()?;
//! let ca = authority.certificate_pem();
//! let node = authority.issue_node(&["localhost".to_owned()], 7)?;
//! let agent = authority.issue_agent(&"ap-1".parse()?, &"hq".parse()?, 7)?;
//!
//! let knobs = Knobs::default();
//! let credentials = NodeCredentials::from_pem(ca, &node.certificate_pem, &node.key_pem)?;
//! let localhost = ([127, 0, 0, 1], 0).into();
//! let mut node = Port::bind_node(localhost, &credentials, &ResetKey::random()?, &knobs)?;
//! let address = node.local_addr();
//! let at_node = tokio::task::spawn_blocking(move || loop {
//!     node.receive(Instant::now() + Duration::from_secs(1)).expect("the socket works");
//!     while let Some(event) = node.engine().poll_event() {
//!         if let Event::Datagrams(id) = event {
//!             let datagram = node.engine().read_datagram(id).expect("there is one");
//!             let identity = node.engine().identity(id).expect("the link is open");
//!             return (identity.to_string(), datagram);
//!         }
//!     }
//!     node.transmit().expect("the socket works");
//! });
//!
//! let credentials = AgentCredentials::from_pem(ca, &agent.certificate_pem, &agent.key_pem)?;
//! let endpoint = AgentEndpoint::bind(localhost, &knobs)?;
//! let link = endpoint.connect(address, "localhost", &credentials, &knobs).await?;
//! link.send_datagram("what was heard".into())?;
//!
//! let (identity, datagram) = at_node.await?;
//! assert_eq!(identity, "trilobite://hq/ap-1");
//! assert_eq!(datagram, "what was heard");
//! # Ok(())
//! # }
//! ```

pub mod authority;
pub mod congestion;
pub mod fingerprint;
pub mod identity;
pub mod impair;
pub mod private_file;
pub mod refused;
pub mod signing_request;
pub mod tls;
pub mod transport;

mod agent_end;
mod certificate;
mod closed;
mod control;
mod device_key;
pub mod engine;
mod port;
mod reset_key;
mod socket;
mod stats;
#[cfg(test)]
mod tests;

pub use agent_end::{AgentEndpoint, ConnectError, EnrolAt, EnrolError, NodeLink, SendError};
pub use closed::LinkClosed;
pub use control::{ControlError, ControlReader, ControlWriter};
pub use device_key::{DeviceKey, DeviceKeyError};
pub use engine::{Engine, Event, HandshakeCounts, LinkId};
pub use identity::Identity;
pub use port::{Port, PortWaker};
pub use refused::Refused;
pub use reset_key::{ResetKey, ResetKeyError};
pub use socket::BindError;
pub use stats::LinkStats;
pub use tls::{AgentCredentials, CredentialError, NodeCredentials};
pub use transport::Knobs;
