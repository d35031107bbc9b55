//! EndTxn: WRITE on the transactional id.

use schloss_wire::messages::{EndTxnRequest, EndTxnResponse};
use schloss_wire::{ErrorCode, build};

use super::split::allow;
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: EndTxnRequest, judge: &mut Judge<'_>) -> Verdict {
    let [write] = table::END_TXN;
    match write.refusal(judge, &request.transactional_id) {
        Some(code) => Verdict::Refused(refuse(code).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(code: ErrorCode) -> EndTxnResponse {
    build!(EndTxnResponse { error_code: code.code() })
}
