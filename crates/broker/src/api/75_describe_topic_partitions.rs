//! DescribeTopicPartitions: partitions of topics, page by page (KIP-966).

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::{TopicMeta, check_topic_name};
use schloss_wire::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use schloss_wire::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::partition::LEADER_EPOCH;
use crate::reply::ready;

/// Most partitions in one page, whatever the client asks for (`max.request.partition.size.limit`).
const MAX_PAGE: i32 = 2_000;
/// What stands for no leader.
const NO_NODE: i32 = -1;

/// Topics are always named: policy puts the names in that the caller may see when it asks for all.
pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: DescribeTopicPartitionsRequest,
) -> BoxFuture<'static, Outcome> {
    let snapshot = broker.metadata.snapshot();
    let mut names: Vec<StrBytes> = request.topics.into_iter().map(|topic| topic.name).collect();
    names.sort_unstable();
    names.dedup();
    let cursor = request.cursor.as_ref();
    let mut left = request.response_partition_limit.clamp(1, MAX_PAGE);
    let (mut topics, mut next_cursor) = (Vec::new(), None);
    for name in names.into_iter().filter(|name| cursor.is_none_or(|cursor| *name >= cursor.topic_name)) {
        let at = |partition_index| Some(build!(Cursor { topic_name: name.clone(), partition_index }));
        if left == 0 {
            next_cursor = at(0);
            break;
        }
        let Some(topic) = snapshot.topic(&name) else {
            topics.push(missing(name));
            continue;
        };
        let first =
            cursor.filter(|cursor| cursor.topic_name == name).map_or(0, |cursor| cursor.partition_index);
        let end = first.saturating_add(left).min(topic.partitions);
        let page = describe(broker, topic, first..end);
        left -= i32::try_from(page.partitions.len()).unwrap_or(left);
        topics.push(page);
        if end < topic.partitions {
            next_cursor = at(end);
            break;
        }
    }
    ready(build!(DescribeTopicPartitionsResponse { topics, next_cursor }))
}

fn describe(
    broker: &Broker,
    topic: &TopicMeta,
    indexes: std::ops::Range<i32>,
) -> DescribeTopicPartitionsResponseTopic {
    let node = broker.config.node_id;
    let partition = |partition_index: i32| {
        let found = broker.partitions.get(topic.id, partition_index);
        let usable = found.is_ok_and(|partition| partition.log.check().is_ok());
        let only = || vec![node];
        build!(DescribeTopicPartitionsResponsePartition {
            error_code: if usable { 0 } else { ErrorCode::LeaderNotAvailable.code() },
            partition_index,
            leader_id: if usable { node } else { NO_NODE },
            leader_epoch: LEADER_EPOCH,
            replica_nodes: only(),
            isr_nodes: if usable { only() } else { Vec::new() },
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: if usable { Vec::new() } else { only() },
        })
    };
    build!(DescribeTopicPartitionsResponseTopic {
        name: Some(StrBytes::from(&*topic.name)),
        topic_id: topic.id,
        partitions: indexes.map(partition).collect(),
    })
}

fn missing(name: StrBytes) -> DescribeTopicPartitionsResponseTopic {
    let code =
        check_topic_name(&name).err().map_or(ErrorCode::UnknownTopicOrPartition, |refused| refused.code);
    build!(DescribeTopicPartitionsResponseTopic { error_code: code.code(), name: Some(name) })
}
