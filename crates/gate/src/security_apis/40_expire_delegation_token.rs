//! `40 ExpireDelegationToken`: its owner and its renewers end a token, at once or sooner than it would.

use schloss_identity::TokenHmac;
use schloss_metadata::now_ms;
use schloss_wire::messages::{ExpireDelegationTokenRequest, ExpireDelegationTokenResponse};
use schloss_wire::{ErrorCode, Response, build};
use serde_json::json;

use super::tokens::{change, code, id_and_owner};
use crate::Caller;
use crate::changes::Change;
use crate::house::House;

pub(super) async fn serve(
    house: &House,
    caller: &Caller,
    request: ExpireDelegationTokenRequest,
) -> (Response, Vec<Change>) {
    let hmac = TokenHmac::new(&request.hmac);
    let (id, owner) = id_and_owner(house, &hmac);
    let ended = expire(house, caller, &hmac, request.expiry_time_period_ms).await;
    let code = ended.err().unwrap_or(ErrorCode::None);
    let expires = ended.ok();
    let what = json!({ "action": "expire", "owner": owner, "expiresMs": expires });
    let expiry_timestamp_ms = expires.unwrap_or_default();
    let response = build!(ExpireDelegationTokenResponse { error_code: code.code(), expiry_timestamp_ms });
    (response.into(), change(&id, code, what))
}

async fn expire(house: &House, caller: &Caller, hmac: &TokenHmac, period_ms: i64) -> Result<i64, ErrorCode> {
    if !house.config.delegation_tokens.enabled {
        return Err(ErrorCode::DelegationTokenAuthDisabled);
    }
    house.metadata.expire_token(hmac, &caller.principal, period_ms, now_ms()).await.map_err(code)
}
