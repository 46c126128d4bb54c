//! A simulated feed, broker and consumer: deliveries are shuffled, repeated, late and lost, commits
//! come late, the consumer crashes, handlers fail, the feed forgets. In the end the consumer knows
//! what is, and every message had its effect once.
//!
//! `TRILOBITE_SEEDS=500 cargo test -p trilobite-outbox --test inbox` runs more of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use outbox::inbox::{
    After, Attempt, BoxError, Database, Event, Failure, FeedPage, Gone, Inbox, PollRequest, Poller,
    PollerConfig, Purpose, Resume, Which,
};
use outbox::{Message, Place, SqlError, Time, Tx, Value};

use crate::rig::{NOW, Rig, effect, effects, inbox, message, page};

const STEPS: usize = 160;
const RESOURCES: u64 = 6;

pub(crate) fn whatever_the_network_does_the_end_state_is_right(rig: &Rig) {
    let usual = match rig.place {
        Place::Sqlite(_) => 12,
        Place::Postgres(_) => 4,
    };
    let seeds = std::env::var("TRILOBITE_SEEDS").map_or(usual, |text| text.parse().unwrap());
    let mut gaps = 0;
    for seed in 0..seeds {
        eprintln!("seed {seed}");
        gaps += Run::new(rig, seed).run();
    }
    assert!(gaps > 0, "some of the runs must have had a gap");
}

/// SplitMix64, as a source of choices.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            let other = usize::try_from(self.below(index as u64 + 1)).unwrap();
            items.swap(index, other);
        }
    }
}

/// The producer: state, and messages in the order of commits.
#[derive(Default)]
struct World {
    state: BTreeMap<String, i64>,
    log: Vec<Message>,
    /// Made, and not committed yet.
    late: Vec<Message>,
    oldest: usize,
    made: u64,
}

impl World {
    fn make(&mut self, random: &mut Random, seed: u64, time: Time) {
        self.made += 1;
        let resource = format!("/r/{}", random.below(RESOURCES));
        let mut message = message(seed * 1_000_000 + self.made, "thing.changed", &resource);
        message.time = time;
        if random.percent(20) {
            self.late.push(message);
        } else {
            self.commit(message);
        }
    }

    fn commit(&mut self, message: Message) {
        *self.state.entry(message.resource.to_string()).or_default() += 1;
        self.log.push(message);
    }

    fn answer(&self, request: &PollRequest, limit: usize) -> Result<FeedPage, Gone> {
        let first = match &request.after {
            After::Cursor(cursor) => cursor.as_str()[1..].parse().unwrap(),
            After::Since(time) => {
                let rest = &self.log[self.oldest..];
                let skipped = rest.iter().position(|message| message.time >= *time);
                self.oldest + skipped.unwrap_or(rest.len())
            }
            After::Oldest => self.oldest,
            After::Head => self.log.len(),
        };
        if first < self.oldest {
            return Err(Gone {
                oldest: Some(format!("p{}", self.oldest).parse().unwrap()),
                resync: Some("/r".to_owned()),
            });
        }
        let end = self.log.len().min(first + limit);
        let mut page = page(&self.log[first..end], &format!("p{end}"));
        page.more = end < self.log.len();
        Ok(page)
    }
}

struct Run {
    seed: u64,
    random: Random,
    world: World,
    inbox: Inbox,
    database: Database,
    poller: Poller,
    clock: Duration,
    gaps: u32,
}

impl Run {
    fn new(rig: &Rig, seed: u64) -> Self {
        let inbox = inbox(|config| {
            config.name = format!("seed-{seed}");
            config.coalesce = seed % 2 == 1;
            config.attempts_max = 3;
        });
        let mut database = rig.ready(&inbox);
        let sql = "CREATE TABLE IF NOT EXISTS known
            (inbox TEXT, resource TEXT, version BIGINT, PRIMARY KEY (inbox, resource))";
        database.transact(|tx| tx.execute(sql, &[])).unwrap();
        let resume = Resume {
            after: After::Oldest,
            newest: None,
        };
        Self {
            seed,
            random: Random(seed),
            world: World::default(),
            poller: Poller::new(PollerConfig::default(), resume, seed, Duration::ZERO),
            inbox,
            database,
            clock: Duration::ZERO,
            gaps: 0,
        }
    }

