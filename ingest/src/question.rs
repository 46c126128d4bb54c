//! Questions to a worker, and what it answers.
//!
//! A question travels through a bounded queue that the worker looks at on its tick; the answer comes
//! back through a channel with room for one. Neither side ever blocks the worker: who asks gives up
//! after a while, and an answer that nobody waits for any more is thrown away. Who gets none is told
//! why: [`AskError`].

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
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

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Too many questions wait, or the worker did not come to this one in
    /// [`ANSWER_TIMEOUT`]: ask again later.
    #[error("the site's worker is too busy to answer; ask again in some seconds")]
    Busy,
    /// The worker has stopped and will never answer.
    #[error("the site's worker has stopped")]
    Stopped,
    /// No worker serves the site, or none of the site's radios has lately heard the client.
    #[error("the site's worker does not know what was asked for")]
    Unknown,
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
    /// The worker is so busy that it does not answer in time; what waits in its queue it still does.
    #[error("the site's worker does not answer yet; the model may come into use later")]
    Silent,
    /// The worker has stopped: it makes no more fixes.
    #[error("the site's worker has stopped")]
    Stopped,
}

impl ReplaceError {
    /// Why a question about a site's model had no answer.
    pub(crate) fn unanswered(site: usize, why: AskError) -> Self {
        match why {
            AskError::Busy => Self::Silent,
            AskError::Stopped => Self::Stopped,
            AskError::Unknown => Self::Site(site),
        }
    }
}

/// The way back to who asked.
pub(crate) type Answer<A> = Sender<Result<A, AskError>>;

/// What became of an offered model.
#[derive(Debug)]
pub(crate) struct Replaced {
    pub(crate) outcome: Result<(), ReplaceError>,
    /// The locator that is not in use any more, or was refused: who asked frees it, since a radio
    /// map takes longer to free than a worker may be away.
    pub(crate) unused: Box<Locator>,
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
    Client(ClientId, Answer<ClientWindow>),
    /// The windows of the next so many fixes.
    Sample(usize, Answer<Vec<ClientWindow>>),
    /// What anchors hear of each other.
    Beacons(Answer<Vec<BeaconReading>>),
    /// The model in use.
    Model(Answer<Arc<Model>>),
    /// Make fixes with this from now on.
    Replace(Box<Locator>, Answer<Replaced>),
    /// Forget these clients. An order: nobody waits for an answer.
    Forget(Vec<ClientId>),
}

impl Ask {
    /// Tells who asked why there is no answer.
    pub(crate) fn refuse(self, why: AskError) {
        // Whoever asked may have given up: a refusal that nobody takes is no error.
        match self {
            Self::Client(_, answer) => drop(answer.try_send(Err(why))),
            Self::Sample(_, answer) => drop(answer.try_send(Err(why))),
            Self::Beacons(answer) => drop(answer.try_send(Err(why))),
            Self::Model(answer) => drop(answer.try_send(Err(why))),
            Self::Replace(_, answer) => drop(answer.try_send(Err(why))),
            Self::Forget(_) => {}
        }
    }
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

    /// Asks a site's worker and waits for its answer, [`ANSWER_TIMEOUT`] at most.
    ///
    /// # Errors
    /// [`AskError`] tells why there is none.
    pub(crate) fn ask<A>(
        &self,
        site: usize,
        ask: impl FnOnce(Answer<A>) -> Ask,
    ) -> Result<A, AskError> {
        self.ask_within(ANSWER_TIMEOUT, site, ask)
    }

    /// Puts something before a site's worker, and does not wait.
    ///
    /// # Errors
    /// [`AskError`] when too much waits there already, or the worker has stopped.
    pub(crate) fn order(&self, site: usize, ask: Ask) -> Result<(), AskError> {
        let queue = self.queues.get(site % self.queues.len().max(1));
        let sent = queue
            .ok_or(AskError::Unknown)?
            .try_send(Question { site, ask });
        sent.map_err(|error| match error {
            TrySendError::Full(_) => AskError::Busy,
            TrySendError::Disconnected(_) => AskError::Stopped,
        })
    }

    /// As [`Asker::ask`], with another patience.
    pub(crate) fn ask_within<A>(
        &self,
        patience: Duration,
        site: usize,
        ask: impl FnOnce(Answer<A>) -> Ask,
    ) -> Result<A, AskError> {
        let (answer, answered) = bounded(1);
        self.order(site, ask(answer))?;
        match answered.recv_timeout(patience) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(AskError::Busy),
            // A worker that lives refuses in words: this one went away with the question.
            Err(RecvTimeoutError::Disconnected) => Err(AskError::Stopped),
        }
    }
}
