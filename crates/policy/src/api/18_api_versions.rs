//! ApiVersions: answered by the gate at any time, so never admitted.

use schloss_wire::messages::{ApiVersionsRequest, ApiVersionsResponse};
use schloss_wire::{Api, ErrorCode, build};

use super::split::out_of_place;
use crate::admission::Verdict;

pub(super) fn admit(_: &ApiVersionsRequest) -> Verdict {
    Verdict::Refused(refuse(out_of_place(Api::ApiVersions)).into())
}

pub(super) fn refuse(code: ErrorCode) -> ApiVersionsResponse {
    build!(ApiVersionsResponse { error_code: code.code() })
}
