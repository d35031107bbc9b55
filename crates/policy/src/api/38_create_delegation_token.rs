//! CreateDelegationToken: everybody for themselves; for somebody else CREATE_TOKENS on that user (KIP-373).

use schloss_wire::messages::{CreateDelegationTokenRequest, CreateDelegationTokenResponse};
use schloss_wire::{ErrorCode, Principal, build};

use super::split::allow;
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

/// Kafka's time of what did not happen.
const NO_TIME: i64 = -1;
/// From this version on the answer says who asked.
const NAMES_REQUESTER: i16 = 3;

pub(super) fn admit(request: CreateDelegationTokenRequest, version: i16, judge: &mut Judge<'_>) -> Verdict {
    let [create] = table::CREATE_DELEGATION_TOKEN;
    let Some(requester) = judge.subject().map(|subject| subject.principal.clone()) else {
        return Verdict::Refused(refuse(&request, create.error).into());
    };
    let owner = token_owner(&request, &requester);
    let is_oneself = owner == requester.as_str();
    match if is_oneself { None } else { create.refusal(judge, &owner) } {
        Some(code) => Verdict::Refused(refuse_new_token(&request, version, code, &requester).into()),
        None => allow(request),
    }
}

/// Whose token is asked for, as a principal and as the name of a `USER` resource: `User:alice`.
#[must_use]
pub fn token_owner(request: &CreateDelegationTokenRequest, requester: &Principal) -> String {
    match request.owner_principal_name.as_deref().filter(|name| !name.trim().is_empty()) {
        Some(name) => format!("{}:{name}", request.owner_principal_type.as_deref().unwrap_or_default()),
        None => requester.to_string(),
    }
}

/// The answer to `requester` that no token was made.
#[must_use]
pub fn refuse_new_token(
    request: &CreateDelegationTokenRequest,
    version: i16,
    code: ErrorCode,
    requester: &Principal,
) -> CreateDelegationTokenResponse {
    let mut response = refuse(request, code);
    if token_owner(request, requester) == requester.as_str() {
        response.principal_type = requester.kind().into();
        response.principal_name = requester.name().into();
    }
    if version >= NAMES_REQUESTER {
        response.token_requester_principal_type = requester.kind().into();
        response.token_requester_principal_name = requester.name().into();
    }
    response
}

/// The same where it is not known who asks.
pub(super) fn refuse(
    request: &CreateDelegationTokenRequest,
    code: ErrorCode,
) -> CreateDelegationTokenResponse {
    build!(CreateDelegationTokenResponse {
        error_code: code.code(),
        principal_type: request.owner_principal_type.clone().unwrap_or_default(),
        principal_name: request.owner_principal_name.clone().unwrap_or_default(),
        issue_timestamp_ms: NO_TIME,
        expiry_timestamp_ms: NO_TIME,
        max_timestamp_ms: NO_TIME,
    })
}
