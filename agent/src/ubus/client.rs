//! A client of the bus without its socket: bytes in, bytes out, notifications of hostapd.

use super::conversation::{Conversation, Handled};
use super::hostapd::Notification;
use super::message::{FramingLost, MessageReader};
use crate::limits::{UBUS_LOOKUP_INTERVAL, UBUS_MALFORMED_MAX, UBUS_QUIET_MAX};

/// Why the connection must be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(transparent)]
    Framing(#[from] FramingLost),
    #[error("{UBUS_MALFORMED_MAX} messages of ubusd in a row made no sense")]
    Malformed,
    #[error("ubusd owes an answer and is silent")]
    Silent,
    #[error("ubusd lets no object on the bus (status {0}); run the agent as root")]
    Refused(u32),
    #[error("hostapd told nothing for {} minutes", UBUS_QUIET_MAX.as_secs() / 60)]
    Quiet,
}

/// A client of the bus.
#[derive(Debug)]
pub(crate) struct UbusClient {
    reader: MessageReader,
    conversation: Conversation,
    told_us: u64,
    malformed: u64,
    malformed_in_a_row: u32,
}

impl UbusClient {
    /// A client that listens to these interfaces of hostapd, to all if there are none.
    pub(crate) fn new(interfaces: Vec<String>) -> Self {
        Self {
            reader: MessageReader::new(),
            conversation: Conversation::new(interfaces),
            told_us: 0,
            malformed: 0,
            malformed_in_a_row: 0,
        }
    }

    /// A connection stands; everything begins anew but the counters.
    pub(crate) fn handle_connected(&mut self, now_us: u64) {
        self.reader.reset();
        self.conversation.handle_connected(now_us);
        self.malformed_in_a_row = 0;
        self.told_us = now_us;
    }

    /// Where the next bytes from the daemon go.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.reader.space()
    }

    pub(crate) fn handle_received(&mut self, bytes: usize, now_us: u64) {
        self.reader.filled(bytes);
        self.conversation.handle_received(now_us);
    }

    /// More has come than was read: an answer now would be late.
    pub(crate) fn handle_behind(&mut self, behind: bool) {
        self.conversation.handle_behind(behind);
    }

    /// Takes messages until one tells of a frame.
    pub(crate) fn poll_notification(
        &mut self,
        now_us: u64,
    ) -> Result<Option<Notification>, ClientError> {
        while let Some(message) = self.reader.next_message()? {
            match self.conversation.handle_message(&message, now_us) {
                Ok(Handled::Told(notification)) => {
                    self.malformed_in_a_row = 0;
                    self.told_us = now_us;
                    return Ok(Some(notification));
                }
                Ok(Handled::Nothing) => self.malformed_in_a_row = 0,
                Ok(Handled::Refused(status)) => return Err(ClientError::Refused(status)),
                Err(_) => {
                    self.conversation.handle_malformed();
                    self.malformed += 1;
                    self.malformed_in_a_row += 1;
                    if self.malformed_in_a_row >= UBUS_MALFORMED_MAX {
                        return Err(ClientError::Malformed);
                    }
                }
            }
        }
        Ok(None)
    }

    /// What is to be sent; then say [`UbusClient::handle_sent`].
    pub(crate) fn poll_transmit(&self) -> &[u8] {
        self.conversation.poll_transmit()
    }

    pub(crate) fn handle_sent(&mut self, bytes: usize) {
        self.conversation.handle_sent(bytes);
    }

    /// When to call [`UbusClient::handle_timeout`].
    pub(crate) fn poll_timeout(&self) -> u64 {
        match self.conversation.silent_us() {
            Some(silent_us) => silent_us,
            None => self.look_us().min(self.quiet_us()),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now_us: u64) -> Result<(), ClientError> {
        if let Some(silent_us) = self.conversation.silent_us() {
            return match now_us >= silent_us {
                true => Err(ClientError::Silent),
                false => Ok(()),
            };
        }
        if self.conversation.subscriptions() == 0 {
            self.told_us = now_us;
        }
        if now_us >= self.quiet_us() {
            return Err(ClientError::Quiet);
        }
        if now_us >= self.look_us() {
            self.conversation.look_up(now_us);
        }
        Ok(())
    }

    /// Messages that made no sense or were too long to be kept.
    pub(crate) fn malformed(&self) -> u64 {
        self.malformed + self.reader.skipped()
    }

    /// Objects of hostapd that notify this client; `None` before the first look at the bus.
    pub(crate) fn subscriptions(&self) -> Option<usize> {
        let looked = self.conversation.looked_us().is_some();
        looked.then(|| self.conversation.subscriptions())
    }

    /// When to look for objects that no event told of, and whether the daemon is alive.
    fn look_us(&self) -> u64 {
        let looked_us = self.conversation.looked_us().unwrap_or(0);
        looked_us + UBUS_LOOKUP_INTERVAL.as_micros() as u64
    }

    /// When hostapd counts as stuck.
    fn quiet_us(&self) -> u64 {
        self.told_us + UBUS_QUIET_MAX.as_micros() as u64
    }
}
