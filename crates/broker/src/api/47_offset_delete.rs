//! OffsetDelete: a group's offsets of partitions that no member reads; answered when that is on disk.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::offset_delete_request::{OffsetDeleteRequest, OffsetDeleteRequestTopic};
use schloss_wire::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::groups::{ForgottenTopic, shared};
use crate::reply::{later, ready};

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: OffsetDeleteRequest,
) -> BoxFuture<'static, Outcome> {
    if request.group_id.is_empty() {
        return ready(build!(OffsetDeleteResponse { error_code: ErrorCode::InvalidGroupId.code() }));
    }
    let broker = broker.clone();
    later(async move {
        let snapshot = broker.metadata.snapshot();
        // Partitions that there are; of others no group has an offset.
        let existing = |topic: &OffsetDeleteRequestTopic| {
            let meta = snapshot.topic(&topic.name)?;
            let partitions = topic.partitions.iter().map(|one| one.partition_index);
            Some(ForgottenTopic {
                name: shared(&topic.name),
                id: meta.id,
                partitions: partitions.filter(|index| (0..meta.partitions).contains(index)).collect(),
            })
        };
        let found: Vec<_> = request.topics.iter().map(existing).collect();
        let known: Vec<_> = found.into_iter().flatten().collect();
        let deleted = match broker.groups.delete_offsets(&request.group_id, &known).await {
            Ok(deleted) => deleted,
            Err(code) => return build!(OffsetDeleteResponse { error_code: code.code() }),
        };
        let mut results = known.iter().zip(deleted).collect::<Vec<_>>().into_iter().peekable();
        let topics = request.topics.into_iter().map(|topic| {
            let result = results.next_if(|(known, _)| *known.name == *topic.name);
            answer(topic, result)
        });
        build!(OffsetDeleteResponse { topics: topics.collect() })
    })
}

fn answer(
    topic: OffsetDeleteRequestTopic,
    result: Option<(&ForgottenTopic, Result<(), ErrorCode>)>,
) -> OffsetDeleteResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| {
        let partition_index = partition.partition_index;
        let code = match &result {
            Some((known, result)) if known.partitions.contains(&partition_index) => {
                result.err().unwrap_or(ErrorCode::None)
            }
            _ => ErrorCode::UnknownTopicOrPartition,
        };
        build!(OffsetDeleteResponsePartition { partition_index, error_code: code.code() })
    });
    build!(OffsetDeleteResponseTopic { partitions: partitions.collect(), name: topic.name })
}
