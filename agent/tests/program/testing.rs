//! The unit tests' writers of captures.

#[path = "../../src/testing/captures.rs"]
mod captures;
#[path = "../../src/testing/frames.rs"]
mod frames;

pub(crate) use captures::*;
pub(crate) use frames::*;
