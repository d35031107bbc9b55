//! DeleteRecords: all records before an offset are gone, for good.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest};
use schloss_wire::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::log_errors::code_of;
use crate::partition::Partition;
use crate::reply::{later, on_disk};
use crate::settings::TopicSettings;

/// What stands for the high watermark in a request, and for no offset in an answer.
const HIGH_WATERMARK: i64 = -1;
const NO_OFFSET: i64 = -1;

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: DeleteRecordsRequest,
) -> BoxFuture<'static, Outcome> {
    let snapshot = broker.metadata.snapshot();
    let mut deletions = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = snapshot.topic(asked.name.as_str());
        let find = |wanted: &DeleteRecordsPartition| {
            let topic = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?;
            let partition = broker.partitions.get(topic.id, wanted.partition_index)?;
            let may = TopicSettings::new(&topic.configs, &broker.config).records_can_be_deleted();
            // What is compacted is a table: its oldest rows are no older than the others.
            if may { Ok((partition, wanted.offset)) } else { Err(ErrorCode::PolicyViolation) }
        };
        let wanted: Vec<_> =
            asked.partitions.iter().map(|wanted| (wanted.partition_index, find(wanted))).collect();
        deletions.push((asked.name, wanted));
    }
    let delete_all = move || {
        let topic = |(name, wanted): (_, Vec<(i32, Deletion)>)| {
            let partitions = wanted.into_iter().map(|(index, deletion)| answer(index, deletion));
            build!(DeleteRecordsTopicResult { name, partitions: partitions.collect() })
        };
        build!(DeleteRecordsResponse { topics: deletions.into_iter().map(topic).collect() })
    };
    later(async move { on_disk(delete_all).await.unwrap_or_default() })
}

type Deletion = Result<(Arc<Partition>, i64), ErrorCode>;

fn answer(partition_index: i32, deletion: Deletion) -> DeleteRecordsPartitionResult {
    let outcome = deletion.and_then(|(partition, offset)| {
        let log = &partition.log;
        let before = if offset == HIGH_WATERMARK { log.high_watermark() } else { offset };
        if before < 0 {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        log.delete_before(before).map_err(|error| code_of(&error))
    });
    let (low_watermark, error_code) = match outcome {
        Ok(start) => (start, 0),
        Err(code) => (NO_OFFSET, code.code()),
    };
    build!(DeleteRecordsPartitionResult { partition_index, low_watermark, error_code })
}
