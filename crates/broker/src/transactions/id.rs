//! What a transactional id may be.

use schloss_wire::ErrorCode;

/// Longest transactional id in bytes. Kafka has no bound of its own; an id is kept in memory and in each entry
/// of the journal.
const MAX_ID_BYTES: usize = 1024;

/// Refuses an empty id, as Kafka does, and one that is too long to keep.
pub(super) fn check_id(id: &str) -> Result<(), ErrorCode> {
    if (1..=MAX_ID_BYTES).contains(&id.len()) { Ok(()) } else { Err(ErrorCode::InvalidRequest) }
}
