//! GetTelemetrySubscriptions: open to everybody who is authenticated (KIP-714).

use schloss_wire::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::allow;
use crate::admission::Verdict;

pub(super) fn admit(request: GetTelemetrySubscriptionsRequest) -> Verdict {
    allow(request)
}

pub(super) fn refuse(code: ErrorCode) -> GetTelemetrySubscriptionsResponse {
    build!(GetTelemetrySubscriptionsResponse { error_code: code.code() })
}
