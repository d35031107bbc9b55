//! RenewDelegationToken: whoever has the HMAC may ask, and owners and renewers are heard. No ACL gives that.

use schloss_wire::messages::{RenewDelegationTokenRequest, RenewDelegationTokenResponse};
use schloss_wire::{ErrorCode, build};

use super::split::allow;
use crate::admission::Verdict;

/// Kafka's time of what did not happen.
const NO_TIME: i64 = -1;

pub(super) fn admit(request: RenewDelegationTokenRequest) -> Verdict {
    allow(request)
}

pub(super) fn refuse(code: ErrorCode) -> RenewDelegationTokenResponse {
    build!(RenewDelegationTokenResponse { error_code: code.code(), expiry_timestamp_ms: NO_TIME })
}
