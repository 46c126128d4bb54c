//! Elements of DER (X.690) with lengths of up to two bytes, which is more than a request has.

/// Longest content that is written.
const CONTENT_BYTES_MAX: usize = 0xffff;

/// What is left to read of some bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The content of the next element, whatever it is.
    pub(super) fn any(&mut self) -> Option<(u8, Self)> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        // The shortest form only: anything else is not DER (X.690, section 10.1).
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => match rest.split_first()? {
                (&length, rest) if length >= 0x80 => (usize::from(length), rest),
                _ => return None,
            },
            0x82 => match rest.split_first_chunk::<2>()? {
                (&[high, low], rest) if high > 0 => {
                    (usize::from(u16::from_be_bytes([high, low])), rest)
                }
                _ => return None,
            },
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, Self(content)))
    }

    /// The content of the next element, which has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<Self> {
        match self.any()? {
            (found, content) if found == tag => Some(content),
            _ => None,
        }
    }

    /// The same with all bytes of the element, tag and length included.
    pub(super) fn element(&mut self, tag: u8) -> Option<(Self, &'a [u8])> {
        let before = self.0;
        let content = self.take(tag)?;
        let whole = before.get(..before.len() - self.0.len())?;
        Some((content, whole))
    }

    /// The content of an element that fills the bytes.
    pub(super) fn only(mut self, tag: u8) -> Option<Self> {
        let content = self.take(tag)?;
        self.is_empty().then_some(content)
    }
}

/// An element.
///
/// # Panics
/// When the content has more than [`CONTENT_BYTES_MAX`] bytes: ours has some hundred.
pub(super) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    assert!(
        length <= CONTENT_BYTES_MAX,
        "an element of a request is short"
    );
    let [high, low] = (length as u16).to_be_bytes();
    let mut element = match length {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    element.extend_from_slice(content);
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_any_length_read_back() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let content = vec![7; length];
            let bytes = encode(0x30, &content);
            let read = Der::new(&bytes).only(0x30).unwrap();
            assert_eq!(read.bytes(), content);
            assert!(Der::new(&bytes[..bytes.len() - 1]).only(0x30).is_none());
        }
    }

    #[test]
    fn lengths_that_are_not_the_shortest_are_refused() {
        for bytes in [
            &[0x30, 0x80, 0, 0][..],
            &[0x30, 0x81, 1, 7],
            &[0x30, 0x82, 0, 1, 7],
            &[0x30, 0x83, 0, 0, 1, 7],
            &[0x30],
            &[],
        ] {
            assert!(Der::new(bytes).any().is_none(), "{bytes:02x?}");
        }
    }
}
