//! What a worker hears from an agent that has a session.

use link::LinkId;
use wire::Frame;
use wire::frame::{Define, Defined, Report};

use crate::limits::DATAGRAMS_PER_GROUP_MAX;

use super::guests::{Call, Guest};
use super::hall::{Hall, describe};

impl Hall {
    /// Hands all datagrams of a link to the worker, a group after the other.
    pub(super) fn read(&mut self, id: LinkId, call: &Call) {
        loop {
            let engine = self.port.engine();
            let group = engine.read_datagrams(id, DATAGRAMS_PER_GROUP_MAX, &mut self.reading);
            for bytes in &self.reading {
                let listener = &self.door.shared.listener;
                listener.datagram(call.session, bytes, self.now_us);
            }
            self.worker
                .handle_datagrams(call.key, &self.reading, self.now_us);
            self.reading.clear();
            if group < DATAGRAMS_PER_GROUP_MAX {
                return;
            }
        }
    }

    /// Takes what an agent has said on its control stream.
    pub(super) fn converse(&mut self, id: LinkId) {
        loop {
            let frame = self.port.engine().read_frame(id);
            match (self.guests.of(id), frame) {
                (None | Some(Guest::Parting(_)), _) | (_, Ok(None)) => return,
                (Some(Guest::Greeting), Ok(Some(Frame::Hello(hello)))) => self.greet(id, &hello),
                (Some(Guest::Greeting), _) => {
                    let engine = self.port.engine();
                    tracing::warn!("{} said no hello; closed", describe(engine, id));
                    engine.close(id, self.now, "no hello on the control stream");
                    return;
                }
                (Some(Guest::Talking(call)), Ok(Some(frame))) => {
                    self.handle_frame(id, &call, frame);
                }
                (Some(Guest::Talking(_)), Err(error)) => {
                    let engine = self.port.engine();
                    tracing::warn!("{}: {error}", describe(engine, id));
                    engine.close(id, self.now, "control frame not understood");
                    return;
                }
            }
        }
    }

    fn handle_frame(&mut self, id: LinkId, call: &Call, frame: Frame) {
        match frame {
            Frame::Report(report) => self.handle_report(id, call, &report),
            // Said by an agent that waits for an answer, so that it hears what got lost before.
            Frame::Names { names } if names.is_empty() => {}
            Frame::Names { names } => {
                let listener = &self.door.shared.listener;
                listener.names(call.owner.site, call.session, &names);
            }
            Frame::OptOut { clients } => {
                let listener = &self.door.shared.listener;
                listener.opted_out(call.owner.site, &clients);
            }
            Frame::Define(define) => self.handle_define(id, call, &define),
            Frame::Renew { signing_request } => self.renew(id, signing_request),
            // Frames of later versions, and those that only a node sends, mean nothing here.
            _ => {}
        }
    }

    /// Books a report, after what arrived before it.
    fn handle_report(&mut self, id: LinkId, call: &Call, report: &Report) {
        self.read(id, call);
        let stats = self.port.engine().stats(id);
        let received = stats.map_or(0, |stats| stats.datagrams_received);
        self.worker
            .handle_report(call.key, report, received, self.now_us);
        if report.last {
            // The round tells readers before it sends the answer.
            self.news = true;
            self.tell(id, &Frame::Settled {});
        }
    }

    /// Takes in what short ids stand for; only what is acknowledged will be used.
    fn handle_define(&mut self, id: LinkId, call: &Call, define: &Define) {
        let Define { first, clients } = define;
        if !self
            .worker
            .handle_define(call.key, *first, clients, self.now_us)
        {
            return;
        }
        let listener = &self.door.shared.listener;
        listener.define(call.session, *first, clients);
        let defined = Defined {
            first: *first,
            count: clients.len() as u32,
        };
        self.tell(id, &Frame::Defined(defined));
    }
}
