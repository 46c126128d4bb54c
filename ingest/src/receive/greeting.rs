//! The answer to a hello: welcome, redirect or reject.

use std::sync::atomic::Ordering;

use link::{Identity, LinkId};
use wire::Frame;
use wire::frame::{Configure, Hello, Welcome};

use crate::ledger::SessionKey;
use crate::pipeline::{Owner, SessionNote};
use crate::session::Refusal;
use crate::worker::Opened;

use super::REPORT_INTERVAL_MS;
use super::commands::Phase;
use super::guests::Call;
use super::hall::{Hall, describe};

impl Hall {
    /// Answers a hello.
    pub(super) fn greet(&mut self, id: LinkId, hello: &Hello) {
        let Some(identity) = self.port.engine().identity(id).cloned() else {
            return;
        };
        let shared = &self.door.shared;
        let Some(&owner) = shared.owners.get(&identity.site) else {
            return self.reject(id, &Refusal::Site(identity.site));
        };
        if owner.worker != self.door.index {
            let port = shared.addresses[owner.worker].port();
            let redirect = Frame::Redirect {
                address: format!(":{port}"),
            };
            return self.part(id, &redirect, "served on another port");
        }
        let session = shared.next_session();
        let opened =
            self.worker
                .handle_hello(&identity.agent, &identity.site, hello, session, self.now_us);
        let opened = match opened {
            Ok(opened) => opened,
            Err(refusal) => return self.reject(id, &refusal),
        };
        self.announce(id, &identity, hello, session, &opened.unknown_radios);
        if let Some(older) = opened.replaces {
            self.replace(id, older);
        }
        self.door.shared.connected.fetch_add(1, Ordering::AcqRel);
        self.welcome(id, &identity, session, opened, owner);
    }

    /// Tells listeners and the log of a new session.
    fn announce(
        &mut self,
        id: LinkId,
        identity: &Identity,
        hello: &Hello,
        session: wire::Session,
        unknown_radios: &[String],
    ) {
        let engine = self.port.engine();
        if let Some(remote) = engine.remote_address(id) {
            self.door.shared.listener.session(&SessionNote {
                session,
                identity,
                remote,
                hello,
            });
        }
        let who = describe(engine, id);
        tracing::info!("{who} connected with {} radios", hello.radios.len());
        if !unknown_radios.is_empty() {
            tracing::warn!(
                "{who}: not in the site file, observations will be dropped: {}",
                unknown_radios.join(", ")
            );
        }
    }

    /// Closes the link of an agent's older session.
    fn replace(&mut self, id: LinkId, older: SessionKey) {
        let Some(older) = self.guests.unlink(older) else {
            return;
        };
        let engine = self.port.engine();
        if let Some(remote) = engine.remote_address(older) {
            tracing::warn!(
                "{} replaces its connection from {remote}; if this goes on, two access points \
                 share a certificate: issue one for each",
                describe(engine, id)
            );
        }
        engine.close(
            older,
            self.now,
            "a newer connection of the same agent replaces this one",
        );
    }

    fn welcome(
        &mut self,
        id: LinkId,
        identity: &Identity,
        session: wire::Session,
        opened: Opened,
        owner: Owner,
    ) {
        let key = opened.key;
        let site_key = self.door.commands.key(owner.site);
        let draining = self.door.commands.phase() >= Phase::Draining;
        let call = Call {
            key,
            session,
            owner,
            key_version: site_key.version,
            told_to_leave: draining,
            renewed: None,
        };
        self.guests.talk(id, call);
        let welcome = Welcome {
            session,
            agent: identity.agent.clone(),
            report_interval_ms: REPORT_INTERVAL_MS,
            configure: Configure {
                pseudonym_key: site_key.key,
            },
            short_ids: self.worker.short_ids(key),
            time_unix_s: self.now_us / 1_000_000,
            access_points: opened.access_points,
        };
        self.tell(id, &Frame::Welcome(welcome));
        if draining {
            self.tell(id, &Frame::Drain {});
        }
        // What came before the hello was handled waits in the link.
        self.unread.push(id);
    }

    fn reject(&mut self, id: LinkId, refusal: &Refusal) {
        self.door.shared.refused.fetch_add(1, Ordering::Relaxed);
        tracing::warn!("{} refused: {refusal}", describe(self.port.engine(), id));
        let reject = Frame::Reject {
            reason: refusal.to_string(),
        };
        self.part(id, &reject, "refused");
    }

    /// Says a last word; the agent has a while to leave with it.
    fn part(&mut self, id: LinkId, word: &Frame, reason: &'static str) {
        self.tell(id, word);
        self.port.engine().finish_control(id);
        self.guests.part(id, self.now, reason);
    }
}
