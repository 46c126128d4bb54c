//! The node's half of enrolment: redeems join tokens, certifies keys, renews certificates.
//!
//! A thread of its own does it, since a token is marked on the disk before anything is signed, and
//! no worker may wait for a disk. What it decides is in [`Clerk`].

mod clerk;
mod limiter;
mod refusals;

use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use ingest::registrar::{EnrolReply, Registrar, RenewReply};
use link::Identity;
use wire::enrol::{Denial, EnrolAnswer};

use refusals::Refusals;

pub use clerk::Clerk;

/// Requests that may wait for the thread: each takes a write to the disk, and a stranger waits for
/// ten seconds at most. A further one is told to come back.
const REQUESTS_LEN_MAX: usize = 128;

/// What the thread is asked.
#[derive(Debug)]
enum Request {
    Enrol(SocketAddr, Vec<u8>, EnrolReply),
    Renew(Identity, Vec<u8>, RenewReply),
}

/// The way to the thread that certifies; the thread ends with it.
#[derive(Debug)]
pub struct Counter {
    requests: Sender<Request>,
}

impl Counter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn open(clerk: Clerk) -> anyhow::Result<Self> {
        let (requests, waiting) = bounded(REQUESTS_LEN_MAX);
        std::thread::Builder::new()
            .name("enrolment".to_owned())
            .spawn(move || serve(clerk, &waiting))
            .context("cannot start the thread that certifies agents")?;
        Ok(Self { requests })
    }
}

impl Registrar for Counter {
    fn enrol(&self, remote: SocketAddr, request: Vec<u8>, reply: EnrolReply) {
        let request = Request::Enrol(remote, request, reply);
        if let Err(TrySendError::Full(Request::Enrol(_, _, reply))) =
            self.requests.try_send(request)
        {
            reply.answer(EnrolAnswer::Denied {
                why: Denial::TooMany,
                reason: "too many enrol at once; try again in a minute".to_owned(),
            });
        }
    }

    fn renew(&self, identity: &Identity, signing_request: Vec<u8>, reply: RenewReply) {
        let request = Request::Renew(identity.clone(), signing_request, reply);
        if let Err(TrySendError::Full(Request::Renew(_, _, reply))) =
            self.requests.try_send(request)
        {
            reply.answer(Err(
                "too many renew at once; it will be tried again".to_owned()
            ));
        }
    }
}

fn serve(mut clerk: Clerk, requests: &Receiver<Request>) {
    let mut refusals = Refusals::default();
    for request in requests {
        match request {
            Request::Enrol(remote, bytes, reply) => {
                let now = Instant::now();
                let answer = clerk.enrol(remote.ip(), &bytes, now, unix_s());
                match &answer {
                    EnrolAnswer::Denied { why, reason } if *why == Denial::TooMany => {
                        if let Some(count) = refusals.note(now) {
                            tracing::warn!(
                                "{remote} may not enrol: {reason} (requests refused so, from \
                                 there or elsewhere, since the last such line: {count})"
                            );
                        }
                    }
                    EnrolAnswer::Denied { reason, .. } => {
                        tracing::warn!("{remote} may not enrol: {reason}");
                    }
                    _ => tracing::info!("{remote} has enrolled"),
                }
                reply.answer(answer);
            }
            Request::Renew(identity, bytes, reply) => {
                let answer = clerk.renew(&identity, &bytes);
                match &answer {
                    Ok(_) => tracing::info!("{identity} has renewed its certificate"),
                    Err(reason) => tracing::warn!("{identity} gets no new certificate: {reason}"),
                }
                reply.answer(answer);
            }
        }
    }
}

/// The time of day.
pub(crate) fn unix_s() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
