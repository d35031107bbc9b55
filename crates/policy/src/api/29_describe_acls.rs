//! DescribeAcls: DESCRIBE on the cluster.

use schloss_wire::messages::{DescribeAclsRequest, DescribeAclsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{allow, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: DescribeAclsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe] = table::DESCRIBE_ACLS;
    match describe.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(code, None).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> DescribeAclsResponse {
    build!(DescribeAclsResponse { error_code: code.code(), error_message: text(message) })
}
