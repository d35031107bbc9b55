//! `38 CreateDelegationToken`: for oneself, or for whom policy has let through. The answer alone holds the HMAC.

use std::collections::BTreeSet;

use schloss_identity::{TokenHmac, check_user_name};
use schloss_metadata::{MetadataError, Token, TokenDigest, new_token_id, now_ms};
use schloss_policy::{refuse_new_token, token_owner};
use schloss_wire::messages::CreateDelegationTokenRequest;
use schloss_wire::{ErrorCode, Principal, Response, StrBytes};
use serde_json::json;

use super::tokens::{change, code};
use crate::changes::Change;
use crate::house::House;
use crate::{Caller, TokenConfig};

/// Whose token, and who may renew it.
struct Parties {
    owner: Principal,
    renewers: Vec<Principal>,
}

pub(super) async fn serve(
    house: &House,
    caller: &Caller,
    request: CreateDelegationTokenRequest,
) -> (Response, Vec<Change>) {
    let mut response = refuse_new_token(&request, caller.api_version, ErrorCode::None, &caller.principal);
    let changes = match make(house, caller, &request).await {
        Ok((id, token, hmac)) => {
            let what = json!({
                "action": "create",
                "owner": token.owner,
                "requester": token.requester,
                "renewers": token.renewers,
                "expiresMs": token.expiry_ms,
                "maxMs": token.max_ms,
            });
            response.issue_timestamp_ms = token.issued_ms;
            response.expiry_timestamp_ms = token.expiry_ms;
            response.max_timestamp_ms = token.max_ms;
            response.hmac = hmac.expose().to_vec().into();
            response.token_id = id.as_str().into();
            change(&id, ErrorCode::None, what)
        }
        Err(code) => {
            response.error_code = code.code();
            let what = json!({ "action": "create", "owner": token_owner(&request, &caller.principal) });
            change("", code, what)
        }
    };
    (response.into(), changes)
}

async fn make(
    house: &House,
    caller: &Caller,
    request: &CreateDelegationTokenRequest,
) -> Result<(String, Token, TokenHmac), ErrorCode> {
    let config = &house.config.delegation_tokens;
    if !config.enabled {
        return Err(ErrorCode::DelegationTokenAuthDisabled);
    }
    let Parties { owner, renewers } = parties(caller, request)?;
    let key = house.metadata.token_key().await.map_err(|error: MetadataError| code(error.into()))?;
    let id = new_token_id();
    let hmac = key.hmac(&id);
    let derive = move || (hmac.credentials(), hmac);
    let derived = house.password_checks.run(derive).await;
    let (Some((Ok(credentials), hmac)), issued_ms) = (derived, now_ms()) else {
        return Err(ErrorCode::UnknownServerError);
    };
    let max_ms = issued_ms.saturating_add(longest_ms(config, request.max_lifetime_ms));
    let groups = if owner == caller.principal { groups(house, caller) } else { BTreeSet::new() };
    let token = Token {
        groups,
        owner,
        requester: caller.principal.clone(),
        renewers,
        issued_ms,
        expiry_ms: issued_ms.saturating_add(config.expiry_ms()).min(max_ms),
        max_ms,
        digest: TokenDigest::from(&hmac),
        credentials,
    };
    house.metadata.add_token(&id, token.clone()).await.map_err(code)?;
    Ok((id, token, hmac))
}

/// The groups that the caller's own proof tells of. A directory says of others at each moment, also to sessions by the
/// token.
fn groups(house: &House, caller: &Caller) -> BTreeSet<Principal> {
    let directory = house.config.directory.as_ref();
    let said = directory.and_then(|directory| directory.known(caller.principal.name())).unwrap_or_default();
    caller.groups.iter().filter(|group| !said.contains(group)).cloned().collect()
}

/// What was wished for, as far as there can be more than that.
fn longest_ms(config: &TokenConfig, wished_ms: i64) -> i64 {
    let most = config.max_lifetime_ms();
    if wished_ms > 0 { wished_ms.min(most) } else { most }
}

/// # Errors
/// Tokens are about users alone: whoever logs in with one is a `User`.
fn parties(caller: &Caller, request: &CreateDelegationTokenRequest) -> Result<Parties, ErrorCode> {
    let owner = token_owner(request, &caller.principal);
    let is_other = owner != caller.principal.as_str();
    let owner = if is_other {
        let name = request.owner_principal_name.clone().unwrap_or_default();
        user(request.owner_principal_type.as_deref().unwrap_or_default(), &name)?
    } else {
        caller.principal.clone()
    };
    let renewers = request.renewers.iter().map(|one| user(&one.principal_type, &one.principal_name));
    Ok(Parties { owner, renewers: renewers.collect::<Result<_, _>>()? })
}

fn user(kind: &str, name: &StrBytes) -> Result<Principal, ErrorCode> {
    if kind != Principal::USER {
        return Err(ErrorCode::InvalidPrincipalType);
    }
    check_user_name(name).map_err(|_| ErrorCode::InvalidRequest)?;
    Ok(Principal::user(name))
}
