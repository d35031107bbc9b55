//! DescribeDelegationToken: everybody sees the tokens that are theirs to use, and those that they may see by ACL.

use schloss_wire::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};
use schloss_wire::{ErrorCode, Principal, build};

use super::split::allow;
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

/// Which tokens are shown is asked by the gate, which knows whose they are.
pub(super) fn admit(request: DescribeDelegationTokenRequest) -> Verdict {
    allow(request)
}

/// Whether somebody who neither owns a token nor made it nor may renew it is told of it: by DESCRIBE on the token or
/// DESCRIBE_TOKENS on its owner (KIP-373). Not recorded, because it only decides what is shown.
pub fn shows_token(judge: &mut Judge<'_>, id: &str, owner: &Principal) -> bool {
    let [describe, describe_tokens] = table::DESCRIBE_DELEGATION_TOKEN;
    describe.shows(judge, id) || describe_tokens.shows(judge, owner.as_str())
}

pub(super) fn refuse(code: ErrorCode) -> DescribeDelegationTokenResponse {
    build!(DescribeDelegationTokenResponse { error_code: code.code() })
}
