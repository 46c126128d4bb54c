//! Alerts as strangers read them: at `/alerts` and at the webhook.

use outbox::alerts::{Alert, Notice};
use serde::Serialize;

use super::board::Board;

/// Hours of a week.
const HOURS: usize = 168;

/// `/alerts`.
#[derive(Debug, Serialize)]
pub struct AlertsBody {
    /// When counts were last looked at.
    pub time: Option<String>,
    /// What is unusual now.
    pub active: Vec<AlertBody>,
    /// What began and ended since the start, the newest first.
    pub recent: Vec<NoticeBody>,
    /// Hours of the week about which something can be said.
    pub hours_learned: usize,
    /// Of so many.
    pub hours: usize,
}

/// An alert.
#[derive(Debug, Serialize)]
pub struct AlertBody {
    /// `messages_increase`, `polls_increase`, `messages_silence` or `polls_silence`.
    pub kind: &'static str,
    /// Whose polls; null for messages, and for all consumers together.
    pub consumer: Option<String>,
    /// Since when.
    pub since: String,
    /// Of an increase the hour's count when it began, of a silence its hours then.
    pub count: u64,
    /// What an hour like that usually counts.
    pub usual: f64,
    /// What the count was not to pass; 0 for a silence.
    pub limit: f64,
}

/// The beginning or the end of an alert: what the webhook gets.
#[derive(Debug, Serialize)]
pub struct NoticeBody {
    /// `began` or `ended`.
    pub state: &'static str,
    /// When it ended.
    pub ended: Option<String>,
    /// The alert.
    #[serde(flatten)]
    pub alert: AlertBody,
}

impl AlertsBody {
    /// What the board shows.
    pub fn new(board: &Board) -> Self {
        let view = board.view();
        let view = view.as_ref();
        Self {
            time: view.map(|view| view.at.to_string()),
            active: view.map_or_else(Vec::new, |view| {
                view.active.iter().map(AlertBody::new).collect()
            }),
            recent: board.notes().iter().map(NoticeBody::new).collect(),
            hours_learned: view.map_or(0, |view| view.hours_learned),
            hours: HOURS,
        }
    }
}

impl AlertBody {
    fn new(alert: &Alert) -> Self {
        Self {
            kind: alert.kind.word(),
            consumer: alert.consumer.clone(),
            since: alert.since.to_string(),
            count: alert.count,
            usual: tenths(alert.usual),
            limit: tenths(alert.limit),
        }
    }
}

impl NoticeBody {
    /// A notice for the webhook.
    pub fn new(notice: &Notice) -> Self {
        Self {
            state: match notice.ended {
                None => "began",
                Some(_) => "ended",
            },
            ended: notice.ended.map(|time| time.to_string()),
            alert: AlertBody::new(&notice.alert),
        }
    }
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
