//! DescribeCluster: open to everybody who is authenticated; what may be done to the cluster is told to those
//! who may DESCRIBE it.

use schloss_wire::messages::{DescribeClusterRequest, DescribeClusterResponse};
use schloss_wire::{ErrorCode, build};

use super::OPERATIONS_NOT_ASKED;
use super::split::{allow_with, text};
use crate::admission::Verdict;

pub(super) fn admit(request: DescribeClusterRequest) -> Verdict {
    let asked = request.include_cluster_authorized_operations;
    allow_with(request, move |response: &mut DescribeClusterResponse, judge| {
        // An answer that is an error tells nothing else.
        let told = asked && response.error_code == ErrorCode::None.code();
        response.cluster_authorized_operations =
            if told { judge.authorized_cluster_operations() } else { OPERATIONS_NOT_ASKED };
    })
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> DescribeClusterResponse {
    build!(DescribeClusterResponse { error_code: code.code(), error_message: text(message) })
}
