//! InitProducerId: WRITE on the transactional id; without one, IDEMPOTENT_WRITE on the cluster or WRITE on any
//! topic (KIP-679).

use schloss_wire::messages::{InitProducerIdRequest, InitProducerIdResponse};
use schloss_wire::{ErrorCode, build};

use super::split::allow;
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: InitProducerIdRequest, judge: &mut Judge<'_>) -> Verdict {
    match refusal(&request, judge) {
        Some(code) => Verdict::Refused(refuse(code).into()),
        None => allow(request),
    }
}

fn refusal(request: &InitProducerIdRequest, judge: &mut Judge<'_>) -> Option<ErrorCode> {
    let [write, two_phase_commit, idempotent_write, write_any] = table::INIT_PRODUCER_ID;
    match &request.transactional_id {
        Some(id) => write
            .refusal(judge, id)
            .or_else(|| if request.enable2_pc { two_phase_commit.refusal(judge, id) } else { None }),
        None if idempotent_write.suffices_on_cluster(judge) => None,
        None => write_any.refusal_on_any(judge),
    }
}

pub(super) fn refuse(code: ErrorCode) -> InitProducerIdResponse {
    build!(InitProducerIdResponse { error_code: code.code(), producer_id: -1, producer_epoch: -1 })
}
