//! A message: four fields and never a fifth.

mod id;
mod kind;
mod resource;

pub use id::{IdError, IdMaker, MessageId};
pub use kind::{Kind, KindError, KindPattern};
pub use resource::{Resource, ResourceError};

use serde::{Deserialize, Serialize};

use crate::Time;

/// Says that the state of a resource changed, and carries no state.
///
/// As JSON: `{"id": "..", "time": "..", "type": "zone.entered", "resource": "/api/v1/.."}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Unique id (UUIDv7): whoever sees it twice has seen the same message twice.
    pub id: MessageId,
    /// When the state changed, by the clock of the process that changed it.
    pub time: Time,
    /// What happened, such as `zone.entered`.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Path of the resource whose state changed, such as `/api/v1/sites/hq/zones/lobby`.
    pub resource: Resource,
}

impl Message {
    /// A message about a change that happens now.
    pub fn new(kind: Kind, resource: Resource) -> Self {
        let time = Time::now();
        Self {
            id: MessageId::new(time),
            time,
            kind,
            resource,
        }
    }

    /// A message about a change at `time`, with an id of that time.
    ///
    /// Ids made this way are unique; within one millisecond they have no order.
    pub fn at(time: Time, kind: Kind, resource: Resource) -> Self {
        Self {
            id: MessageId::at(time),
            time,
            kind,
            resource,
        }
    }
}

macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_text!(MessageId);
serde_as_text!(Time);
serde_as_text!(Kind);
serde_as_text!(Resource);
serde_as_text!(crate::Cursor);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn message() -> Message {
        Message::new(
            "zone.entered".parse().unwrap(),
            "/api/v1/sites/hq/zones/lobby".parse().unwrap(),
        )
    }

    /// State belongs to the resource. A fifth field would be read without asking whether it is
    /// allowed, and be stale when it is read.
    #[test]
    fn the_serialised_form_has_four_fields_and_never_a_fifth() {
        let json = serde_json::to_value(message()).unwrap();
        let fields: BTreeSet<&str> = json
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(fields, BTreeSet::from(["id", "resource", "time", "type"]));
        assert!(
            json.as_object()
                .unwrap()
                .values()
                .all(serde_json::Value::is_string)
        );
    }

    #[test]
    fn json_round_trips_and_a_fifth_field_is_refused() {
        let message = message();
        let mut json = serde_json::to_value(&message).unwrap();
        assert_eq!(
            serde_json::from_value::<Message>(json.clone()).unwrap(),
            message
        );
        json["payload"] = "state".into();
        let error = serde_json::from_value::<Message>(json).unwrap_err();
        assert!(error.to_string().contains("payload"), "{error}");
    }
}
