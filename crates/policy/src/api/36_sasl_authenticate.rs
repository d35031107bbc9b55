//! SaslAuthenticate: answered by the gate before authentication, out of place after it.

use schloss_wire::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use schloss_wire::{Api, ErrorCode, build};

use super::split::{out_of_place, text};
use crate::admission::Verdict;

/// Kafka's own words.
const TOO_LATE: &str = "SaslAuthenticate request received after successful authentication";

pub(super) fn admit(_: &SaslAuthenticateRequest) -> Verdict {
    Verdict::Refused(refuse(out_of_place(Api::SaslAuthenticate), Some(TOO_LATE)).into())
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> SaslAuthenticateResponse {
    build!(SaslAuthenticateResponse { error_code: code.code(), error_message: text(message) })
}
