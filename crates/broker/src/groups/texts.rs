//! Texts and errors, from requests to groups and back.
//!
//! A text of a request is a slice of its frame and keeps all of the frame in memory; what a group keeps is a
//! copy of the text alone.

use std::sync::Arc;

use schloss_wire::{ErrorCode, StrBytes};

/// A copy to keep.
pub(crate) fn shared(text: &StrBytes) -> Arc<str> {
    Arc::from(text.as_str())
}

/// A copy to keep, if there is one.
pub(crate) fn shared_if_any(text: Option<&StrBytes>) -> Option<Arc<str>> {
    text.map(shared)
}

/// A text for an answer.
pub(crate) fn wire(text: &str) -> StrBytes {
    StrBytes::from(text)
}

/// A text for an answer, if there is one.
pub(crate) fn wire_if_any(text: Option<&Arc<str>>) -> Option<StrBytes> {
    text.map(|text| wire(text))
}

/// The error field of an answer.
pub(crate) fn error_of(result: Result<(), ErrorCode>) -> i16 {
    result.err().unwrap_or(ErrorCode::None).code()
}
