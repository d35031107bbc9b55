//! `41 DescribeDelegationToken`: who sees a token is told its HMAC, as in Kafka; so it is written down.

use schloss_metadata::Token;
use schloss_policy::{DecisionCache, shows_token};
use schloss_wire::messages::describe_delegation_token_response::{
    DescribedDelegationToken, DescribedDelegationTokenRenewer,
};
use schloss_wire::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};
use schloss_wire::{Api, ErrorCode, Principal, Response, build};
use serde_json::json;

use super::tokens::change;
use crate::Caller;
use crate::changes::Change;
use crate::house::House;

/// From this version on the answer says who has made a token.
const NAMES_REQUESTER: i16 = 3;
/// Ids of tokens that are written down one by one.
const IDS_MAX: usize = 100;

pub(super) fn serve(
    house: &House,
    caller: &Caller,
    request: &DescribeDelegationTokenRequest,
) -> (Response, Vec<Change>) {
    if !house.config.delegation_tokens.enabled {
        let code = ErrorCode::DelegationTokenAuthDisabled;
        let response = build!(DescribeDelegationTokenResponse { error_code: code.code() });
        return (response.into(), change("", code, json!({ "action": "describe" })));
    }
    let tokens = visible(house, caller, request);
    let ids: Vec<&str> = tokens.iter().map(|token| token.token_id.as_str()).take(IDS_MAX).collect();
    let what = json!({ "action": "describe", "count": tokens.len(), "tokens": ids });
    let changes = change("", ErrorCode::None, what);
    (build!(DescribeDelegationTokenResponse { tokens }).into(), changes)
}

fn visible(
    house: &House,
    caller: &Caller,
    request: &DescribeDelegationTokenRequest,
) -> Vec<DescribedDelegationToken> {
    // Nobody named means everybody's; an empty list, nobody's.
    let owners: Option<Vec<Option<Principal>>> = request.owners.as_ref().map(|owners| {
        owners
            .iter()
            .map(|one| format!("{}:{}", one.principal_type, one.principal_name).parse().ok())
            .collect()
    });
    let is_wanted = |token: &Token| {
        owners.as_ref().is_none_or(|owners| owners.iter().flatten().any(|owner| token.is_known_to(owner)))
    };
    let snapshot = house.metadata.snapshot();
    let Some(key) = snapshot.token_key() else { return Vec::new() };
    let (subject, mut cache) = (caller.subject(), DecisionCache::default());
    let mut judge = house.judge(Api::DescribeDelegationToken, snapshot.acls(), &subject, &mut cache);
    let mut sees = |id: &str, token: &Token| {
        token.is_known_to(&caller.principal) || shows_token(&mut judge, id, &token.owner)
    };
    let tokens = snapshot.tokens().filter(|(id, token)| is_wanted(token) && sees(id, token));
    tokens
        .map(|(id, token)| {
            let mut told = described(id, token);
            told.hmac = key.hmac(id).expose().to_vec().into();
            if caller.api_version >= NAMES_REQUESTER {
                told.token_requester_principal_type = token.requester.kind().into();
                told.token_requester_principal_name = token.requester.name().into();
            }
            told
        })
        .collect()
}

fn described(id: &str, token: &Token) -> DescribedDelegationToken {
    let renewer = |one: &Principal| {
        build!(DescribedDelegationTokenRenewer {
            principal_type: one.kind().into(),
            principal_name: one.name().into(),
        })
    };
    build!(DescribedDelegationToken {
        principal_type: token.owner.kind().into(),
        principal_name: token.owner.name().into(),
        issue_timestamp: token.issued_ms,
        expiry_timestamp: token.expiry_ms,
        max_timestamp: token.max_ms,
        token_id: id.into(),
        renewers: token.renewers.iter().map(renewer).collect(),
    })
}
