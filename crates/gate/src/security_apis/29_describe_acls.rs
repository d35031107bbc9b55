//! `29 DescribeAcls`: the ACLs that a filter finds, grouped by the resources they are on.

use std::collections::BTreeMap;

use schloss_metadata::Snapshot;
use schloss_policy::Acl;
use schloss_wire::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use schloss_wire::messages::{DescribeAclsRequest, DescribeAclsResponse};
use schloss_wire::{ErrorCode, build};

use super::acl_codec::WireFilter;

pub(super) fn serve(snapshot: &Snapshot, request: &DescribeAclsRequest) -> DescribeAclsResponse {
    let filter = WireFilter {
        resource_type: request.resource_type_filter,
        resource_name: request.resource_name_filter.as_ref(),
        pattern_type: request.pattern_type_filter,
        principal: request.principal_filter.as_ref(),
        host: request.host_filter.as_ref(),
        operation: request.operation,
        permission: request.permission_type,
    };
    let filter = match filter.read() {
        Ok(filter) => filter,
        Err(words) => {
            return build!(DescribeAclsResponse {
                error_code: ErrorCode::InvalidRequest.code(),
                error_message: Some(words.into()),
            });
        }
    };
    let mut resources: BTreeMap<_, Vec<&Acl>> = BTreeMap::new();
    for acl in snapshot.acls().matching(&filter) {
        let resource = (acl.resource_type, acl.pattern_type, acl.resource_name.as_str());
        resources.entry(resource).or_default().push(acl);
    }
    let resources = resources
        .into_iter()
        .map(|((resource_type, pattern_type, name), acls)| {
            build!(DescribeAclsResource {
                resource_type: resource_type.code(),
                resource_name: name.into(),
                pattern_type: pattern_type.code(),
                acls: acls.into_iter().map(description).collect(),
            })
        })
        .collect();
    build!(DescribeAclsResponse { resources })
}

fn description(acl: &Acl) -> AclDescription {
    build!(AclDescription {
        principal: acl.principal.as_str().into(),
        host: acl.host.as_str().into(),
        operation: acl.operation.code(),
        permission_type: acl.permission.code(),
    })
}
