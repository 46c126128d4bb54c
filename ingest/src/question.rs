//! Questions to a worker, and what it answers.
//!
//! A question travels through a bounded queue that the worker looks at on its tick; the answer comes
//! back through a channel with room for one. Neither side ever blocks the worker: who asks gives up
//! after a while, and an answer that nobody waits for any more is thrown away.

use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, bounded};
use locate::{Fix, Locator, Model, Sighting, Track};
use wire::ClientId;

use crate::beacons::BeaconReading;
use crate::limits::{ANSWER_TIMEOUT, QUESTIONS_WAITING_MAX};

/// The evidence behind one fix of a client.
///
/// With [`ClientWindow::fix`] it is exactly what that fix was made of: the worker kept it when it
/// made the fix, which was the client's first after the question. Without, no fix was made while
/// the question waited, and it is what the client's line still holds of its last window: of each
/// radio the mean that its last fix used, counts reset to 1, ages against the newest of them.
#[derive(Debug, Clone)]
pub struct ClientWindow {
    /// Whose window it is.
    pub client: ClientId,
    /// What each radio heard.
    pub sightings: Vec<Sighting>,
    /// Readings that the line still held and the fix did not use, for they are older than the window.
    pub older: Vec<Sighting>,
    /// The track before the fix; `None` where no fix was made.
    pub track_before: Option<Track>,
    /// The track as it is now.
    pub track: Track,
    /// The fix that was made of it.
    pub fix: Option<Fix>,
    /// The time to which the sightings' ages count, in microseconds of the node's clock; that of
    /// the fix, where there is one.
    pub at_us: u64,
    /// The model in use.
    pub model: Arc<Model>,
}

/// Why a worker keeps its model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// No worker serves the site.
    #[error("no worker serves site number {0}")]
    Site(usize),
    /// Lines and tracks name radios and floors by number, which must stay what they are.
    #[error(
        "the new model has {offered_radios} radios and {offered_floors} floors, the site in service \
         {radios} and {floors}; restart the node to serve another building"
    )]
    Shape {
        /// Radios of the model in service.
        radios: usize,
        /// Radios of the model offered.
        offered_radios: usize,
        /// Floors of the model in service.
        floors: usize,
        /// Floors of the model offered.
        offered_floors: usize,
    },
    /// The worker has stopped, or is so busy that it does not answer.
    #[error("the site's worker does not answer; it keeps its model")]
    Silent,
}

/// Something asked of a worker, with the way back.
#[derive(Debug)]
pub(crate) struct Question {
    /// Index of the site in the pipeline's list.
    pub(crate) site: usize,
    pub(crate) ask: Ask,
}

#[derive(Debug)]
pub(crate) enum Ask {
    /// The window of one client.
    Client(ClientId, Sender<ClientWindow>),
    /// The windows of the next so many fixes.
    Sample(usize, Sender<Vec<ClientWindow>>),
    /// What anchors hear of each other.
    Beacons(Sender<Vec<BeaconReading>>),
    /// The model in use.
    Model(Sender<Arc<Model>>),
    /// Make fixes with this from now on.
    Replace(Box<Locator>, Sender<Result<(), ReplaceError>>),
}

/// The asking side: one queue per worker. Sites are dealt to workers in turn.
#[derive(Debug)]
pub(crate) struct Asker {
    queues: Vec<Sender<Question>>,
}

impl Asker {
    /// Queues for so many workers, and the ends from which they take.
    pub(crate) fn new(workers: usize) -> (Self, Vec<Receiver<Question>>) {
        let (queues, ends) = (0..workers).map(|_| bounded(QUESTIONS_WAITING_MAX)).unzip();
        (Self { queues }, ends)
    }

    /// Asks a site's worker; `None` when it does not answer: stopped, busy, or nothing to say.
    pub(crate) fn ask<A>(&self, site: usize, ask: impl FnOnce(Sender<A>) -> Ask) -> Option<A> {
        let (answer, answered) = bounded(1);
        let queue = self.queues.get(site % self.queues.len().max(1))?;
        let question = Question {
            site,
            ask: ask(answer),
        };
        queue.try_send(question).ok()?;
        answered.recv_timeout(ANSWER_TIMEOUT).ok()
    }
}
