//! Figures of messages: what was published and polled, how the store is, what is unusual.

use std::fmt;

use outbox::alerts::AlertKind;
use outbox::{Clock, Intake, StoreHealth, Time};
use prometheus_client::encoding::DescriptorEncoder;

use super::{counters, gauges};
use crate::alerts::{Board, Tallied, View};

/// What is told of messages.
#[derive(Debug)]
pub struct MessageFigures {
    view: Option<View>,
    polls: Tallied,
    now: Time,
}

impl MessageFigures {
    /// What the board shows, as old as its last look.
    pub fn of(board: &Board) -> Self {
        Self {
            view: board.view(),
            polls: board.tallies().so_far(),
            now: Time::now(),
        }
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        self.polls(encoder)?;
        let Some(view) = &self.view else {
            return Ok(());
        };
        alerts(encoder, view)?;
        self.amounts(encoder, view)?;
        store(encoder, &view.health, self.now)
    }

    fn polls(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let polls = self.polls;
        let by_answer = [
            ("page", polls.answered),
            ("gone", polls.gone),
            ("refused", polls.refused),
            ("failed", polls.failed),
        ];
        counters(
            encoder,
            "message_polls",
            "Polls of messages by their answer: a page, 410 because the consumer was away for too long, refused, or not answered.",
            by_answer.map(|(answer, count)| (vec![("answer", answer)], count)),
        )
    }

    fn amounts(&self, encoder: &mut DescriptorEncoder, view: &View) -> fmt::Result {
        let up = f64::from(u8::from(view.figures.is_ok()));
        gauges(
            encoder,
            "outbox_up",
            "Whether the store of messages answered at the last look.",
            [(Vec::new(), up)],
        )?;
        let Ok(figures) = &view.figures else {
            return Ok(());
        };
        counters(
            encoder,
            "messages_published",
            "Messages published since the store was made.",
            [(Vec::new(), figures.published)],
        )?;
        let names: Vec<_> = figures
            .rows
            .iter()
            .map(|(day, _)| day.to_string())
            .collect();
        let rows = names.iter().zip(&figures.rows);
        gauges(
            encoder,
            "outbox_rows",
            "About how many messages are kept, by the day of their ids.",
            rows.map(|(name, (_, rows))| (vec![("day", name.as_str())], *rows as f64)),
        )?;
        let age = |time: Option<Time>| time.map(|time| self.now.since(time).as_secs_f64());
        let ages = [
            (
                "outbox_oldest_age_seconds",
                "Age of the oldest message that is kept.",
                age(figures.oldest),
            ),
            (
                "outbox_newest_age_seconds",
                "Age of the newest message that can be read.",
                age(figures.newest),
            ),
        ];
        for (name, help, age) in ages {
            gauges(encoder, name, help, age.map(|age| (Vec::new(), age)))?;
        }
        Ok(())
    }
}

fn alerts(encoder: &mut DescriptorEncoder, view: &View) -> fmt::Result {
    let on = AlertKind::ALL.map(|kind| {
        let is_on = view.active.iter().any(|alert| alert.kind == kind);
        (vec![("kind", kind.word())], f64::from(u8::from(is_on)))
    });
    gauges(
        encoder,
        "alert",
        "Whether something is unusual, by what: see /alerts.",
        on,
    )?;
    gauges(
        encoder,
        "alert_hours_learned",
        "Hours of the week, of 168, about which alerts can say something.",
        [(Vec::new(), view.hours_learned as f64)],
    )?;
    counters(
        encoder,
        "alert_webhook_failed",
        "Beginnings and ends of alerts that the webhook did not take.",
        view.webhook_failed.map(|failed| (Vec::new(), failed)),
    )
}

fn store(encoder: &mut DescriptorEncoder, health: &StoreHealth, now: Time) -> fmt::Result {
    let is_full = health.intake == Intake::Full;
    let is_doubted = matches!(health.clock, Clock::Leapt { .. });
    let levels = [
        (
            "outbox_free_bytes",
            "Free space beside the store.",
            health.free_bytes.map(|free| free as f64),
        ),
        (
            "outbox_full",
            "Whether the store takes nothing in, for lack of space.",
            Some(f64::from(u8::from(is_full))),
        ),
        (
            "outbox_clock_doubted",
            "Whether purging rests because the clock leapt: see trilobite outbox purge --accept-clock.",
            Some(f64::from(u8::from(is_doubted))),
        ),
        (
            "outbox_horizon_age_seconds",
            "For how long one and the same transaction has held younger messages back.",
            Some(health.horizon_age.as_secs_f64()),
        ),
        (
            "outbox_days_ahead_of_clock",
            "Days with messages that are later than the clock: it was ahead when they were published.",
            Some(health.days_ahead_of_clock as f64),
        ),
        (
            "outbox_last_purge_age_seconds",
            "Seconds since a purge last ended well; missing before the first time.",
            health.last_purge.map(|at| now.since(at).as_secs_f64()),
        ),
        (
            "outbox_waiting",
            "Transactions that wait for the store.",
            Some(health.jobs_waiting as f64),
        ),
        (
            "outbox_last_commit_seconds",
            "How long the last commit took.",
            Some(health.last_commit.as_secs_f64()),
        ),
    ];
    for (name, help, value) in levels {
        gauges(encoder, name, help, value.map(|value| (Vec::new(), value)))?;
    }
    let kept = [
        ("clock", health.days_kept_for_clock),
        ("younger", health.days_kept_for_younger),
        ("in_use", health.days_kept_in_use),
    ];
    gauges(
        encoder,
        "outbox_days_kept",
        "Days past their age that the last purge kept: the clock is not believed, younger messages were committed before theirs, or somebody used their tables.",
        kept.map(|(reason, days)| (vec![("reason", reason)], days as f64)),
    )?;
    let so_far = [
        ("outbox_commits", "Commits of the store.", health.commits),
        (
            "outbox_transactions",
            "Transactions committed to the store.",
            health.jobs_committed,
        ),
        (
            "outbox_transactions_failed",
            "Transactions that the store did not commit.",
            health.commits_failed,
        ),
        (
            "outbox_transactions_refused",
            "Transactions refused for lack of space.",
            health.commits_full,
        ),
        ("outbox_days_purged", "Days purged.", health.days_purged),
        (
            "outbox_purges_failed",
            "Purges that failed.",
            health.purges_failed,
        ),
    ];
    for (name, help, count) in so_far {
        counters(encoder, name, help, [(Vec::new(), count)])?;
    }
    Ok(())
}
