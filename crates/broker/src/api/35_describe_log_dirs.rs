//! DescribeLogDirs: how much of the disk partitions take. There is one directory.

use std::path::Path;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::TopicMeta;
use schloss_wire::messages::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
use schloss_wire::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use schloss_wire::{StrBytes, build};

use crate::broker::Broker;
use crate::reply::{later, on_disk};

/// What stands for a size that is not known.
const UNKNOWN_BYTES: i64 = -1;

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: DescribeLogDirsRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(
        async move { on_disk(move || describe(&broker, request.topics.as_deref())).await.unwrap_or_default() },
    )
}

fn describe(broker: &Broker, wanted: Option<&[DescribableLogDirTopic]>) -> DescribeLogDirsResponse {
    let snapshot = broker.metadata.snapshot();
    let topics: Vec<_> = match wanted {
        // None asks for all, an empty list for none.
        None => snapshot
            .topics()
            .map(|topic| describe_topic(broker, topic, (0..topic.partitions).collect()))
            .collect(),
        Some(wanted) => wanted
            .iter()
            .filter_map(|wanted| {
                let topic = snapshot.topic(&wanted.topic)?;
                Some(describe_topic(broker, topic, wanted.partitions.clone()))
            })
            .collect(),
    };
    let directory = broker.config.data_dir.join("topics");
    let (total_bytes, usable_bytes) = space(&directory).unwrap_or((UNKNOWN_BYTES, UNKNOWN_BYTES));
    let result = build!(DescribeLogDirsResult {
        log_dir: StrBytes::from(directory.to_string_lossy().into_owned()),
        topics: topics.into_iter().filter(|topic| !topic.partitions.is_empty()).collect(),
        total_bytes,
        usable_bytes,
    });
    build!(DescribeLogDirsResponse { results: vec![result] })
}

/// The partitions that there are; as in Kafka, others are left out.
fn describe_topic(broker: &Broker, topic: &TopicMeta, indexes: Vec<i32>) -> DescribeLogDirsTopic {
    let partitions = indexes.into_iter().filter_map(|partition_index| {
        let partition = broker.partitions.get(topic.id, partition_index).ok()?;
        let partition_size = i64::try_from(partition.log.size_bytes()).unwrap_or(i64::MAX);
        Some(build!(DescribeLogDirsPartition { partition_index, partition_size }))
    });
    build!(DescribeLogDirsTopic { name: StrBytes::from(&*topic.name), partitions: partitions.collect() })
}

/// Bytes of the file system, and those that are left of them.
fn space(directory: &Path) -> Option<(i64, i64)> {
    let facts = rustix::fs::statvfs(directory).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(facts.f_frsize)).unwrap_or(i64::MAX);
    Some((bytes(facts.f_blocks), bytes(facts.f_bavail)))
}