    fn run(mut self) -> u32 {
        for _ in 0..STEPS {
            self.clock += Duration::from_millis(self.random.below(20_000));
            match self.random.below(12) {
                0..3 => {
                    for _ in 0..=self.random.below(6) {
                        let time = self.time();
                        self.world.make(&mut self.random, self.seed, time);
                    }
                }
                3 => {
                    let mut late = std::mem::take(&mut self.world.late);
                    self.random.shuffle(&mut late);
                    late.into_iter()
                        .for_each(|message| self.world.commit(message));
                }
                4..7 => self.poll(true),
                7..10 => self.handle(true),
                10 => self.broker(),
                _ if self.random.percent(30) => self.crash(),
                // The feed forgets; seldom more than the consumer has.
                _ if self.random.percent(15) => {
                    let kept = usize::try_from(self.random.below(4)).unwrap();
                    let oldest = self.world.log.len().saturating_sub(kept);
                    self.world.oldest = self.world.oldest.max(oldest);
                }
                _ => {}
            }
        }
        self.settle();
        self.check();
        self.gaps
    }

    fn time(&self) -> Time {
        NOW.plus(self.clock)
    }

    /// One request, if it is time; with `faults` all that can go wrong with it.
    fn poll(&mut self, faults: bool) {
        if let Some(Event::Resync(gone)) = self.poller.poll_event() {
            return self.resync(&gone);
        }
        let Some(request) = self.poller.poll_request(self.clock) else {
            return;
        };
        let fault = if faults { self.random.below(10) } else { 99 };
        let failure = match fault {
            0 => Some(Failure::Broken),
            1 => Some(Failure::Busy {
                retry_after: Some(Duration::from_secs(3)),
            }),
            _ => None,
        };
        if let Some(failure) = failure {
            return self.poller.handle_failure(failure, self.clock);
        }
        let limit = usize::try_from(self.random.below(8)).unwrap() + 1;
        let mut page = match self.world.answer(&request, limit) {
            Ok(page) => page,
            Err(gone) => return self.poller.handle_failure(Failure::Gone(gone), self.clock),
        };
        if faults {
            self.disturb(&mut page);
        }
        let (purpose, now) = (request.purpose, self.time());
        match fault {
            // The process dies before the commit, or after it without having told the poller.
            2 => self.crash(),
            3 => {
                self.receive(&page, purpose, now);
                self.crash();
            }
            // Nobody knows whether it was committed.
            4 => {
                if self.random.percent(50) {
                    self.receive(&page, purpose, now);
                }
                self.poller.handle_failure(Failure::NotStored, self.clock);
            }
            _ => {
                let received = self.receive(&page, purpose, now);
                self.poller.handle_page(&page, received, self.clock);
            }
        }
    }

    fn receive(&mut self, page: &FeedPage, purpose: Purpose, now: Time) -> outbox::inbox::Received {
        let inbox = &self.inbox;
        self.database
            .transact(|tx| inbox.receive(tx, page, purpose, now))
            .unwrap()
    }

    /// Order and number of a page's messages mean nothing.
    fn disturb(&mut self, page: &mut FeedPage) {
        for _ in 0..self.random.below(3) {
            let count = self.world.log.len() as u64;
            if count > 0 {
                let any = usize::try_from(self.random.below(count)).unwrap();
                page.messages.push(self.world.log[any].clone());
            }
        }
        self.random.shuffle(&mut page.messages);
    }

    /// A broker brings some of what was published, in any order, some of it twice.
    fn broker(&mut self) {
        let mut brought: Vec<Message> = Vec::new();
        for message in self.world.log.iter().rev().take(10) {
            for _ in 0..self.random.below(3) {
                brought.push(message.clone());
            }
        }
        self.random.shuffle(&mut brought);
        let now = self.time();
        self.receive(&page(&brought, "broker"), Purpose::Overlap, now);
        if let Some(newest) = brought.iter().map(|message| message.time).max() {
            self.poller.handle_broker_message(newest, self.clock);
        }
    }

    /// The process starts again, with what is in its database.
    fn crash(&mut self) {
        let inbox = &self.inbox;
        let resume = self
            .database
            .transact(|tx| inbox.resume(tx, After::Oldest))
            .unwrap();
        let seed = self.random.draw();
        self.poller = Poller::new(PollerConfig::default(), resume, seed, self.clock);
    }

