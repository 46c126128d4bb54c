//! What a shard answers to questions.

use locate::Locator;
use wire::ClientId;

use super::Shard;
use super::gather::{NOTHING, gather, gather_older};
use crate::limits::{RADIOS_PER_CLIENT_MAX, WATCH_MAX};
use crate::line::Line;
use crate::moment::Moment;
use crate::question::{Answer, Ask, AskError, ClientWindow, ReplaceError, Replaced};

/// Sweep intervals in which a client that is heard gets its next fix, with room for a late sweep.
const INTERVALS_TO_WAIT: f64 = 1.25;

impl Shard {
    /// Takes up a question.
    pub(crate) fn handle_ask(&mut self, ask: Ask, now_us: u64) {
        let wait_us = (1e6 * INTERVALS_TO_WAIT / self.config.fix_hz) as u64;
        let until_us = now_us + wait_us.min(WATCH_MAX.as_micros() as u64);
        // Whoever asked may have given up: an answer that nobody takes is no error.
        match ask {
            Ask::Client(client, answer) => {
                if self.table.find(Line::key_of(client)).is_some() {
                    self.watches.wait_for(client, until_us, answer);
                } else {
                    let _ = answer.try_send(Err(AskError::Unknown));
                }
            }
            Ask::Sample(len, answer) => self.watches.collect(len, until_us, answer),
            Ask::Beacons(answer) => {
                let _ = answer.try_send(Ok(self.beacons.readings(self.clock_us(now_us))));
            }
            Ask::Model(answer) => {
                let _ = answer.try_send(Ok(self.locator.model().clone()));
            }
            Ask::Forget(clients) => clients.into_iter().for_each(|client| self.erase(client)),
            Ask::Replace(mut locator, answer) => {
                let outcome = self.replace(&mut locator);
                let unused = locator;
                let _ = answer.try_send(Ok(Replaced { outcome, unused }));
            }
        }
    }

    /// Forgets a client and all that is kept of it. Who is heard again begins anew.
    fn erase(&mut self, client: ClientId) {
        let key = Line::key_of(client);
        self.ranges.forget(key);
        self.probes.forget(key);
        if let Some(index) = self.table.index_of(key) {
            self.table.remove(index);
        }
    }

    /// Answers those who have waited long enough for a fix.
    #[inline]
    pub(crate) fn answer_overdue(&mut self, now_us: u64) {
        if !self.watches.is_empty() {
            for (client, answer) in self.watches.overdue(now_us) {
                self.answer_as_held(client, &answer, now_us);
            }
        }
    }

    /// A client's track.
    #[cfg(test)]
    pub(crate) fn track_of(&self, key: u64) -> Option<&locate::Track> {
        self.table.find(key).map(|(_, track)| track)
    }

    /// The time to which lines and beacons belong.
    fn clock_us(&self, now_us: u64) -> u64 {
        self.swept_at_us.unwrap_or(now_us)
    }

    fn answer_as_held(&self, client: ClientId, answer: &Answer<ClientWindow>, now_us: u64) {
        let held = self.held(client, now_us).ok_or(AskError::Unknown);
        let _ = answer.try_send(held);
    }

    /// What a client's line still holds; `None` when it was forgotten.
    fn held(&self, client: ClientId, now_us: u64) -> Option<ClientWindow> {
        let key = Line::key_of(client);
        let now_us = self.clock_us(now_us);
        let now = Moment::from_us(now_us);
        let (line, track) = self.table.find(key)?;
        let ranges = self.ranges.slots(key);
        let heard = line.slots(&self.dial).map(|slot| slot.heard);
        let heard = heard.chain(ranges.iter().map(|slot| slot.heard));
        let newest = heard.min_by_key(|heard| now.steps_since(*heard))?;
        let mut sightings = [NOTHING; 2 * RADIOS_PER_CLIENT_MAX];
        let len = gather(
            line,
            &self.dial,
            ranges,
            newest,
            self.config.window_s,
            &mut sightings,
        );
        let age_us = f64::from(now.seconds_since(newest)) * 1e6;
        Some(ClientWindow {
            client,
            sightings: sightings[..len].to_vec(),
            older: gather_older(line, &self.dial, ranges, newest, self.config.window_s),
            track_before: None,
            track: *track,
            fix: None,
            at_us: now_us.saturating_sub(age_us as u64),
            model: self.locator.model().clone(),
        })
    }

    /// Makes fixes with another locator from now on and leaves the old one in its place; lines and
    /// tracks stay.
    fn replace(&mut self, locator: &mut Locator) -> Result<(), ReplaceError> {
        let (old, new) = (self.locator.model(), locator.model());
        let shape = ReplaceError::Shape {
            radios: old.radios_len(),
            offered_radios: new.radios_len(),
            floors: old.floors_len(),
            offered_floors: new.floors_len(),
        };
        if old.radios_len() != new.radios_len() || old.floors_len() != new.floors_len() {
            return Err(shape);
        }
        std::mem::swap(&mut self.locator, locator);
        Ok(())
    }
}
