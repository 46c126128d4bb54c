//! Of whom the node must hear that they opted out.

use std::collections::HashMap;

use wire::ClientId;
use wire::frame::PseudonymKey;

use crate::address::Address;
use crate::pseudonym::Pseudonymiser;

/// Clients that opted out and may have been told under the running key.
///
/// Nobody who was on the list when a key came has ever been told under it, but for the first key of
/// a process, which may be older than the process.
#[derive(Debug, Default)]
pub(super) struct OptOuts {
    key: Option<PseudonymKey>,
    /// In ascending order.
    clients: Vec<ClientId>,
}

impl OptOuts {
    /// A key is in force; tells whether it is another one than before.
    pub(super) fn handle_key(&mut self, key: &PseudonymKey) -> bool {
        if self.key.as_ref() == Some(key) {
            return false;
        }
        self.key = Some(key.clone());
        self.clients.clear();
        true
    }

    /// These devices opted out under the running key, or nobody knows when.
    pub(super) fn add<'a>(
        &mut self,
        devices: impl Iterator<Item = &'a Address>,
        named: &HashMap<Address, ClientId>,
        pseudonymiser: &mut Pseudonymiser,
    ) {
        self.clients
            .extend(devices.map(|device| match named.get(device) {
                Some(client) => *client,
                None => pseudonymiser.client_id(device),
            }));
        self.clients.sort_unstable();
        self.clients.dedup();
    }

    pub(super) fn clients(&self) -> &[ClientId] {
        &self.clients
    }
}
