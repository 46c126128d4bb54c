//! QUIC endpoints and identities for both ends; turns batches into datagrams and back.
//!
//! It does not know what a datagram says, when to send one or where to connect next: `agent` and
//! `ingest` do. It keeps no connection alive by itself and retries nothing.
//!
//! Start from [`NodeEndpoint`], where agents arrive, [`AgentEndpoint`], from where they connect,
//! and [`authority`], which makes the certificates that both ends need.
//!
//! # Invariants
//!
//! - Who an agent is comes from its certificate, never from what it says. No datagram reaches the
//!   caller before the certificate was verified and the identity read.
//! - No datagram is dropped to make room at the sender: there is room or there is not.
//! - TLS 1.3 only, certificates both ways, no early data, no session resumption.
//! - Every knob of the transport is in [`transport`], with its reason.
//! - This is the only crate that names quinn.
//!
//! # Example
//!
//! An authority, a node and an agent, all in one process:
//!
//! ```
//! use link::authority::Authority;
//! use link::{AgentCredentials, AgentEndpoint, Knobs, NodeCredentials, NodeEndpoint, ResetKey};
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
//! let node = NodeEndpoint::bind(([127, 0, 0, 1], 0).into(), &credentials, &ResetKey::random()?, &knobs)?;
//! let address = node.local_addr();
//! let at_node = tokio::spawn(async move {
//!     let arriving = node.accept().await.expect("the endpoint is open");
//!     let link = arriving.finish().await.expect("the agent is one of ours");
//!     let datagram = link.read_datagram().await.expect("the agent sends one");
//!     (link.identity().to_string(), datagram)
//! });
//!
//! let credentials = AgentCredentials::from_pem(ca, &agent.certificate_pem, &agent.key_pem)?;
//! let endpoint = AgentEndpoint::bind(([127, 0, 0, 1], 0).into(), &knobs)?;
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
pub mod identity;
pub mod impair;
pub mod refused;
pub mod tls;
pub mod transport;

mod agent_end;
mod certificate;
mod closed;
mod control;
mod node_end;
mod private_file;
mod reset_key;
mod socket;
mod stats;
#[cfg(test)]
mod tests;

pub use agent_end::{AgentEndpoint, ConnectError, NodeLink, SendError};
pub use closed::LinkClosed;
pub use control::{ControlError, ControlReader, ControlWriter};
pub use identity::Identity;
pub use node_end::{AgentLink, Arriving, HandshakeCounts, NodeEndpoint};
pub use refused::Refused;
pub use reset_key::{ResetKey, ResetKeyError};
pub use socket::BindError;
pub use stats::LinkStats;
pub use tls::{AgentCredentials, CredentialError, NodeCredentials};
pub use transport::Knobs;
