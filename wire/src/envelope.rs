//! A length in four big-endian bytes and a MessagePack map: control frames and recording entries.

use rmp_serde::Deserializer;
use rmp_serde::decode::Error;
use serde::{Deserialize, Serialize};

use crate::limits::NESTING_MAX;

/// Bytes of the length before each map.
pub(crate) const LENGTH_BYTES: usize = size_of::<u32>();

/// Longest complaint in characters: it quotes the sender, who must not fill our log.
const COMPLAINT_CHARS_MAX: usize = 160;

/// Appends length and map. Where the map has more than `bytes_max` bytes, `out` stays as it was and
/// the map's length is the error.
pub(crate) fn append(
    out: &mut Vec<u8>,
    value: &impl Serialize,
    bytes_max: usize,
) -> Result<(), usize> {
    let start = out.len();
    out.extend([0; LENGTH_BYTES]);
    rmp_serde::encode::write_named(out, value)
        .expect("our types state their lengths, and a Vec takes every byte");
    let length = out.len() - start - LENGTH_BYTES;
    match u32::try_from(length) {
        Ok(prefix) if length <= bytes_max => {
            out[start..start + LENGTH_BYTES].copy_from_slice(&prefix.to_be_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(length)
        }
    }
}

/// What the map's key `type` says.
pub(crate) fn type_of(bytes: &[u8]) -> Result<&str, String> {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(rename = "type")]
        is: &'a str,
    }
    parse(bytes).map(|typed: Typed<'_>| typed.is)
}

/// Reads a map that fills `bytes`; the error says what is wrong in one short printable line.
pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    // serde would also take an array for a tagged enum; the format has maps only.
    if !matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf)) {
        return Err("not a MessagePack map".to_owned());
    }
    let mut deserializer = Deserializer::from_read_ref(bytes);
    // The deserialiser refuses at its limit, we refuse above ours.
    deserializer.set_max_depth(NESTING_MAX + 1);
    let value = T::deserialize(&mut deserializer).map_err(|error| complaint(&error))?;
    // A bool is one type code, so only where no byte is left can its type code not be read.
    match bool::deserialize(&mut deserializer) {
        Err(Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err("bytes follow the map".to_owned()),
    }
}

fn complaint(error: &Error) -> String {
    let text = match error {
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => "the map is cut short".into(),
        error => error.to_string(),
    };
    text.chars()
        .flat_map(char::escape_default)
        .take(COMPLAINT_CHARS_MAX)
        .collect()
}
