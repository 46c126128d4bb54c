//! What a node says, read by an agent.
//!
//! An access point has no room for reading what only nodes receive, nor for serde's general way of
//! reading a map whose `type` may stand anywhere: that keeps all of it in values of its own first. So
//! this reads twice, first the type and then what belongs to it.

use serde::Deserialize;

use super::Frame;
use crate::envelope;

#[derive(Deserialize)]
struct Nothing {}

#[derive(Deserialize)]
struct Address {
    address: String,
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

#[derive(Deserialize)]
struct Certificate {
    certificate: String,
}

/// Reads a frame that fills `body`. One of an agent is [`Frame::Unknown`], as is one of a later
/// version.
pub(crate) fn parse(body: &[u8]) -> Result<Frame, String> {
    let reason = || envelope::parse(body).map(|Reason { reason }| reason);
    Ok(match envelope::type_of(body)? {
        "welcome" => Frame::Welcome(envelope::parse(body)?),
        "configure" => Frame::Configure(envelope::parse(body)?),
        "defined" => Frame::Defined(envelope::parse(body)?),
        "redirect" => {
            let Address { address } = envelope::parse(body)?;
            Frame::Redirect { address }
        }
        "reject" => Frame::Reject { reason: reason()? },
        "renewed" => {
            let Certificate { certificate } = envelope::parse(body)?;
            Frame::Renewed { certificate }
        }
        "not_renewed" => Frame::NotRenewed { reason: reason()? },
        other => {
            let Nothing {} = envelope::parse(body)?;
            match other {
                "settled" => Frame::Settled {},
                "drain" => Frame::Drain {},
                _ => Frame::Unknown,
            }
        }
    })
}

#[cfg(test)]
mod tests;
