//! What is answered to a member that may not do what it asks for.

use std::fmt::Display;

use schloss_wire::ErrorCode;

/// A heartbeat that was refused, and why in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(code: ErrorCode, message: impl Display) -> Self {
        Self { code, message: message.to_string() }
    }

    /// The request is not one that can be.
    pub(crate) fn invalid(message: impl Display) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }
}

/// What changed could not be written down.
pub(super) fn not_stored(code: ErrorCode) -> Refused {
    Refused::new(code, "the group can't be stored now: try again")
}
