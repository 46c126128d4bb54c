//! Writes requests to generic netlink.

const HEADER_BYTES: usize = 16;
const REQUEST: u16 = 0x0001;
const NESTED: u16 = 0x8000;

/// A request in the making, in a buffer that is used again and again.
#[derive(Debug)]
pub struct Request<'a> {
    bytes: &'a mut Vec<u8>,
}

/// Where a nested attribute began; ends with [`Request::end`].
#[derive(Debug)]
#[must_use = "a nest that is not ended has no length"]
pub struct Nest(usize);

impl<'a> Request<'a> {
    /// Begins a request to a family; `flags` besides that of a request.
    pub fn new(
        bytes: &'a mut Vec<u8>,
        family: u16,
        flags: u16,
        sequence: u32,
        command: u8,
    ) -> Self {
        bytes.clear();
        bytes.extend([0; 4]);
        bytes.extend(family.to_ne_bytes());
        bytes.extend((REQUEST | flags).to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        // The kernel fills in our port.
        bytes.extend([0; 4]);
        bytes.extend([command, 1, 0, 0]);
        debug_assert_eq!(bytes.len(), HEADER_BYTES + 4);
        Self { bytes }
    }

    /// Adds an attribute.
    ///
    /// # Panics
    /// When the value is longer than an attribute can be: our own requests are short.
    pub fn add(&mut self, kind: u16, value: &[u8]) {
        let len = u16::try_from(4 + value.len()).expect("an attribute is shorter than 64 kB");
        self.bytes.extend(len.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Adds a number of four bytes.
    pub fn add_u32(&mut self, kind: u16, value: u32) {
        self.add(kind, &value.to_ne_bytes());
    }

    /// Adds a text with a zero behind it.
    pub fn add_text(&mut self, kind: u16, text: &str) {
        self.add(kind, &[text.as_bytes(), &[0]].concat());
    }

    /// Begins an attribute that nests the following ones.
    pub fn begin(&mut self, kind: u16) -> Nest {
        let nest = Nest(self.bytes.len());
        self.bytes.extend([0, 0]);
        self.bytes.extend((kind | NESTED).to_ne_bytes());
        nest
    }

    /// Ends it.
    ///
    /// # Panics
    /// As [`Request::add`].
    pub fn end(&mut self, Nest(at): Nest) {
        let len = u16::try_from(self.bytes.len() - at).expect("an attribute is below 64 kB");
        if let Some(place) = self.bytes.get_mut(at..at + 2) {
            place.copy_from_slice(&len.to_ne_bytes());
        }
    }

    /// The finished request.
    ///
    /// # Panics
    /// When it is longer than 4 GB.
    pub fn finish(self) -> &'a [u8] {
        let len = u32::try_from(self.bytes.len()).expect("our own requests are short");
        if let Some(place) = self.bytes.first_chunk_mut() {
            *place = len.to_ne_bytes();
        }
        self.bytes
    }
}
