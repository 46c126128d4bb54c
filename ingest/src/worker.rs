//! The worker: plain code that alone owns the sessions and shards of its sites.
//!
//! The owner hands each datagram in as bytes and time as `now_us`, on one thread. Nothing here
//! waits, locks, reads a clock or logs. What leaves goes through the [`Outlet`].

use std::sync::Arc;

use locate::Model;
use site::Site;
use wire::batch::{Batch, Rows};
use wire::frame::{Hello, Report};
use wire::{AgentName, Kind, Session, SiteName};

use crate::books::DropReason;
use crate::ledger::{Ledger, SessionKey};
use crate::limits::SOLVES_PER_TICK_MAX;
use crate::line::Line;
use crate::outlet::{FixQueue, Outlet};
use crate::question::{AskError, Question};
use crate::recorded::Recorded;
use crate::session::{self, Phase, Refusal};
use crate::shard::{Shard, ShardConfig};
use crate::snapshot::WorkerSnapshot;
use crate::table::Place;

mod rows;

use rows::{Heard, Times, check, for_each_reading};

/// Most rows of a datagram: what [`wire::limits::BATCH_BYTES_MAX`] holds.
const ROWS_MAX: usize = wire::limits::BATCH_BYTES_MAX / wire::batch::ROW_BYTES + 1;

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
        })
    }

    /// A datagram arrived on a session's connection.
    pub fn handle_datagram(&mut self, key: SessionKey, bytes: &[u8], now_us: u64) {
        let Some(state) = self.ledger.session_mut(key) else {
            return;
        };
        state.heard_at_us = now_us;
        let Ok(batch) = wire::batch::decode(bytes) else {
            state.account.handle_undecodable();
            return;
        };
        let len = batch.rows.len() as u64;
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
        let folded = match &mut self.recorded {
            None => {
                let sent_us = state.clock.handle_batch(header.sent_us, now_us);
                let times = Times { sent_us, now_us };
                let shard = &mut self.shards[state.shard];
                fold_batch(&batch, radio, times, shard, |reason| {
                    state.account.drop_row(reason)
                })
            }
            Some(recorded) => {
                let times = Times {
                    sent_us: header.sent_us,
                    now_us: header.sent_us,
                };
                let mut kept = 0;
                let shard = &mut self.shards[state.shard];
                for_each_reading(&batch, radio, times, |reading| match reading {
                    Ok(Heard::Client(_, reading)) => {
                        recorded.handle_reading(state.shard, key, reading);
                        kept += 1;
                    }
                    // A radio hears an access point through one agent only, in order.
                    Ok(Heard::Beacon(beacon)) if shard.fold_beacon(&beacon) => kept += 1,
                    Ok(Heard::Beacon(_)) => state.account.drop_row(DropReason::Beacon),
                    Err(reason) => state.account.drop_row(reason),
                });
                kept
            }
        };
        state.account.fold_datagram(folded);
        self.advance_recording(key, now_us);
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
        let mut solves = 0;
        for turn in 0..self.shards.len() {
            let index = (self.first_shard + turn) % self.shards.len();
            let solves_max = SOLVES_PER_TICK_MAX - solves;
            solves += self.shards[index].sweep_due(now_us, solves_max, &mut self.outlet);
            if solves >= SOLVES_PER_TICK_MAX {
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
            cpu: None,
        }
    }
}

/// Folds a batch: first finds all its lines, so that their cache misses overlap, then folds row by
/// row. Returns how many rows were folded.
fn fold_batch(
    batch: &Batch<'_>,
    radio: u16,
    times: Times,
    shard: &mut Shard,
    mut drop_row: impl FnMut(DropReason),
) -> u64 {
    let follow = shard.row_to_follow(batch.rows.len());
    let places = find_places(&batch.rows, shard);
    let mut folded = 0;
    for_each_reading(batch, radio, times, |reading| match reading {
        Ok(Heard::Client(i, reading)) => match places[i].or_else(|| shard.place(reading.key)) {
            Some(place) => {
                shard.fold(place, &reading, follow == Some(i));
                folded += 1;
            }
            None => drop_row(DropReason::Clients),
        },
        Ok(Heard::Beacon(beacon)) if shard.fold_beacon(&beacon) => folded += 1,
        Ok(Heard::Beacon(_)) => drop_row(DropReason::Beacon),
        Err(reason) => drop_row(reason),
    });
    folded
}

fn find_places(rows: &Rows<'_>, shard: &mut Shard) -> [Option<Place>; ROWS_MAX] {
    let mut places = [None; ROWS_MAX];
    for (place, row) in places.iter_mut().zip(rows.iter()) {
        if row.kind != Kind::Beacon && check(&row, true).is_ok() {
            *place = shard.place(Line::key_of(row.client));
        }
    }
    places
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::hall;
