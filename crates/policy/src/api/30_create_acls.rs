//! CreateAcls: ALTER on the cluster.

use schloss_wire::messages::create_acls_response::AclCreationResult;
use schloss_wire::messages::{CreateAclsRequest, CreateAclsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{allow, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: CreateAclsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::CREATE_ACLS;
    match alter.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(&request, code, None).into()),
        None => allow(request),
    }
}

/// One result per creation: clients match them by position.
pub(super) fn refuse(
    request: &CreateAclsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> CreateAclsResponse {
    let result = build!(AclCreationResult { error_code: code.code(), error_message: text(message) });
    build!(CreateAclsResponse { results: vec![result; request.creations.len()] })
}
