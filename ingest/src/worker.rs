//! The worker: plain code that alone owns the sessions and shards of its sites.
//!
//! The owner hands each datagram in as bytes and time as `now_us`, on one thread. Nothing here
//! waits, locks, reads a clock or logs. What leaves goes through the [`Outlet`].

use std::sync::Arc;

use locate::Model;
use site::Site;
use wire::batch::Batch;
use wire::frame::{Hello, Report};
use wire::{AccessPoint, AgentName, Session, SiteName};

use crate::books::DropReason;
use crate::ledger::{Ledger, SessionKey};
use crate::limits::{LINES_PER_TICK_MAX, SOLVES_PER_TICK_MAX};
use crate::line::Line;
use crate::neighbours;
use crate::outlet::{FixQueue, Outlet};
use crate::question::{AskError, Question};
use crate::recorded::Recorded;
use crate::session::{self, Phase, Refusal};
use crate::shard::{Budget, Shard, ShardConfig};
use crate::snapshot::WorkerSnapshot;

mod columns;
mod define;
mod fold;
mod group;
mod rows;

use fold::Fold;
use rows::{Named, Times, for_each_row};

/// One datagram in so many gives a sample of how long its rows waited to be folded.
const DATAGRAMS_PER_SAMPLE: u64 = 16;

/// A site that the worker serves.
#[derive(Debug, Clone)]
pub struct ServedSite {
    /// Index in the pipeline's list.
    pub index: usize,
    /// Name, as certificates spell it.
    pub name: SiteName,
    /// The building.
    pub site: Arc<Site>,
    /// Its radio map.
    pub model: Arc<Model>,
}

/// How a worker behaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorkerConfig {
    /// Per site.
    pub shard: ShardConfig,
    /// Run on the clock of a recording that so many agents replay, instead of the node's.
    pub recording_agents: Option<usize>,
}

/// All that happens to the observations of some sites.
#[derive(Debug)]
pub struct Worker {
    sites: Vec<Home>,
    shards: Vec<Shard>,
    /// Whose turn in the sweep it is.
    first_shard: usize,
    ledger: Ledger,
    outlet: Outlet,
    recorded: Option<Recorded>,
    datagrams: u64,
}

/// A served site without its radio map, which its shard alone keeps: an old one is freed with it.
#[derive(Debug)]
struct Home {
    index: usize,
    name: SiteName,
    site: Arc<Site>,
}

/// A session that began.
#[derive(Debug)]
pub struct Opened {
    /// What the owner hands in with each datagram.
    pub key: SessionKey,
    /// Radios that are nobody's anchor, as `ap/band`: their observations will be dropped.
    pub unknown_radios: Vec<String>,
    /// An older session of the same agent that this one replaces: close its connection.
    pub replaces: Option<SessionKey>,
    /// The site's access points that the agent may hear.
    pub access_points: Vec<AccessPoint>,
}

impl Worker {
    /// A worker for these sites.
    pub fn new(config: WorkerConfig, sites: Vec<ServedSite>, fixes: Arc<FixQueue>) -> Self {
        let shards = sites
            .iter()
            .map(|served| {
                let model = served.model.clone();
                Shard::new(served.index, &served.site, model, config.shard)
            })
            .collect();
        let sites = sites
            .into_iter()
            .map(|served| Home {
                index: served.index,
                name: served.name,
                site: served.site,
            })
            .collect();
        let recorded = config
            .recording_agents
            .map(|agents| Recorded::new(agents, config.shard.fix_hz));
        Self {
            sites,
            shards,
            first_shard: 0,
            ledger: Ledger::default(),
            outlet: Outlet::new(fixes),
            recorded,
            datagrams: 0,
        }
    }

