//! How much a peer may make us decode.

use kafka_wire_core::DecodeLimits;

/// A bound on what one request may hold, chosen by how far its sender is trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecodeBudget {
    /// Before authentication: handshakes and tokens, nothing larger.
    Unauthenticated,
    /// After authentication: `max_request_bytes` bounds the frame, the rest follows from it.
    Authenticated {
        /// Largest frame in bytes.
        max_request_bytes: usize,
    },
}

/// Largest frame before authentication, in bytes (`sasl.server.max.receive.size` of Kafka).
pub(crate) const MAX_UNAUTHENTICATED_BYTES: usize = 512 * 1024;
/// Most elements of one array before authentication.
const MAX_UNAUTHENTICATED_ELEMENTS: usize = 64;
/// Most elements of one array after authentication: more partitions than a node can hold.
const MAX_ELEMENTS: usize = 100_000;
/// Longest string: Kafka's own bound of a non-compact string.
const MAX_STRING_BYTES: usize = i16::MAX as usize;
/// Most unknown tagged fields of one structure, and their bytes.
const MAX_TAGGED_FIELDS: usize = 64;
const MAX_TAG_BYTES: usize = 64 * 1024;

impl DecodeBudget {
    /// Largest frame in bytes, the length prefix not counted.
    #[must_use]
    pub const fn max_frame_bytes(self) -> usize {
        match self {
            Self::Unauthenticated => MAX_UNAUTHENTICATED_BYTES,
            Self::Authenticated { max_request_bytes } => max_request_bytes,
        }
    }

    /// The limits of the codec for this budget.
    #[must_use]
    pub fn limits(self) -> DecodeLimits {
        let mut limits = DecodeLimits::default();
        limits.max_frame_bytes = self.max_frame_bytes();
        limits.max_bytes_bytes = self.max_frame_bytes();
        limits.max_string_bytes = MAX_STRING_BYTES;
        limits.max_array_elements = match self {
            Self::Unauthenticated => MAX_UNAUTHENTICATED_ELEMENTS,
            Self::Authenticated { .. } => MAX_ELEMENTS,
        };
        limits.max_tagged_fields = MAX_TAGGED_FIELDS;
        limits.max_tag_bytes = MAX_TAG_BYTES;
        limits.max_total_tag_bytes = MAX_TAG_BYTES;
        limits
    }
}
