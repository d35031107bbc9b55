//! AlterShareGroupOffsets: has a share group that nobody is in begin elsewhere; answered when that is on
//! disk.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::AlterShareGroupOffsetsRequest;
use schloss_wire::messages::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic;
use schloss_wire::messages::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponse, AlterShareGroupOffsetsResponsePartition,
    AlterShareGroupOffsetsResponseTopic,
};
use schloss_wire::{ErrorCode, Uuid, build};

use crate::broker::Broker;
use crate::groups::{Refused, TopicPartition};
use crate::reply::{later, text};

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: AlterShareGroupOffsetsRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let altered = alter(&broker, &request).await;
        altered.unwrap_or_else(|refused| {
            build!(AlterShareGroupOffsetsResponse {
                error_code: refused.code.code(),
                error_message: text(refused.message),
            })
        })
    })
}

async fn alter(
    broker: &Broker,
    request: &AlterShareGroupOffsetsRequest,
) -> Result<AlterShareGroupOffsetsResponse, Refused> {
    broker.groups.check_deserted_share(&request.group_id)?;
    let snapshot = broker.metadata.snapshot();
    let mut offsets = Vec::new();
    let responses = request.topics.iter().map(|topic| plan(topic, &snapshot, &mut offsets)).collect();
    let reset = broker.shares.reset(&request.group_id, &offsets).await;
    reset.map_err(|code| Refused::new(code, "the offsets can't be stored now"))?;
    Ok(build!(AlterShareGroupOffsetsResponse { error_message: None, responses }))
}

/// Notes the new offsets of the partitions that there are, and answers for all.
fn plan(
    topic: &AlterShareGroupOffsetsRequestTopic,
    snapshot: &Snapshot,
    offsets: &mut Vec<(TopicPartition, i64)>,
) -> AlterShareGroupOffsetsResponseTopic {
    let found = snapshot.topic(&topic.topic_name);
    let mut partitions = Vec::with_capacity(topic.partitions.len());
    for wanted in &topic.partitions {
        let exists = found.filter(|topic| (0..topic.partitions).contains(&wanted.partition_index));
        let refused = match exists {
            None => Some((ErrorCode::UnknownTopicOrPartition, "there is no such partition")),
            Some(_) if wanted.start_offset < 0 => {
                Some((ErrorCode::InvalidRequest, "an offset is not negative"))
            }
            Some(topic) => {
                offsets.push(((topic.id, wanted.partition_index), wanted.start_offset));
                None
            }
        };
        partitions.push(build!(AlterShareGroupOffsetsResponsePartition {
            partition_index: wanted.partition_index,
            error_code: refused.map_or(0, |(code, _)| code.code()),
            error_message: refused.and_then(|(_, message)| text(message)),
        }));
    }
    build!(AlterShareGroupOffsetsResponseTopic {
        topic_name: topic.topic_name.clone(),
        topic_id: found.map_or(Uuid::ZERO, |topic| topic.id),
        partitions,
    })
}