    /// An agent says hello; `agent` and `site` are from its certificate.
    ///
    /// # Errors
    /// [`Refusal`] when the agent cannot be served; tell it and close.
    pub fn handle_hello(
        &mut self,
        agent: &AgentName,
        site: &SiteName,
        hello: &Hello,
        session: Session,
        now_us: u64,
    ) -> Result<Opened, Refusal> {
        session::check_hello(hello, self.recorded.is_some())?;
        let shard = self
            .sites
            .iter()
            .position(|served| served.name == *site)
            .ok_or_else(|| Refusal::Site(site.clone()))?;
        let radios = session::match_radios(&self.sites[shard].site, agent, hello);
        let unknown_radios = session::unknown_radios(hello, &radios);
        if radios.iter().all(Option::is_none) {
            return Err(Refusal::NoAnchor {
                agent: agent.clone(),
                site: site.clone(),
                names: unknown_radios.join(", "),
            });
        }
        let (key, replaces) = self
            .ledger
            .open(agent, site, shard, radios, hello, session, now_us);
        Ok(Opened {
            key,
            unknown_radios,
            replaces,
            access_points: neighbours::access_points(&self.sites[shard].site, agent),
        })
    }

    /// A datagram arrived on a session's connection.
    pub fn handle_datagram(&mut self, key: SessionKey, bytes: &[u8], now_us: u64) {
        let batch = wire::batch::decode(bytes).ok();
        self.handle_batch(key, batch.as_ref(), now_us);
    }

    /// A datagram arrived with this batch, or with none that can be decoded.
    fn handle_batch(&mut self, key: SessionKey, batch: Option<&Batch<'_>>, now_us: u64) {
        let Some(state) = self.ledger.session_mut(key) else {
            return;
        };
        state.heard_at_us = now_us;
        let Some(batch) = batch else {
            state.account.handle_undecodable();
            return;
        };
        let len = batch.len() as u64;
        let header = &batch.header;
        if header.session != state.session {
            state.account.handle_stranger(len);
            return;
        }
        if !state
            .account
            .handle_datagram(header.sequence, header.first_observation, len)
        {
            return;
        }
        let Some(&Some(radio)) = state.radios.get(usize::from(header.radio)) else {
            state.account.drop_datagram(DropReason::Radio, len);
            return;
        };
        if self.recorded.is_some() {
            self.keep_recorded(key, batch, radio);
            self.advance_recording(key, now_us);
            return;
        }
        let times = Times::new(state.clock.handle_batch(header.sent_us, now_us), now_us);
        let shard = &mut self.shards[state.shard];
        let follow = shard.row_to_follow(batch.len());
        let folded = Fold {
            shard,
            dictionary: &mut state.dictionary,
            radio,
            times,
            now_us,
            follow,
            drop_row: |reason| state.account.drop_row(reason),
        }
        .fold(batch);
        state.account.fold_datagram(folded);
        self.sample_folded(batch, &times, now_us);
    }

    /// Now and then, records how long a row waited from being heard to being folded.
    fn sample_folded(&mut self, batch: &Batch<'_>, times: &Times, now_us: u64) {
        self.datagrams += 1;
        if !self.datagrams.is_multiple_of(DATAGRAMS_PER_SAMPLE) || batch.is_empty() {
            return;
        }
        let number = (self.datagrams / DATAGRAMS_PER_SAMPLE) as usize % batch.len();
        let full = batch.rows.row(number).map(|row| row.age_ms);
        let short = || batch.short_rows.row(number - batch.rows.len());
        let age_ms = full.or_else(|| Some(short()?.age_ms()));
        if let Some(age_ms) = age_ms.filter(|age_ms| times.allow(*age_ms)) {
            let latency_us = now_us.saturating_sub(times.heard_us(age_ms));
            self.outlet.record_folded(latency_us);
        }
    }

    /// The rows of a replaying agent wait for the recording's clock.
    fn keep_recorded(&mut self, key: SessionKey, batch: &Batch<'_>, radio: u16) {
        let (Some(state), Some(recorded)) = (self.ledger.session_mut(key), &mut self.recorded)
        else {
            return;
        };
        let times = Times::new(batch.header.sent_us, batch.header.sent_us);
        let shard = &mut self.shards[state.shard];
        let mut kept = 0;
        for_each_row(batch, &times, |_, row| {
            let refused = match row.map(|row| (row.named, row)) {
                // A radio hears an access point through one agent only, in order.
                Ok((Named::Full(client), row)) if row.is_beacon => {
                    let known = shard.fold_beacon(&row.beacon(client, radio));
                    (!known).then_some(DropReason::Beacon)
                }
                Ok((Named::Full(client), row)) => {
                    let reading = row.reading(Line::key_of(client), radio);
                    recorded.handle_reading(state.shard, key, reading);
                    None
                }
                // None was granted.
                Ok((Named::Short(_), _)) => Some(DropReason::ShortId),
                Err(reason) => Some(reason),
            };
            match refused {
                None => kept += 1,
                Some(reason) => state.account.drop_row(reason),
            }
        });
        state.account.fold_datagram(kept);
    }

