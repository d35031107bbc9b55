//! AddOffsetsToTxn: WRITE on the transactional id, then READ on the group.

use schloss_wire::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use schloss_wire::{ErrorCode, build};

use super::split::allow;
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: AddOffsetsToTxnRequest, judge: &mut Judge<'_>) -> Verdict {
    let [write, read_group] = table::ADD_OFFSETS_TO_TXN;
    let refusal = write
        .refusal(judge, &request.transactional_id)
        .or_else(|| read_group.refusal(judge, &request.group_id));
    match refusal {
        Some(code) => Verdict::Refused(refuse(code).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(code: ErrorCode) -> AddOffsetsToTxnResponse {
    build!(AddOffsetsToTxnResponse { error_code: code.code() })
}
