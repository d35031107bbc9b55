//! What the four APIs over delegation tokens share (KIP-48, KIP-373).

use schloss_identity::TokenHmac;
use schloss_metadata::{ChangeError, TokenDigest};
use schloss_policy::{refuse, refuse_new_token};
use schloss_wire::{Api, ErrorCode, Principal, Request, Response};
use serde_json::Value;

use crate::changes::Change;
use crate::house::House;

/// Whether an API is one of them.
pub(crate) const fn is_over_tokens(api: Api) -> bool {
    matches!(
        api,
        Api::CreateDelegationToken
            | Api::RenewDelegationToken
            | Api::ExpireDelegationToken
            | Api::DescribeDelegationToken
    )
}

/// The answer to a session that may ask for nothing of the sort.
pub(crate) fn refuse_over_tokens(
    request: &Request,
    version: i16,
    code: ErrorCode,
    requester: &Principal,
) -> Response {
    match request {
        Request::CreateDelegationToken(request) => refuse_new_token(request, version, code, requester).into(),
        other => refuse(other, version, code, None),
    }
}

/// The error for the client; what only we should know goes to the log.
pub(super) fn code(error: ChangeError) -> ErrorCode {
    match error {
        ChangeError::Refused(refusal) => refusal.code,
        ChangeError::Metadata(error) => {
            tracing::error!("can't change delegation tokens: {error}");
            error.code()
        }
    }
}

/// What is written down of a token. Its HMAC is not in `what`.
pub(super) fn change(id: &str, code: ErrorCode, what: Value) -> Vec<Change> {
    vec![Change { error: code.code(), ..Change::new("DelegationToken", id, what) }]
}

/// Which token this is the HMAC of and whose, as far as there is one.
pub(super) fn id_and_owner(house: &House, hmac: &TokenHmac) -> (String, Option<Principal>) {
    let snapshot = house.metadata.snapshot();
    match snapshot.token_by_digest(&TokenDigest::from(hmac)) {
        Some((id, token)) => (id.to_string(), Some(token.owner.clone())),
        None => (String::new(), None),
    }
}
