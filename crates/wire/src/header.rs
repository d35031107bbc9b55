//! Request headers.

use bytes::{Buf, Bytes};
use kafka_wire_core::{DecodeError, DecodeLimits, Decoder, StrBytes};

use crate::{Api, limits::DecodeBudget};

/// What stands before every request body, read without knowing the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestHead {
    /// The API key as sent; it may be none that we know.
    pub api_key: i16,
    /// The version as sent; it may be none that we serve.
    pub api_version: i16,
    /// Copied into the response.
    pub correlation_id: i32,
    /// The client's own name for itself: untrusted text.
    pub client_id: Option<StrBytes>,
}

/// Longest client id in bytes: it is kept for each session and written into audit records.
const MAX_CLIENT_ID_BYTES: usize = 1024;

impl RequestHead {
    /// Reads the header off the front of `frame` and returns the body after it.
    ///
    /// Unknown APIs and versions are read as far as their client id, which is enough to answer them.
    ///
    /// # Errors
    /// The bytes are not a request header.
    pub fn parse(frame: Bytes) -> Result<(Self, Bytes), DecodeError> {
        let mut limits: DecodeLimits = DecodeBudget::Unauthenticated.limits();
        // The frame's own bound was checked when it was split off.
        limits.max_frame_bytes = usize::MAX;
        limits.max_string_bytes = MAX_CLIENT_ID_BYTES;
        let mut rest = frame.clone();
        let mut decoder = Decoder::new(frame, limits)?;
        let api_key = decoder.read_i16()?;
        let api_version = decoder.read_i16()?;
        let correlation_id = decoder.read_i32()?;
        let client_id = decoder.read_nullable_string()?;
        if Api::from_key(api_key).is_some_and(|api| api.is_flexible(api_version)) {
            decoder.read_tagged_fields()?;
        }
        let consumed = decoder.offset();
        rest.advance(consumed);
        Ok((Self { api_key, api_version, correlation_id, client_id }, rest))
    }

    /// The client id as text, empty when none was sent.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.client_id.as_ref().map_or("", |id| id.as_str())
    }
}
