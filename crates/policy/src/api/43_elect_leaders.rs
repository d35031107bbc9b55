//! ElectLeaders: ALTER on the cluster.

use schloss_wire::messages::elect_leaders_request::TopicPartitions;
use schloss_wire::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use schloss_wire::messages::{ElectLeadersRequest, ElectLeadersResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{Left, allow_with, conclude_split, reserved_refusal, take_denied, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::kind::{RESERVED_TOPIC_PREFIX, ResourceType, is_reserved};
use crate::table;

/// The election of the preferred leader, which loses nothing. Any other type may.
const PREFERRED: i8 = 0;
/// First version with an error for the request as a whole.
const TOP_LEVEL_ERROR: i16 = 1;

/// A request without a list is for all partitions, those of Schloss's own topics among them.
///
/// To elect their preferred leaders does no harm, so that passes and they are left out of the answer. An
/// unclean election there could bring rules back that were revoked: it is refused as a whole, since an
/// engine could not be told to leave them out. Whoever needs one names the partitions.
pub(super) fn admit(mut request: ElectLeadersRequest, version: i16, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::ELECT_LEADERS;
    if let Some(code) = alter.refusal_on_cluster(judge) {
        return Verdict::Refused(refuse(&request, version, code, None).into());
    }
    let Some(named) = &mut request.topic_partitions else {
        return admit_all(request, version, judge);
    };
    let denied = take_denied(named, |topic| reserved_refusal(judge, &topic.topic));
    let left = Left::after(named, &denied);
    conclude_split(request, left, judge, move |response: &mut ElectLeadersResponse, _| {
        let denied = denied.iter().map(|(topic, code)| refuse_topic(topic, *code, words(*code)));
        response.replica_election_results.extend(denied);
    })
}

fn admit_all(request: ElectLeadersRequest, version: i16, judge: &mut Judge<'_>) -> Verdict {
    if request.election_type != PREFERRED
        && let Some(code) = reserved_refusal(judge, RESERVED_TOPIC_PREFIX)
    {
        return Verdict::Refused(refuse(&request, version, code, None).into());
    }
    allow_with(request, |response: &mut ElectLeadersResponse, _| {
        response.replica_election_results.retain(|result| !is_reserved(ResourceType::Topic, &result.topic));
    })
}

pub(super) fn refuse(
    request: &ElectLeadersRequest,
    version: i16,
    code: ErrorCode,
    message: Option<&str>,
) -> ElectLeadersResponse {
    let topics = request.topic_partitions.iter().flatten();
    build!(ElectLeadersResponse {
        error_code: if version >= TOP_LEVEL_ERROR { code.code() } else { ErrorCode::None.code() },
        replica_election_results: topics.map(|topic| refuse_topic(topic, code, text(message))).collect(),
    })
}

fn refuse_topic(
    topic: &TopicPartitions,
    code: ErrorCode,
    error_message: Option<StrBytes>,
) -> ReplicaElectionResult {
    let partitions = topic.partitions.iter().map(|&partition_id| {
        build!(PartitionResult {
            partition_id,
            error_code: code.code(),
            error_message: error_message.clone()
        })
    });
    build!(ReplicaElectionResult { topic: topic.topic.clone(), partition_result: partitions.collect() })
}
