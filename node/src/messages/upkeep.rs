//! How the store is, for the log and for `/readyz`: what changes is told once.

use std::sync::Arc;
use std::time::Duration;

use outbox::{Clock, Intake, Store, StoreHealth, Time};

use crate::http::Health;

/// How often the store is asked.
const LOOK: Duration = Duration::from_secs(10);

/// How a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Well,
    /// The database does not answer.
    Down(String),
    /// Nothing is taken in, for lack of space.
    Full,
    /// Nothing is purged, for the clock is not believed.
    Clock {
        believed: Time,
        now: Time,
    },
}

impl State {
    /// The worst of what there is.
    fn of(health: &StoreHealth) -> Self {
        match (&health.database, health.intake, health.clock) {
            (Err(error), ..) => Self::Down(error.clone()),
            (Ok(_), Intake::Full, _) => Self::Full,
            (Ok(_), Intake::Open, Clock::Leapt { believed, now }) => Self::Clock { believed, now },
            (Ok(_), Intake::Open, Clock::Believed) => Self::Well,
        }
    }

    /// The word at `/readyz`.
    fn word(&self) -> &'static str {
        match self {
            Self::Well => "open",
            Self::Down(_) => "down",
            Self::Full => "full",
            Self::Clock { .. } => "clock",
        }
    }

    fn log(&self) {
        match self {
            Self::Well => tracing::info!("the store of messages is well again"),
            Self::Down(error) => tracing::error!("the store of messages does not answer: {error}"),
            Self::Full => tracing::error!(
                "the store of messages takes nothing in for lack of space; free some beside it"
            ),
            Self::Clock { believed, now } => tracing::warn!(
                "the store of messages purges nothing: the clock says {now}, and it said {believed} \
                 when it was last believed; if it is right, stop the node and say so with \
                 \"trilobite outbox purge --accept-clock\""
            ),
        }
    }
}

/// What was told of a store.
#[derive(Debug)]
struct Upkeep {
    word: &'static str,
    error_at: Option<Time>,
}

impl Upkeep {
    fn new() -> Self {
        Self {
            word: State::Well.word(),
            error_at: None,
        }
    }

    /// What is to be told: the state if it is another one, and a purge that failed since.
    fn handle<'a>(&mut self, health: &'a StoreHealth) -> (Option<State>, Option<&'a str>) {
        let state = State::of(health);
        let is_new = std::mem::replace(&mut self.word, state.word()) != state.word();
        let error_at = health.purge_error.as_ref().map(|(at, _)| *at);
        let is_new_error = std::mem::replace(&mut self.error_at, error_at) != error_at;
        let purge = health.purge_error.as_ref().filter(|_| is_new_error);
        (
            is_new.then_some(state),
            purge.map(|(_, text)| text.as_str()),
        )
    }
}

/// Looks after the store until the process ends.
pub(crate) async fn look_after(store: Store, health: Arc<Health>) {
    let mut upkeep = Upkeep::new();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let store = store.clone();
        let Ok(found) = tokio::task::spawn_blocking(move || store.health()).await else {
            continue;
        };
        let (state, purge) = upkeep.handle(&found);
        if let Some(state) = state {
            state.log();
        }
        if let Some(purge) = purge {
            tracing::warn!("the store of messages cannot purge: {purge}; it is tried again");
        }
        health.set_store(upkeep.word);
    }
}

#[cfg(test)]
mod tests {
    use outbox::StoreConfig;

    use super::*;

    #[test]
    fn what_changes_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::sqlite(folder.path().join("outbox.sqlite"));
        let store = Store::open(config, &[]).unwrap();
        let well = store.health();
        let mut upkeep = Upkeep::new();
        assert_eq!(upkeep.handle(&well), (None, None));
        let (believed, now) = (Time::from_micros(1), Time::from_micros(2));
        let leapt = StoreHealth {
            clock: Clock::Leapt { believed, now },
            ..well.clone()
        };
        let told = Some(State::Clock { believed, now });
        assert_eq!(upkeep.handle(&leapt), (told, None));
        let later = StoreHealth {
            clock: Clock::Leapt {
                believed,
                now: believed,
            },
            ..leapt.clone()
        };
        assert_eq!(upkeep.handle(&later), (None, None));
        let full = StoreHealth {
            intake: Intake::Full,
            purge_error: Some((now, "no".to_owned())),
            ..leapt
        };
        assert_eq!(upkeep.handle(&full), (Some(State::Full), Some("no")));
        assert_eq!(upkeep.handle(&full), (None, None));
        let down = StoreHealth {
            database: Err("gone".to_owned()),
            purge_error: None,
            ..full
        };
        let told = Some(State::Down("gone".to_owned()));
        assert_eq!(upkeep.handle(&down), (told, None));
        assert_eq!(upkeep.word, "down");
        assert_eq!(upkeep.handle(&well), (Some(State::Well), None));
    }

    #[tokio::test]
    async fn the_word_is_there_after_the_first_look() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::sqlite(folder.path().join("outbox.sqlite"));
        let store = Store::open(config, &[]).unwrap();
        let health = Arc::<Health>::default();
        let looks = tokio::spawn(look_after(store, health.clone()));
        while health.store().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(health.store(), Some("open"));
        looks.abort();
    }
}
