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

/// There is no such member.
pub(super) fn unknown_member(member_id: &str) -> Refused {
    Refused::new(ErrorCode::UnknownMemberId, format_args!("member {member_id} is not in this group"))
}

/// The group has as many members as it may.
pub(super) fn full(members: usize) -> Refused {
    let message = format_args!("the group has {members} members, the most that one may have");
    Refused::new(ErrorCode::GroupMaxSizeReached, message)
}

/// What changed could not be written down.
pub(super) fn not_stored(code: ErrorCode) -> Refused {
    Refused::new(code, "the group can't be stored now: try again")
}
