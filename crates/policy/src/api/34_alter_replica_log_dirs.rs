//! AlterReplicaLogDirs: ALTER on the cluster.

use schloss_wire::messages::alter_replica_log_dirs_request::AlterReplicaLogDirTopic;
use schloss_wire::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use schloss_wire::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, allow, conclude, reserved_refusal, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: AlterReplicaLogDirsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::ALTER_REPLICA_LOG_DIRS;
    if let Some(code) = alter.refusal_on_cluster(judge) {
        return Verdict::Refused(refuse(&request, code).into());
    }
    let mut denied = Vec::new();
    for dir in &mut request.dirs {
        denied.extend(take_denied(&mut dir.topics, |topic| reserved_refusal(judge, &topic.name)));
    }
    if denied.is_empty() {
        return allow(request);
    }
    request.dirs.retain(|dir| !dir.topics.is_empty());
    let left = Left::after(&request.dirs, &denied);
    conclude(request, left, judge, move |response: &mut AlterReplicaLogDirsResponse, _| {
        response.results.extend(denied.iter().map(|(topic, code)| refuse_topic(topic, *code)));
    })
}

pub(super) fn refuse(request: &AlterReplicaLogDirsRequest, code: ErrorCode) -> AlterReplicaLogDirsResponse {
    let topics = request.dirs.iter().flat_map(|dir| &dir.topics);
    build!(AlterReplicaLogDirsResponse { results: topics.map(|topic| refuse_topic(topic, code)).collect() })
}

fn refuse_topic(topic: &AlterReplicaLogDirTopic, code: ErrorCode) -> AlterReplicaLogDirTopicResult {
    let partitions = topic.partitions.iter().map(|&partition_index| {
        build!(AlterReplicaLogDirPartitionResult { partition_index, error_code: code.code() })
    });
    build!(AlterReplicaLogDirTopicResult { topic_name: topic.name.clone(), partitions: partitions.collect() })
}
