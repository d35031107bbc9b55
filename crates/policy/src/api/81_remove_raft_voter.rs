//! RemoveRaftVoter: ALTER on the cluster.

use schloss_wire::messages::{RemoveRaftVoterRequest, RemoveRaftVoterResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{allow, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: RemoveRaftVoterRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::REMOVE_RAFT_VOTER;
    match alter.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(code, None).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> RemoveRaftVoterResponse {
    build!(RemoveRaftVoterResponse {
        error_code: code.code(),
        error_message: text(message).or_else(|| words(code))
    })
}