    /// A report arrived; `transport_received` is the number of DATAGRAM frames so far.
    pub fn handle_report(
        &mut self,
        key: SessionKey,
        report: &Report,
        transport_received: u64,
        now_us: u64,
    ) {
        let Some(state) = self.ledger.session_mut(key) else {
            return;
        };
        if state.phase == Phase::Ended {
            // A newer connection of the agent has told how this session ended.
            return;
        }
        state.heard_at_us = now_us;
        state.account.handle_report(report, transport_received);
        state.counted = report.counted;
        if self.recorded.is_some() {
            let clock_us = if report.last {
                u64::MAX
            } else {
                report.clock_us
            };
            state.recording.pending = Some((clock_us, report.counters.datagrams_sent, now_us));
        }
        self.advance_recording(key, now_us);
    }

    /// A connection is gone.
    pub fn handle_closed(&mut self, key: SessionKey, transport_received: u64, now_us: u64) {
        self.ledger.close(key, transport_received);
        self.advance_recording(key, now_us);
    }

    /// Time has passed: sweeps what is due. Returns whether more is due at once.
    pub fn handle_tick(&mut self, now_us: u64) -> bool {
        for shard in &mut self.shards {
            shard.answer_overdue(now_us);
        }
        if self.recorded.is_some() {
            for key in self.ledger.connected() {
                self.advance_recording(key, now_us);
            }
            return false;
        }
        let mut budget = Budget {
            solves: SOLVES_PER_TICK_MAX,
            lines: LINES_PER_TICK_MAX,
        };
        for turn in 0..self.shards.len() {
            let index = (self.first_shard + turn) % self.shards.len();
            self.shards[index].sweep_due(now_us, &mut budget, &mut self.outlet);
            if budget.is_spent() {
                // A site that always has more to solve must not keep the others waiting.
                self.first_shard = (index + 1) % self.shards.len();
                return true;
            }
        }
        false
    }

    /// Answers a question, at once or with the fixes that it waits for. Never waits for the asker;
    /// one about a site or client that is not here is refused.
    pub(crate) fn handle_question(&mut self, question: Question, now_us: u64) {
        let served = self.sites.iter();
        let Some(index) = served
            .map(|served| served.index)
            .position(|index| index == question.site)
        else {
            question.ask.refuse(AskError::Unknown);
            return;
        };
        self.shards[index].handle_ask(question.ask, now_us);
    }

    /// Moves a replay's clock as far as the reports of its agents allow.
    fn advance_recording(&mut self, key: SessionKey, now_us: u64) {
        let Some(recorded) = &mut self.recorded else {
            return;
        };
        if let Some(state) = self.ledger.session_mut(key) {
            recorded.handle_progress(state, now_us);
        }
        let clock_us = recorded.common_clock_us(self.ledger.sessions(), self.ledger.agents_len());
        recorded.advance(clock_us, &mut self.shards, &mut self.outlet);
        for key in recorded.take_homeless() {
            if let Some(state) = self.ledger.session_mut(key) {
                state.account.unfold_row(DropReason::Clients);
            }
        }
    }

    /// Agents that ever had a session with the worker.
    pub fn agents(&self) -> usize {
        self.ledger.agents_len()
    }

    /// What can be told about the worker at this time.
    pub fn snapshot(&self) -> WorkerSnapshot {
        WorkerSnapshot {
            agents: self.ledger.agents(),
            clients_by_site: self
                .sites
                .iter()
                .zip(&self.shards)
                .map(|(served, shard)| (served.index, shard.clients()))
                .collect(),
            fixes_made: self.outlet.made(),
            fixes_dropped: self.outlet.dropped(),
            rounds_skipped: self.shards.iter().map(Shard::rounds_skipped).sum(),
            latency_us: self.outlet.latency_us().clone(),
            folded_us: self.outlet.folded_us().clone(),
            cpu: None,
            solve_cpu: None,
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::hall;
