//! Any bytes of the bus are messages, or refused; any attributes end, and nest only so deep.

#![no_main]

use agent::limits::UBUS_DEPTH_MAX;
use agent::ubus::fields::{Fields, Value};
use agent::ubus::hostapd::Notification;
use agent::ubus::message::MessageReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (step, stream) = input;
    assert!(walk(Fields::new(stream)) <= UBUS_DEPTH_MAX);
    let _ = Notification::parse("probe", stream);
    let mut reader = MessageReader::new();
    for piece in stream.chunks(usize::from(step) + 1) {
        let space = reader.space();
        assert!(space.len() >= piece.len());
        space[..piece.len()].copy_from_slice(piece);
        reader.filled(piece.len());
        loop {
            let message = match reader.next_message() {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(_) => return,
            };
            if let Ok(body) = message.body()
                && let (Some(method), Some(data)) = (body.method, body.data)
            {
                let _ = Notification::parse(method, data);
                walk(Fields::new(data));
            }
        }
    }
});

/// How deep the fields go.
fn walk(fields: Fields<'_>) -> u8 {
    let depth = |field: agent::ubus::fields::Field<'_>| match field.value {
        Value::Array(inside) | Value::Table(inside) => 1 + walk(inside),
        _ => 0,
    };
    fields.flatten().map(depth).max().unwrap_or(0)
}
