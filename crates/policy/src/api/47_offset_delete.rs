//! OffsetDelete: not served yet.

use schloss_wire::ErrorCode;
use schloss_wire::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;

pub(super) fn admit(
    request: OffsetDeleteRequest,
    version: i16,
    _judge: &mut Judge<'_>,
    _topics: &dyn TopicNames,
) -> Verdict {
    Verdict::Refused(refuse(&request, version, ErrorCode::UnsupportedVersion, None).into())
}

pub(super) fn refuse(
    _request: &OffsetDeleteRequest,
    _version: i16,
    _code: ErrorCode,
    _message: Option<&str>,
) -> OffsetDeleteResponse {
    OffsetDeleteResponse::default()
}
