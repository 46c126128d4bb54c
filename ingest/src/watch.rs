//! Questions that wait for fixes: the evidence of a fix is kept for those who asked for it.
//!
//! A line holds the last value of each radio, which the next observation overwrites, so that the
//! evidence of a fix is whole only in the moment when the fix is made. Nothing is kept while nobody
//! asks.

use wire::ClientId;

use crate::limits::{SAMPLE_LEN_MAX, WATCHES_MAX};
use crate::line::Line;
use crate::question::{Answer, AskError, ClientWindow};

/// Those who wait for fixes of one site.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    clients: Vec<Client>,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Client {
    key: u64,
    until_us: u64,
    answer: Answer<ClientWindow>,
}

#[derive(Debug)]
struct Sample {
    len: usize,
    until_us: u64,
    windows: Vec<ClientWindow>,
    answer: Answer<Vec<ClientWindow>>,
}

impl Watches {
    /// Waits for a client's next fix; with too many waiting the asker is told so.
    pub(crate) fn wait_for(&mut self, client: ClientId, until_us: u64, to: Answer<ClientWindow>) {
        if self.clients.len() < WATCHES_MAX {
            self.clients.push(Client {
                key: Line::key_of(client),
                until_us,
                answer: to,
            });
        } else {
            let _ = to.try_send(Err(AskError::Busy));
        }
    }

    /// Collects the windows of the next `len` fixes; with too many collecting the asker is told so.
    pub(crate) fn collect(&mut self, len: usize, until_us: u64, to: Answer<Vec<ClientWindow>>) {
        let len = len.min(SAMPLE_LEN_MAX);
        if len == 0 {
            let _ = to.try_send(Ok(Vec::new()));
        } else if self.samples.len() >= WATCHES_MAX {
            let _ = to.try_send(Err(AskError::Busy));
        } else {
            self.samples.push(Sample {
                len,
                until_us,
                windows: Vec::with_capacity(len),
                answer: to,
            });
        }
    }

    /// Whether anybody waits for this client's fix.
    #[inline]
    pub(crate) fn want(&self, key: u64) -> bool {
        !self.samples.is_empty() || self.clients.iter().any(|client| client.key == key)
    }

    /// Hands the window of a fix to those who wait for it.
    pub(crate) fn give(&mut self, window: &ClientWindow) {
        let key = Line::key_of(window.client);
        // Whoever asked may have given up: an answer that nobody takes is no error.
        for client in self.clients.extract_if(.., |client| client.key == key) {
            let _ = client.answer.try_send(Ok(window.clone()));
        }
        for sample in &mut self.samples {
            sample.windows.push(window.clone());
        }
        for full in self
            .samples
            .extract_if(.., |sample| sample.windows.len() >= sample.len)
        {
            let _ = full.answer.try_send(Ok(full.windows));
        }
    }

    /// Ends the waiting that has lasted long enough: samples go as they are; the clients are
    /// returned, to be answered with what is held of them.
    pub(crate) fn overdue(&mut self, now_us: u64) -> Vec<(ClientId, Answer<ClientWindow>)> {
        for sample in self
            .samples
            .extract_if(.., |sample| sample.until_us <= now_us)
        {
            let _ = sample.answer.try_send(Ok(sample.windows));
        }
        self.clients
            .extract_if(.., |client| client.until_us <= now_us)
            .map(|client| (ClientId(client.key), client.answer))
            .collect()
    }

    /// Whether nobody waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.samples.is_empty()
    }
}
