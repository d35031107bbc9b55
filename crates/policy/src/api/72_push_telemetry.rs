//! PushTelemetry: open to everybody who is authenticated (KIP-714).

use schloss_wire::messages::{PushTelemetryRequest, PushTelemetryResponse};
use schloss_wire::{ErrorCode, build};

use super::split::allow;
use crate::admission::Verdict;

pub(super) fn admit(request: PushTelemetryRequest) -> Verdict {
    allow(request)
}

pub(super) fn refuse(code: ErrorCode) -> PushTelemetryResponse {
    build!(PushTelemetryResponse { error_code: code.code() })
}
