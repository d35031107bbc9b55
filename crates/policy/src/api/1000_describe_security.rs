//! DescribeSecurity (Schloss's own): DESCRIBE on the cluster, as for ACLs.

use schloss_wire::{DescribeSecurityRequest, DescribeSecurityResponse, ErrorCode};

use super::split::{allow, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: DescribeSecurityRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe] = table::DESCRIBE_SECURITY;
    match describe.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(code, None).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> DescribeSecurityResponse {
    DescribeSecurityResponse { error_code: code.code(), error_message: text(message), ..Default::default() }
}
