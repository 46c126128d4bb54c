//! Writers of radiotap headers and 802.11 frames, and the forms of an address.

/// One radiotap presence word and its fields, written with the alignment that they need.
#[derive(Default)]
pub(crate) struct RadiotapWriter {
    words: Vec<u32>,
    fields: Vec<(usize, Vec<u8>)>,
}

impl RadiotapWriter {
    /// Adds a presence word; its fields follow with [`RadiotapWriter::field`], in order.
    pub(crate) fn word(mut self, word: u32) -> Self {
        self.words.push(word);
        self
    }

    pub(crate) fn field(mut self, align: usize, bytes: &[u8]) -> Self {
        self.fields.push((align, bytes.to_vec()));
        self
    }

    /// The header, followed by `frame`.
    pub(crate) fn frame(self, frame: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        for (index, word) in self.words.iter().enumerate() {
            let another = if index + 1 < self.words.len() {
                1 << 31
            } else {
                0
            };
            bytes.extend((word | another).to_le_bytes());
        }
        for (align, field) in self.fields {
            bytes.resize(bytes.len().next_multiple_of(align), 0);
            bytes.extend(field);
        }
        let len = (bytes.len() as u16).to_le_bytes();
        bytes[2..4].copy_from_slice(&len);
        bytes.extend(frame);
        bytes
    }
}

/// An 802.11 frame with three addresses.
pub(crate) fn dot11(first: u8, flags: u8, addresses: [[u8; 6]; 3]) -> Vec<u8> {
    let mut frame = vec![first, flags, 0, 0];
    frame.extend(addresses.as_flattened());
    frame.extend([0, 0]);
    frame
}

/// Every way in which someone might write the address, in lower case.
pub(crate) fn forms_of(octets: &[u8; 6]) -> Vec<String> {
    let hex: Vec<_> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let decimal: Vec<_> = octets.iter().map(u8::to_string).collect();
    let reversed: Vec<_> = hex.iter().rev().cloned().collect();
    let number = octets
        .iter()
        .fold(0u64, |number, &octet| number << 8 | u64::from(octet));
    vec![
        hex.join(":"),
        hex.join("-"),
        hex.join("."),
        hex.join(" "),
        hex.join(""),
        hex.concat()
            .as_bytes()
            .chunks(4)
            .map(String::from_utf8_lossy)
            .collect::<Vec<_>>()
            .join("."),
        reversed.join(":"),
        reversed.join("-"),
        reversed.join("."),
        reversed.join(""),
        decimal.join(", "),
        decimal.join(","),
        number.to_string(),
        number.swap_bytes().to_string(),
        (number.swap_bytes() >> 16).to_string(),
    ]
}
