//! The leader epoch a client believes in (KIP-320), against ours.

use schloss_wire::ErrorCode;

use crate::partition::LEADER_EPOCH;

/// What a client sends that doesn't know the epoch.
const UNKNOWN: i32 = -1;

/// Checks the epoch a request comes with.
///
/// # Errors
/// FENCED_LEADER_EPOCH for an older one, UNKNOWN_LEADER_EPOCH for one that is still to come.
pub(crate) fn check_leader_epoch(epoch: i32) -> Result<(), ErrorCode> {
    match epoch {
        UNKNOWN | LEADER_EPOCH => Ok(()),
        epoch if epoch < LEADER_EPOCH => Err(ErrorCode::FencedLeaderEpoch),
        _ => Err(ErrorCode::UnknownLeaderEpoch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_epoch_that_is_or_none_passes() {
        assert_eq!(check_leader_epoch(-1), Ok(()));
        assert_eq!(check_leader_epoch(0), Ok(()));
        assert_eq!(check_leader_epoch(1), Err(ErrorCode::UnknownLeaderEpoch));
        assert_eq!(check_leader_epoch(-2), Err(ErrorCode::FencedLeaderEpoch));
    }
}
