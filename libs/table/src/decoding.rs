//! Bytes of a file to text, and which encoding they are in.

use encoding_rs::{Decoder, GB18030, UTF_8};

/// How much of a file is looked at, from its first byte beyond ASCII on: until then all encodings are the same.
const WINDOW_BYTES: usize = 64 * 1024;

/// An encoding that files come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Encoding {
    /// Finds an encoding by the names that are in use for it.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        encoding_rs::Encoding::for_label_no_replacement(name.as_bytes()).map(Self)
    }

    /// Returns its usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

/// Decodes a file piece by piece.
pub(super) struct Decoding {
    encoding: Option<&'static encoding_rs::Encoding>,
    decoder: Option<Decoder>,
    /// Bytes that do not tell the encoding yet.
    held: Vec<u8>,
    /// Whether nothing was decoded, so that a byte order mark may come.
    at_start: bool,
}

impl Decoding {
    pub(super) fn new(encoding: Option<Encoding>) -> Self {
        let encoding = encoding.map(|encoding| encoding.0);
        Self {
            encoding,
            decoder: encoding.map(encoding_rs::Encoding::new_decoder_with_bom_removal),
            held: Vec::new(),
            at_start: true,
        }
    }

    /// Returns the encoding found so far: what is ASCII is UTF-8.
    pub(super) fn encoding(&self) -> Encoding {
        Encoding(self.encoding.unwrap_or(UTF_8))
    }

    /// Adds what a piece says to `text`; bytes that are none of the encoding become U+FFFD.
    pub(super) fn decode(&mut self, piece: &[u8], is_last: bool, text: &mut String) {
        if let Some(decoder) = &mut self.decoder {
            return decode_all(decoder, piece, is_last, text);
        }
        self.held.extend_from_slice(piece);
        let Some(encoding) = self.find(is_last, text) else {
            return;
        };
        self.encoding = Some(encoding);
        let decoder = self.decoder.insert(encoding.new_decoder_with_bom_removal());
        decode_all(decoder, &std::mem::take(&mut self.held), is_last, text);
    }

    /// Finds the encoding from what is held; what is ASCII goes to `text` at once.
    fn find(&mut self, is_last: bool, text: &mut String) -> Option<&'static encoding_rs::Encoding> {
        /// The longest byte order mark.
        const MARK_BYTES: usize = 3;
        if self.at_start {
            if self.held.len() < MARK_BYTES && !is_last {
                return None;
            }
            if let Some((encoding, _)) = encoding_rs::Encoding::for_bom(&self.held) {
                return Some(encoding);
            }
            self.at_start = false;
        }
        let ascii = encoding_rs::Encoding::ascii_valid_up_to(&self.held);
        text.push_str(std::str::from_utf8(&self.held[..ascii]).expect("ASCII"));
        self.held.drain(..ascii);
        if self.held.is_empty() || (self.held.len() < WINDOW_BYTES && !is_last) {
            return None;
        }
        let is_utf8 = match std::str::from_utf8(&self.held) {
            Ok(_) => true,
            // A character that is cut off where the window ends is as good as a whole one.
            Err(error) => error.error_len().is_none() && !is_last,
        };
        Some(if is_utf8 { UTF_8 } else { GB18030 })
    }
}

fn decode_all(decoder: &mut Decoder, mut bytes: &[u8], is_last: bool, text: &mut String) {
    loop {
        let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len());
        text.reserve(room);
        let (result, read, _) = decoder.decode_to_string(bytes, text, is_last);
        bytes = &bytes[read..];
        if result == encoding_rs::CoderResult::InputEmpty {
            return;
        }
    }
}
