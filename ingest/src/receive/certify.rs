//! Requests for certificates, on their way to the registrar and back.

use link::LinkId;
use wire::Frame;

use crate::registrar::Answer;

use super::guests::Guest;
use super::hall::{Hall, describe};

impl Hall {
    /// Somebody without a certificate has asked for one.
    pub(super) fn enrol(&mut self, id: LinkId) {
        let engine = self.port.engine();
        if let (Some(remote), Some(request)) =
            (engine.remote_address(id), engine.take_enrolment(id))
        {
            self.door.registry.enrol(id, remote, request);
        }
    }

    /// An agent has asked for its next certificate.
    pub(super) fn renew(&mut self, id: LinkId, signing_request: Vec<u8>) {
        if !self.guests.may_renew(id, self.now) {
            let who = describe(self.port.engine(), id);
            tracing::warn!("{who} asks for certificates too often; not answered");
            return;
        }
        let Some(identity) = self.port.engine().identity(id).cloned() else {
            return;
        };
        if !self.door.registry.renew(id, &identity, signing_request) {
            let reason =
                "this node has no [enrolment] in node.toml and cannot sign; issue the next \
                          certificate with \"trilobite ca issue --replace\""
                    .to_owned();
            self.tell(id, &Frame::NotRenewed { reason });
        }
    }

    /// Passes on what the registrar has answered since.
    pub(super) fn pass_on_answers(&mut self) {
        while let Some((id, answer)) = self.door.registry.next_answer() {
            match answer {
                Answer::Enrolment(answer) => match answer.encode() {
                    Ok(bytes) => self.port.engine().answer_enrolment(id, bytes),
                    Err(error) => tracing::error!("no answer to an enrolment: {error}"),
                },
                Answer::Renewal(answer) => {
                    let frame = match answer {
                        Ok(certificate) => Frame::Renewed { certificate },
                        Err(reason) => Frame::NotRenewed { reason },
                    };
                    if let Some(Guest::Talking(_)) = self.guests.of(id) {
                        self.tell(id, &frame);
                    }
                }
            }
        }
    }
}
