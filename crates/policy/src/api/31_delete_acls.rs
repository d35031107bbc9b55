//! DeleteAcls: ALTER on the cluster.

use schloss_wire::messages::delete_acls_response::DeleteAclsFilterResult;
use schloss_wire::messages::{DeleteAclsRequest, DeleteAclsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{allow, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: DeleteAclsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::DELETE_ACLS;
    match alter.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(&request, code, None).into()),
        None => allow(request),
    }
}

/// One result per filter: clients match them by position.
pub(super) fn refuse(
    request: &DeleteAclsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> DeleteAclsResponse {
    let result = build!(DeleteAclsFilterResult { error_code: code.code(), error_message: text(message) });
    build!(DeleteAclsResponse { filter_results: vec![result; request.filters.len()] })
}
