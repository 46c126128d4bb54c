//! Who certifies agents: beside the workers, since that writes to a disk and they must not wait.
//!
//! A worker passes a request on and goes on; the answer comes back over a bounded queue, and the
//! worker's port is woken for it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, bounded};
use link::{Identity, LinkId, PortWaker};
use wire::enrol::EnrolAnswer;

use crate::limits::ANSWERS_LEN_MAX;

/// Certifies the keys of agents.
///
/// Called on a worker's thread: it must return at once and answer later, from any thread.
pub trait Registrar: Send + Sync + fmt::Debug {
    /// A stranger asks for its first certificate, in bytes that nobody has looked at.
    fn enrol(&self, remote: SocketAddr, request: Vec<u8>, reply: EnrolReply);

    /// A connected agent asks for its next certificate, for a key in a request that nobody has
    /// looked at. Whose it is, its present certificate has told.
    fn renew(&self, identity: &Identity, signing_request: Vec<u8>, reply: RenewReply);
}

/// Where the answer to a stranger goes; dropped, the stranger hears nothing.
#[derive(Debug)]
pub struct EnrolReply(Reply);

impl EnrolReply {
    /// Answers.
    pub fn answer(self, answer: EnrolAnswer) {
        self.0.send(Answer::Enrolment(answer));
    }
}

/// Where the answer to an agent goes; dropped, the agent asks again another day.
#[derive(Debug)]
pub struct RenewReply(Reply);

impl RenewReply {
    /// Answers with a certificate as PEM, or with what is wrong and what to do.
    pub fn answer(self, answer: Result<String, String>) {
        self.0.send(Answer::Renewal(answer));
    }
}

#[derive(Debug)]
struct Reply {
    link: LinkId,
    answers: Sender<(LinkId, Answer)>,
    waker: PortWaker,
}

impl Reply {
    fn send(self, answer: Answer) {
        // A worker that is gone, or has so many to pass on, loses one: whoever asked asks again.
        if self.answers.try_send((self.link, answer)).is_ok() {
            self.waker.wake();
        }
    }
}

/// What a worker passes on to a link.
#[derive(Debug)]
pub(crate) enum Answer {
    Enrolment(EnrolAnswer),
    Renewal(Result<String, String>),
}

/// A worker's way to the registrar and back.
#[derive(Debug)]
pub(crate) struct Registry {
    registrar: Option<Arc<dyn Registrar>>,
    sender: Sender<(LinkId, Answer)>,
    answers: Receiver<(LinkId, Answer)>,
    waker: PortWaker,
}

impl Registry {
    pub(crate) fn new(registrar: Option<Arc<dyn Registrar>>, waker: PortWaker) -> Self {
        let (sender, answers) = bounded(ANSWERS_LEN_MAX);
        Self {
            registrar,
            sender,
            answers,
            waker,
        }
    }

    /// Passes a stranger's request on, if there is somebody to pass it to.
    pub(crate) fn enrol(&self, link: LinkId, remote: SocketAddr, request: Vec<u8>) {
        if let Some(registrar) = &self.registrar {
            registrar.enrol(remote, request, EnrolReply(self.reply(link)));
        }
    }

    /// Passes an agent's request on; returns whether there is somebody to pass it to.
    pub(crate) fn renew(&self, link: LinkId, identity: &Identity, request: Vec<u8>) -> bool {
        if let Some(registrar) = &self.registrar {
            registrar.renew(identity, request, RenewReply(self.reply(link)));
        }
        self.registrar.is_some()
    }

    pub(crate) fn next_answer(&self) -> Option<(LinkId, Answer)> {
        self.answers.try_recv().ok()
    }

    fn reply(&self, link: LinkId) -> Reply {
        Reply {
            link,
            answers: self.sender.clone(),
            waker: self.waker.clone(),
        }
    }
}
