//! Client ids as one MessagePack `bin`: eight little-endian bytes each.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;

use crate::id::ClientId;
use crate::limits::DEFINE_CLIENTS_MAX;

pub(crate) fn serialize<S: Serializer>(clients: &[ClientId], to: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = clients
        .iter()
        .flat_map(|client| client.0.to_le_bytes())
        .collect();
    to.serialize_bytes(&bytes)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ClientId>, D::Error> {
    from.deserialize_bytes(ClientsVisitor)
}

struct ClientsVisitor;

impl Visitor<'_> for ClientsVisitor {
    type Value = Vec<ClientId>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "8 bytes for each of at most {DEFINE_CLIENTS_MAX} clients"
        )
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        match bytes.as_chunks() {
            (clients, []) if clients.len() <= DEFINE_CLIENTS_MAX => Ok(clients
                .iter()
                .map(|client| ClientId(u64::from_le_bytes(*client)))
                .collect()),
            _ => Err(E::invalid_length(bytes.len(), &self)),
        }
    }
}
