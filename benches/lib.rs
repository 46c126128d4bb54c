//! What the benches share; each bench is a file beside this one and opens with its question.
//!
//! Everything is made from fixed seeds: two runs of a bench do the same work.
//!
//! - [`hall`]: a hall full of agents, as site, model and greeting.
//! - [`crowd`]: clients whose ids are scattered as those of a keyed hash.
//! - [`datagram`]: one as full as it can be.
//! - [`rig`]: a worker with the sessions of the agents of a hall, and datagrams for it.
//! - [`outgoing`]: the batcher of an agent and what it hears.
//! - [`arrivals`]: numbers of datagrams as networks deliver them.
//! - [`whole`]: batchers, links at both ends and a worker, without sockets.
//! - [`steady`]: time on a machine that others use, too.
//! - [`cpu`]: processor time of this process and of those that it started.
//! - [`select`]: which cases of a hand-written bench to run.

pub mod arrivals;
pub mod cpu;
pub mod crowd;
pub mod datagram;
pub mod hall;
pub mod outgoing;
pub mod rig;
pub mod select;
pub mod steady;
pub mod whole;
