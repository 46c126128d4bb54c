//! Where agents come in, and how many strangers may stand there.
//!
//! A flood of first packets with forged addresses cost 1.5 GB and a tenth of an agent's datagrams
//! when each was answered in full, and nothing when newcomers had to prove their address once 200
//! handshakes were open. In peace the proof would cost each agent a round trip for nothing.

use std::sync::Arc;
use std::time::Instant;

use quinn::ServerConfig;
use quinn::crypto::rustls::QuicServerConfig;
use quinn_proto::{Connection, ConnectionHandle, Endpoint, Incoming};

use crate::refused::Reason;
use crate::tls::{self, NodeCredentials, Patient, Verdict};
use crate::transport::{ACK_DELAY, Knobs};

use super::answers::Answers;
use super::link::Handshake;

/// What became of handshakes so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HandshakeCounts {
    /// In progress now.
    pub open: usize,
    /// Newcomers that were asked to prove their address first.
    pub retried: usize,
    /// Newcomers that got no answer because too many were in progress.
    pub ignored: usize,
}

/// What all handshakes of a node share.
#[derive(Debug)]
pub(super) struct Door {
    credentials: NodeCredentials,
    config: ServerConfig,
    knobs: Knobs,
    counts: HandshakeCounts,
    shut: bool,
}

/// What to do with a newcomer.
enum Admission {
    /// Begin the handshake.
    Welcome,
    /// Ask it to come again with a token that only its address can have received.
    ProveAddress,
    /// Give no answer.
    Ignored,
}

impl Door {
    pub(super) fn new(credentials: &NodeCredentials, knobs: &Knobs) -> Self {
        let mut config = ServerConfig::with_crypto(crypto(credentials, &Arc::default()));
        config.transport_config(Arc::new(knobs.node_transport()));
        knobs.bound_incoming(&mut config);
        Self {
            credentials: credentials.clone(),
            config,
            knobs: knobs.clone(),
            counts: HandshakeCounts::default(),
            shut: false,
        }
    }

    pub(super) fn server_config(&self) -> Arc<ServerConfig> {
        Arc::new(self.config.clone())
    }

    pub(super) fn replace_credentials(&mut self, credentials: &NodeCredentials) {
        self.credentials = credentials.clone();
    }

    /// Lets nobody in any more.
    pub(super) fn shut(&mut self) {
        self.shut = true;
    }

    pub(super) fn counts(&self) -> HandshakeCounts {
        self.counts
    }

    /// A handshake that was let in has ended, well or not.
    pub(super) fn handshake_ended(&mut self) {
        self.counts.open -= 1;
    }

    /// Begins a newcomer's handshake, or does not, or finds at once that it cannot be.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        incoming: Incoming,
        endpoint: &mut Endpoint,
        answers: &mut Answers,
    ) -> Result<Option<(ConnectionHandle, Connection, Handshake)>, Reason> {
        if self.shut {
            let transmit = endpoint.refuse(incoming, answers.buffer());
            answers.push(transmit);
            return Ok(None);
        }
        match self.judge(incoming.remote_address_validated()) {
            Admission::Welcome => {}
            Admission::ProveAddress => {
                // It may retry always when its address is not validated; see quinn's docs.
                if let Ok(transmit) = endpoint.retry(incoming, answers.buffer()) {
                    answers.push(transmit);
                }
                return Ok(None);
            }
            Admission::Ignored => {
                endpoint.ignore(incoming);
                return Ok(None);
            }
        }
        let verdict = Arc::<Verdict>::default();
        let mut config = self.config.clone();
        config.crypto = crypto(&self.credentials, &verdict);
        match endpoint.accept(incoming, now, answers.buffer(), Some(Arc::new(config))) {
            Ok((handle, connection)) => {
                self.counts.open += 1;
                let handshake = Handshake {
                    waited: self.knobs.handshake_timeout,
                    until: now + self.knobs.handshake_timeout,
                    verdict: Some(verdict),
                };
                Ok(Some((handle, connection, handshake)))
            }
            Err(error) => {
                if let Some(transmit) = error.response {
                    answers.push(transmit);
                }
                Err(Reason::of(&error.cause, &verdict))
            }
        }
    }

    /// Decides about a newcomer, whose address may be proven already.
    fn judge(&mut self, validated: bool) -> Admission {
        if self.counts.open >= self.knobs.handshakes_max {
            self.counts.ignored += 1;
            Admission::Ignored
        } else if self.counts.open >= self.knobs.retry_above && !validated {
            self.counts.retried += 1;
            Admission::ProveAddress
        } else {
            Admission::Welcome
        }
    }
}

fn crypto(credentials: &NodeCredentials, verdict: &Arc<Verdict>) -> Arc<Patient> {
    let config = QuicServerConfig::try_from(tls::node_config(credentials, verdict))
        .expect("the suites include AES-128-GCM, which QUIC begins with");
    Arc::new(Patient::new(config, ACK_DELAY))
}
