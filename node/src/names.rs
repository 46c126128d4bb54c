//! Clients named by consent: from the id on the wire to the name that readers see, and back.

use dashmap::DashMap;
use wire::{ClientId, ClientName};

/// Most named clients; further names are not taken and those clients show their id. A name comes
/// from an agent, so their number must not be the agent's choice.
pub const NAMES_MAX: usize = 65_536;

/// The names in force, shared by all readers.
#[derive(Debug, Default)]
pub struct Names {
    name_by_id: DashMap<ClientId, ClientName>,
    id_by_name: DashMap<ClientName, ClientId>,
}

impl Names {
    /// Takes a name, or replaces it; false when there are [`NAMES_MAX`] already.
    pub fn insert(&self, client: ClientId, name: ClientName) -> bool {
        if self.name_by_id.len() >= NAMES_MAX && !self.name_by_id.contains_key(&client) {
            return false;
        }
        let replaced = self.name_by_id.insert(client, name.clone());
        if let Some(old) = replaced.filter(|old| *old != name) {
            // Another client may have taken the old name over.
            self.id_by_name.remove_if(&old, |_, id| *id == client);
        }
        self.id_by_name.insert(name, client);
        true
    }

    /// The name of a client, if it has one.
    pub fn name(&self, client: ClientId) -> Option<ClientName> {
        self.name_by_id.get(&client).map(|name| name.clone())
    }

    /// Whether a client has a name.
    pub fn is_named(&self, client: ClientId) -> bool {
        self.name_by_id.contains_key(&client)
    }

    /// The name of a client, or its sixteen digits.
    pub fn show(&self, client: ClientId) -> String {
        match self.name_by_id.get(&client) {
            Some(name) => name.to_string(),
            None => client.to_string(),
        }
    }

    /// The client that a path or query means: a name in force, or sixteen digits.
    pub fn find(&self, text: &str) -> Option<ClientId> {
        let named = ClientName::new(text)
            .ok()
            .and_then(|name| self.id_by_name.get(&name).map(|id| *id));
        named.or_else(|| text.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_digits_both_find_a_client() {
        let names = Names::default();
        let badge = ClientName::new("badge-7").unwrap();
        assert!(names.insert(ClientId(7), badge));
        assert_eq!(names.show(ClientId(7)), "badge-7");
        assert_eq!(names.show(ClientId(8)), "0000000000000008");
        assert_eq!(names.find("badge-7"), Some(ClientId(7)));
        assert_eq!(names.find("0000000000000007"), Some(ClientId(7)));
        assert_eq!(names.find("badge-8"), None);
    }

    #[test]
    fn a_new_name_replaces_the_old_one() {
        let names = Names::default();
        names.insert(ClientId(7), ClientName::new("old").unwrap());
        names.insert(ClientId(7), ClientName::new("new").unwrap());
        assert_eq!(names.find("old"), None);
        assert_eq!(names.find("new"), Some(ClientId(7)));
    }
}
