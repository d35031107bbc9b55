//! `39 RenewDelegationToken`: its owner and its renewers let a token last longer.

use schloss_identity::TokenHmac;
use schloss_metadata::now_ms;
use schloss_wire::messages::{RenewDelegationTokenRequest, RenewDelegationTokenResponse};
use schloss_wire::{ErrorCode, Response, build};
use serde_json::json;

use super::tokens::{change, code, id_and_owner};
use crate::Caller;
use crate::changes::Change;
use crate::house::House;

pub(super) async fn serve(
    house: &House,
    caller: &Caller,
    request: RenewDelegationTokenRequest,
) -> (Response, Vec<Change>) {
    let hmac = TokenHmac::new(&request.hmac);
    let (id, owner) = id_and_owner(house, &hmac);
    let renewed = renew(house, caller, &hmac, request.renew_period_ms).await;
    let code = renewed.err().unwrap_or(ErrorCode::None);
    let expires = renewed.ok();
    let what = json!({ "action": "renew", "owner": owner, "expiresMs": expires });
    let expiry_timestamp_ms = expires.unwrap_or_default();
    let response = build!(RenewDelegationTokenResponse { error_code: code.code(), expiry_timestamp_ms });
    (response.into(), change(&id, code, what))
}

async fn renew(house: &House, caller: &Caller, hmac: &TokenHmac, period_ms: i64) -> Result<i64, ErrorCode> {
    let config = &house.config.delegation_tokens;
    if !config.enabled {
        return Err(ErrorCode::DelegationTokenAuthDisabled);
    }
    // As in Kafka: nobody renews for longer than a token lasts at first, and no time named is that long.
    let period_ms = if period_ms > 0 { period_ms.min(config.expiry_ms()) } else { config.expiry_ms() };
    house.metadata.renew_token(hmac, &caller.principal, period_ms, now_ms()).await.map_err(code)
}
