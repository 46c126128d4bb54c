//! The start of a scan: one command after the other, each when the one before is done.

use super::command::{COMMAND_BYTES_MAX, Command, ScanTiming};
use crate::limits::{BLE_ANSWER_MAX, BLE_QUIET_MAX};

/// The adapter does not know the command.
const UNKNOWN_COMMAND: u8 = 0x01;

/// Why the adapter must be opened anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScannerError {
    #[error("the adapter refuses command {opcode:#06x} (status {status:#04x})")]
    Refused { opcode: u16, status: u8 },
    #[error("the adapter does not answer")]
    Silent,
    #[error("the adapter heard nothing for {} minutes", BLE_QUIET_MAX.as_secs() / 60)]
    Quiet,
    #[error("the adapter reports a failure of its own")]
    Hardware,
}

/// How far the start has come.
#[derive(Debug)]
pub(crate) struct Scanner {
    timing: ScanTiming,
    /// The command that is not answered yet; `None` while the adapter scans.
    waiting_for: Option<Command>,
    packet: Vec<u8>,
    since_us: u64,
}

impl Scanner {
    pub(crate) fn new(timing: ScanTiming) -> Self {
        Self {
            timing,
            waiting_for: None,
            packet: Vec::with_capacity(COMMAND_BYTES_MAX),
            since_us: 0,
        }
    }

    /// The adapter is open.
    pub(crate) fn handle_opened(&mut self, now_us: u64) {
        self.send(Command::Reset, now_us);
    }

    /// A command was answered.
    pub(crate) fn handle_answer(
        &mut self,
        opcode: u16,
        status: u8,
        now_us: u64,
    ) -> Result<(), ScannerError> {
        let Some(command) = self.waiting_for.filter(|c| c.opcode() == opcode) else {
            return Ok(());
        };
        let next = match (command, status) {
            (Command::Reset, 0) => Command::SetEventMask,
            (Command::SetEventMask, 0) => Command::LeSetEventMask,
            (Command::LeSetEventMask, 0) => Command::SetExtendedScanParameters(self.timing),
            (Command::SetExtendedScanParameters(_), 0) => Command::EnableExtendedScan,
            // An adapter before Bluetooth 5. The two kinds must not be mixed, and are not.
            (Command::SetExtendedScanParameters(_), UNKNOWN_COMMAND) => {
                Command::SetScanParameters(self.timing)
            }
            (Command::SetScanParameters(_), 0) => Command::EnableScan,
            (Command::EnableScan | Command::EnableExtendedScan, 0) => {
                self.waiting_for = None;
                self.since_us = now_us;
                return Ok(());
            }
            _ => return Err(ScannerError::Refused { opcode, status }),
        };
        self.send(next, now_us);
        Ok(())
    }

    /// Something was heard.
    pub(crate) fn handle_report(&mut self, now_us: u64) {
        if self.waiting_for.is_none() {
            self.since_us = now_us;
        }
    }

    pub(crate) fn handle_timeout(&mut self, now_us: u64) -> Result<(), ScannerError> {
        match (now_us >= self.poll_timeout(), self.waiting_for) {
            (false, _) => Ok(()),
            (true, Some(_)) => Err(ScannerError::Silent),
            (true, None) => Err(ScannerError::Quiet),
        }
    }

    /// When to call [`Scanner::handle_timeout`].
    pub(crate) fn poll_timeout(&self) -> u64 {
        let max = match self.waiting_for {
            Some(_) => BLE_ANSWER_MAX,
            None => BLE_QUIET_MAX,
        };
        self.since_us + max.as_micros() as u64
    }

    /// The packet to be sent, whole; then say [`Scanner::handle_sent`].
    pub(crate) fn poll_transmit(&self) -> Option<&[u8]> {
        (!self.packet.is_empty()).then_some(&self.packet)
    }

    pub(crate) fn handle_sent(&mut self) {
        self.packet.clear();
    }

    /// The start is over.
    pub(crate) fn scans(&self) -> bool {
        self.waiting_for.is_none()
    }

    fn send(&mut self, command: Command, now_us: u64) {
        command.encode(&mut self.packet);
        self.waiting_for = Some(command);
        self.since_us = now_us;
    }
}
