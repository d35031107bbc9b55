//! OffsetCommit: where a group goes on reading; answered when it is on disk.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::{Snapshot, TopicMeta};
use schloss_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use schloss_wire::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::groups::{Claim, Commit, Committed};
use crate::reply::{later, now_ms};

/// KIP-848: from here on a client understands that a group does not exist.
const FIRST_WITH_NOT_FOUND: i16 = 9;
/// KIP-848: from here on a client understands what can be wrong with a member's epoch.
const FIRST_WITH_EPOCHS: i16 = 9;
/// KIP-848: from here on topics are named by id.
const FIRST_WITH_TOPIC_IDS: i16 = 10;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: OffsetCommitRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let snapshot = broker.metadata.snapshot();
        let checker = Checker {
            snapshot: &snapshot,
            by_id: caller.api_version >= FIRST_WITH_TOPIC_IDS,
            max_metadata_bytes: broker.groups.config().max_offset_metadata_bytes,
            now_ms: now_ms(),
        };
        let (mut topics, commits) = checker.check(&request.topics);
        if !commits.is_empty() {
            let claim = Claim {
                member_id: request.member_id.as_str(),
                instance_id: request.group_instance_id.as_ref().map(StrBytes::as_str),
                generation: request.generation_id_or_member_epoch,
            };
            let too_old = caller.api_version < FIRST_WITH_EPOCHS
                && broker.groups.has_epoch(request.group_id.as_str(), claim.member_id);
            let committed = if too_old {
                Err(ErrorCode::UnsupportedVersion)
            } else {
                broker.groups.commit(request.group_id.as_str(), claim, commits).await
            };
            if let Err(code) = committed {
                fail_all(&mut topics, in_version(code, caller.api_version));
            }
        }
        build!(OffsetCommitResponse { topics })
    })
}

/// What every partition of a request is checked against.
struct Checker<'a> {
    snapshot: &'a Snapshot,
    by_id: bool,
    max_metadata_bytes: usize,
    now_ms: i64,
}

impl Checker<'_> {
    /// The answer as it is if all that can be committed is, and that.
    fn check(&self, topics: &[OffsetCommitRequestTopic]) -> (Vec<OffsetCommitResponseTopic>, Vec<Commit>) {
        let mut commits = Vec::new();
        let answers = topics
            .iter()
            .map(|topic| {
                let meta = self.find(topic);
                let mut answer_one = |partition: &OffsetCommitRequestPartition| {
                    let checked = meta.and_then(|meta| self.check_partition(meta, partition));
                    let error_code = checked.as_ref().err().map_or(0, |code| code.code());
                    commits.extend(checked);
                    build!(OffsetCommitResponsePartition {
                        partition_index: partition.partition_index,
                        error_code
                    })
                };
                let partitions = topic.partitions.iter().map(&mut answer_one).collect();
                build!(OffsetCommitResponseTopic {
                    name: topic.name.clone(),
                    topic_id: topic.topic_id,
                    partitions
                })
            })
            .collect();
        (answers, commits)
    }

    fn find(&self, topic: &OffsetCommitRequestTopic) -> Result<&TopicMeta, ErrorCode> {
        let (found, missing) = if self.by_id {
            (self.snapshot.topic_by_id(topic.topic_id), ErrorCode::UnknownTopicId)
        } else {
            (self.snapshot.topic(topic.name.as_str()), ErrorCode::UnknownTopicOrPartition)
        };
        found.map(AsRef::as_ref).ok_or(missing)
    }

    fn check_partition(
        &self,
        topic: &TopicMeta,
        partition: &OffsetCommitRequestPartition,
    ) -> Result<Commit, ErrorCode> {
        let metadata = partition.committed_metadata.as_ref().map_or("", |text| text.as_str());
        if !(0..topic.partitions).contains(&partition.partition_index) {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        if metadata.len() > self.max_metadata_bytes {
            return Err(ErrorCode::OffsetMetadataTooLarge);
        }
        let committed = Committed {
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: metadata.into(),
            time_ms: self.now_ms,
        };
        Ok(Commit { topic: topic.id, partition: partition.partition_index, committed })
    }
}

fn in_version(code: ErrorCode, version: i16) -> ErrorCode {
    match code {
        ErrorCode::GroupIdNotFound if version < FIRST_WITH_NOT_FOUND => ErrorCode::IllegalGeneration,
        code => code,
    }
}

/// What was refused for a reason of its own keeps it.
fn fail_all(topics: &mut [OffsetCommitResponseTopic], code: ErrorCode) {
    for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        if partition.error_code == ErrorCode::None.code() {
            partition.error_code = code.code();
        }
    }
}
