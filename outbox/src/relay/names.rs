//! Subjects, topics and routing keys: prefix, type and resource, with what each broker reads as
//! something else escaped.
//!
//! `zone.entered` of `/api/v1/sites/hq/zones/lobby` is
//!
//! | broker | name |
//! |---|---|
//! | NATS, AMQP | `trilobite.zone.entered.api.v1.sites.hq.zones.lobby` |
//! | MQTT | `trilobite/zone.entered/api/v1/sites/hq/zones/lobby` |
//!
//! Of a resource's segments letters, digits, `_` and `-` stay; every other byte becomes `%` and two
//! hex digits, so two resources never share a name.

use std::fmt::Write as _;

use super::limits::ROUTING_KEY_BYTES_MAX;
use crate::Message;

/// Words joined by dots, for NATS.
pub(super) fn dotted(prefix: &str, message: &Message) -> String {
    let mut name = format!("{prefix}.{}", message.kind);
    add_segments(&mut name, '.', message);
    name
}

/// Levels joined by slashes, for MQTT: the type is one level, so that `trilobite/+/api/v1/sites/hq/#`
/// chooses a site.
pub(super) fn slashed(prefix: &str, message: &Message) -> String {
    let mut name = format!("{}/{}", prefix.replace('.', "/"), message.kind);
    add_segments(&mut name, '/', message);
    name
}

/// As [`dotted`], but within AMQP's 255 bytes: a longer name is cut at a word and ends in a word of a
/// hash of the whole, which starts with `%%` as no segment does.
pub(super) fn routing_key(prefix: &str, message: &Message) -> String {
    let mut name = dotted(prefix, message);
    if name.len() <= ROUTING_KEY_BYTES_MAX {
        return name;
    }
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let tail = format!(".%%{}", &hash.as_str()[..16]);
    // All of it is ASCII, so every place is between letters.
    name.truncate(ROUTING_KEY_BYTES_MAX - tail.len());
    if let Some(word_end) = name.rfind('.') {
        name.truncate(word_end);
    }
    name + &tail
}

fn add_segments(name: &mut String, separator: char, message: &Message) {
    for segment in message.resource.as_str().split('/').skip(1) {
        name.push(separator);
        for byte in segment.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
                name.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(name, "%{byte:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Time;

    fn message(resource: &str) -> Message {
        Message::at(
            Time::from_micros(1_766_059_200_000_000),
            "zone.entered".parse().unwrap(),
            resource.parse().unwrap(),
        )
    }

    #[test]
    fn a_site_can_be_chosen_by_wildcards() {
        let message = message("/api/v1/sites/hq/zones/lobby");
        assert_eq!(
            dotted("trilobite", &message),
            "trilobite.zone.entered.api.v1.sites.hq.zones.lobby"
        );
        assert_eq!(
            slashed("trilobite.a", &message),
            "trilobite/a/zone.entered/api/v1/sites/hq/zones/lobby"
        );
        assert_eq!(routing_key("t", &message), dotted("t", &message));
    }

    #[test]
    fn what_brokers_read_as_something_else_is_escaped() {
        let hostile = message("/a.b/*/>/+/$SYS/%2e/é/$");
        let expected = [
            "a%2eb", "%2a", "%3e", "%2b", "%24SYS", "%252e", "%c3%a9", "%24",
        ];
        assert_eq!(
            dotted("t", &hostile),
            format!("t.zone.entered.{}", expected.join("."))
        );
        assert_eq!(
            slashed("t", &hostile),
            format!("t/zone.entered/{}", expected.join("/"))
        );
    }

    #[test]
    fn a_long_routing_key_is_cut_and_stays_its_own() {
        let long = |last: &str| format!("/{}/{last}", "ö.".repeat(150));
        let (a, b) = (
            routing_key("t", &message(&long("a"))),
            routing_key("t", &message(&long("b"))),
        );
        assert!(
            a.len() <= ROUTING_KEY_BYTES_MAX && a.starts_with("t.zone.entered.%%"),
            "{a}"
        );
        assert_ne!(a, b);
    }
}