    /// Reads all state, as of now, and goes on from the oldest place that the feed told.
    fn resync(&mut self, gone: &Gone) {
        self.gaps += 1;
        let after = After::Cursor(gone.oldest.clone().unwrap());
        let (inbox, state) = (&self.inbox, &self.world.state);
        let read = |tx: &mut Tx<'_>| {
            for (resource, version) in state {
                know(tx, inbox, resource, *version)?;
            }
            inbox.go_on_from(tx, &after)
        };
        self.database.transact(read).unwrap();
        self.poller.handle_resynced(after, self.clock);
    }

    /// Handles some of what is due; some handlers fail after their effect.
    fn handle(&mut self, faults: bool) {
        for _ in 0..3 {
            let fails = faults && self.random.percent(25);
            let dies = faults && self.random.percent(10);
            let (inbox, state, now) = (&self.inbox, &self.world.state, self.time());
            let mut handler = |tx: &mut Tx<'_>, message: &Message| -> Result<(), BoxError> {
                effect(tx, message)?;
                let resource = message.resource.as_str();
                know(tx, inbox, resource, state[resource])?;
                if fails {
                    Err("handler fails".into())
                } else {
                    Ok(())
                }
            };
            let handled = self.database.transact(|tx| {
                let attempt = inbox.attempt(tx, &[], now, &mut handler)?;
                if dies {
                    // As a process that ends before the commit: all is rolled back.
                    return Err(tx.execute("no statement", &[]).unwrap_err());
                }
                Ok(attempt)
            });
            if matches!(handled, Ok(Attempt::Nothing(_))) {
                return;
            }
        }
    }

    /// No more faults: everything comes to rest.
    fn settle(&mut self) {
        let late = std::mem::take(&mut self.world.late);
        late.into_iter()
            .for_each(|message| self.world.commit(message));
        let end = After::Cursor(format!("p{}", self.world.log.len()).parse().unwrap());
        for _ in 0..10_000 {
            if *self.poller.after() == end {
                break;
            }
            self.clock = self
                .poller
                .poll_timeout()
                .unwrap_or(self.clock)
                .max(self.clock);
            self.poll(false);
        }
        assert_eq!(*self.poller.after(), end, "the end of the feed is reached");
        let (inbox, now) = (&self.inbox, self.time());
        self.database
            .transact(|tx| inbox.replay_dead(tx, &Which::All, now))
            .unwrap();
        loop {
            self.clock += Duration::from_secs(3_600);
            self.handle(false);
            let inbox = &self.inbox;
            let status = self.database.transact(|tx| inbox.status(tx)).unwrap();
            if status.waiting == 0 {
                return assert_eq!(status.dead, 0);
            }
        }
    }

    fn check(&mut self) {
        let name = self.inbox.config().name.clone();
        let read = |tx: &mut Tx<'_>| -> Result<BTreeMap<String, i64>, SqlError> {
            let sql = "SELECT resource, version FROM known WHERE inbox = ?1";
            let rows = tx.query(sql, &[Value::Text(name)])?;
            rows.iter()
                .map(|row| Ok((row.text(0)?.to_owned(), row.integer(1)?)))
                .collect()
        };
        let known = self.database.transact(read).unwrap();
        assert_eq!(
            known, self.world.state,
            "seed {}: what is known is what is",
            self.seed
        );

        let made: BTreeSet<String> = self
            .world
            .log
            .iter()
            .map(|message| message.id.to_string())
            .collect();
        let mut had = effects(&mut self.database);
        had.retain(|id| made.contains(id));
        let once: BTreeSet<String> = had.iter().cloned().collect();
        assert_eq!(once.len(), had.len(), "seed {}: no effect twice", self.seed);
        if self.gaps == 0 && !self.inbox.config().coalesce {
            assert_eq!(once, made, "seed {}: every effect once", self.seed);
        }
    }
}

fn know(tx: &mut Tx<'_>, inbox: &Inbox, resource: &str, version: i64) -> Result<(), SqlError> {
    let sql = "INSERT INTO known (inbox, resource, version) VALUES (?1, ?2, ?3)
        ON CONFLICT (inbox, resource) DO UPDATE SET version = excluded.version";
    let name = Value::from(inbox.config().name.as_str());
    tx.execute(sql, &[name, resource.into(), version.into()])?;
    Ok(())
}
