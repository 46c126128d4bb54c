//! The search for addresses.

use crate::testing::forms_of;

/// Digits below which a number may be there for any reason.
const DIGITS_MIN: usize = 10;

/// Octets that are not zero below which bytes may be there for any reason: test gear has addresses
/// such as 02:00:00:00:00:00, which is the number 2 as well.
const OCTETS_MIN: usize = 4;

/// The addresses to look for.
pub(crate) struct Searched {
    forms: Vec<String>,
    bytes: Vec<[u8; 6]>,
}

impl Searched {
    pub(crate) fn new(addresses: &[[u8; 6]]) -> Self {
        let forms = addresses
            .iter()
            .filter(|a| is_telling(a))
            .flat_map(forms_of);
        let plain = addresses.iter().filter(|a| !is_telling(a)).map(written);
        let reversed = |mut address: [u8; 6]| {
            address.reverse();
            address
        };
        let telling = addresses.iter().copied().filter(is_telling);
        Self {
            forms: forms
                .filter(|form| form.len() >= DIGITS_MIN)
                .chain(plain)
                .collect(),
            bytes: telling.flat_map(|a| [a, reversed(a)]).collect(),
        }
    }

    /// Whether any address is in the text, in any form.
    pub(crate) fn found_in_text(&self, text: &[u8]) -> bool {
        let text = String::from_utf8_lossy(text).to_lowercase();
        self.forms.iter().any(|form| text.contains(form))
    }

    /// None is in the text; a failure does not show which.
    pub(crate) fn text(&self, what: &str, text: &[u8]) {
        assert!(!self.found_in_text(text), "an address is in {what}");
    }

    /// None is in the bytes, either way round.
    pub(crate) fn bytes(&self, what: &str, bytes: &[u8]) {
        let found = bytes
            .windows(6)
            .any(|six| self.bytes.iter().any(|a| a == six));
        assert!(!found, "the bytes of an address are in {what}");
    }
}

fn is_telling(address: &[u8; 6]) -> bool {
    address.iter().filter(|octet| **octet != 0).count() >= OCTETS_MIN
}

/// As everyone writes it.
fn written(address: &[u8; 6]) -> String {
    address.map(|octet| format!("{octet:02x}")).join(":")
}
