//! DescribeClientQuotas: DESCRIBE_CONFIGS on the cluster.

use schloss_wire::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{allow, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: DescribeClientQuotasRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe] = table::DESCRIBE_CLIENT_QUOTAS;
    match describe.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(code, None).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> DescribeClientQuotasResponse {
    build!(DescribeClientQuotasResponse {
        error_code: code.code(),
        error_message: text(message),
        entries: None,
    })
}
