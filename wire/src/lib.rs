//! What an agent may say to a node: observations, batches, ids; bytes in, values out.

pub mod frame;
pub mod id;
pub mod limits;
pub mod observation;

pub use frame::Frame;
pub use id::{AgentName, ApName, ClientId, ClientName, Session, SiteName};
pub use observation::{Kind, Observation, Range};
