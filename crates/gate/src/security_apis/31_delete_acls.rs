//! `31 DeleteAcls`: one result per filter, always, with the ACLs it deleted.

use std::sync::Arc;

use schloss_metadata::Metadata;
use schloss_policy::{Acl, AclFilter};
use schloss_wire::messages::delete_acls_request::DeleteAclsFilter;
use schloss_wire::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl};
use schloss_wire::messages::{DeleteAclsRequest, DeleteAclsResponse};
use schloss_wire::{ErrorCode, Response, build};
use serde_json::json;

use super::acl_codec::{WireFilter, shown};
use crate::changes::Change;

/// Filters that one request may hold: each can find every ACL, and each finding is a part of the answer.
const FILTERS_MAX: usize = 1000;

pub(super) async fn serve(metadata: &Arc<Metadata>, request: DeleteAclsRequest) -> (Response, Vec<Change>) {
    let read: Vec<Result<AclFilter, String>> = request
        .filters
        .iter()
        .enumerate()
        .map(|(place, filter)| {
            if place < FILTERS_MAX { read(filter) } else { Err(format!("use at most {FILTERS_MAX} filters")) }
        })
        .collect();
    let good: Vec<AclFilter> = read.iter().flatten().cloned().collect();
    let mut deleted = match metadata.delete_acls(good).await {
        Ok(deleted) => deleted.into_iter(),
        Err(error) => {
            tracing::error!("can't delete ACLs: {error}");
            let refused = |_| refused(error.code(), "the deletion could not be stored");
            let filter_results = read.iter().map(refused).collect();
            let change = Change { error: error.code().code(), ..nothing_found() };
            return (build!(DeleteAclsResponse { filter_results }).into(), vec![change]);
        }
    };
    let mut filter_results = Vec::with_capacity(read.len());
    let mut changes = Vec::new();
    for filter in read {
        match filter {
            Ok(_) => {
                let acls = deleted.next().unwrap_or_default();
                changes.extend(acls.iter().map(change));
                let matching_acls = acls.iter().map(matching).collect();
                filter_results.push(build!(DeleteAclsFilterResult { matching_acls, error_message: None }));
            }
            Err(words) => {
                filter_results.push(refused(ErrorCode::InvalidRequest, &words));
                changes.push(Change { error: ErrorCode::InvalidRequest.code(), ..nothing_found() });
            }
        }
    }
    if changes.is_empty() {
        changes.push(Change { error: 0, ..nothing_found() });
    }
    (build!(DeleteAclsResponse { filter_results }).into(), changes)
}

fn read(filter: &DeleteAclsFilter) -> Result<AclFilter, String> {
    let wire = WireFilter {
        resource_type: filter.resource_type_filter,
        resource_name: filter.resource_name_filter.as_ref(),
        pattern_type: filter.pattern_type_filter,
        principal: filter.principal_filter.as_ref(),
        host: filter.host_filter.as_ref(),
        operation: filter.operation,
        permission: filter.permission_type,
    };
    wire.read()
}

fn refused(error: ErrorCode, words: &str) -> DeleteAclsFilterResult {
    build!(DeleteAclsFilterResult { error_code: error.code(), error_message: Some(words.into()) })
}

fn matching(acl: &Acl) -> DeleteAclsMatchingAcl {
    build!(DeleteAclsMatchingAcl {
        resource_type: acl.resource_type.code(),
        resource_name: acl.resource_name.as_str().into(),
        pattern_type: acl.pattern_type.code(),
        principal: acl.principal.as_str().into(),
        host: acl.host.as_str().into(),
        operation: acl.operation.code(),
        permission_type: acl.permission.code(),
        error_message: None,
    })
}

fn change(acl: &Acl) -> Change {
    let what = json!({ "action": "delete", "acl": shown(acl) });
    let resource_type = super::resource_type_name(acl.resource_type);
    Change { error: 0, ..Change::new(resource_type, acl.resource_name.as_str(), what) }
}

fn nothing_found() -> Change {
    Change::new("Cluster", schloss_policy::CLUSTER_NAME, json!({ "action": "delete", "acl": null }))
}
