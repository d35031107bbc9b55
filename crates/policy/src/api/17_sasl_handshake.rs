//! SaslHandshake: answered by the gate before authentication, out of place after it.

use schloss_wire::messages::{SaslHandshakeRequest, SaslHandshakeResponse};
use schloss_wire::{Api, ErrorCode, build};

use super::split::out_of_place;
use crate::admission::Verdict;

pub(super) fn admit(_: &SaslHandshakeRequest) -> Verdict {
    Verdict::Refused(refuse(out_of_place(Api::SaslHandshake)).into())
}

pub(super) fn refuse(code: ErrorCode) -> SaslHandshakeResponse {
    build!(SaslHandshakeResponse { error_code: code.code() })
}
