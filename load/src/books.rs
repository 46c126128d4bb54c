//! Waits until a node's books are closed.

use std::time::Instant;

use crate::api::ledger::LedgerBody;
use crate::interrupt::Interrupt;
use crate::limits::{LOOK_INTERVAL, SETTLE_MAX};
use crate::target::Target;

/// The ledger at rest: all of the `offered` observations have been booked on both ends since `before`.
///
/// When they do not close in time, the ledger as it stands: its residual tells.
///
/// # Errors
/// When the node ends or does not answer, or somebody interrupts.
pub(crate) fn wait_closed(
    target: &mut Target,
    before: &LedgerBody,
    offered: u64,
    interrupt: &Interrupt,
) -> anyhow::Result<LedgerBody> {
    let until = Instant::now() + SETTLE_MAX;
    let mut last = None;
    loop {
        interrupt.check()?;
        target.check()?;
        let ledger = target.api().ledger()?;
        let observations = ledger.total.observations() - before.total.observations();
        let datagrams = ledger.total.datagrams() - before.total.datagrams();
        let at_rest = observations.offered >= offered
            && observations.residual == 0
            && datagrams.residual == 0
            && ledger.connected() <= before.connected()
            && last == Some((observations, datagrams, ledger.fixes()));
        if at_rest || Instant::now() >= until {
            return Ok(ledger);
        }
        last = Some((observations, datagrams, ledger.fixes()));
        // Workers tell their state four times a second.
        std::thread::sleep(6 * LOOK_INTERVAL);
    }
}
