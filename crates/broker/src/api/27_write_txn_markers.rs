//! WriteTxnMarkers: an administrator ends a transaction in single partitions (`kafka-transactions abort`), where
//! it hangs.

use futures_util::future::{BoxFuture, join_all};
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};
use schloss_wire::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    WriteTxnMarkersResponse,
};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::control::Marker;
use crate::log_errors::code_of;
use crate::partition::WriteError;
use crate::producers::{ProducerError, TransactionVersion};
use crate::reply::{later, now_ms};

/// The first version of transactions with an epoch for each.
const V2: i8 = 2;

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: WriteTxnMarkersRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let snapshot = broker.metadata.snapshot();
        let mut markers: Vec<WritableTxnMarkerResult> = Vec::with_capacity(request.markers.len());
        for marker in &request.markers {
            let topics = marker.topics.iter().map(|topic| write(&broker, &snapshot, marker, topic));
            let topics = join_all(topics).await;
            // One answer for each producer, however many markers there are for it.
            match markers.iter_mut().find(|answer| answer.producer_id == marker.producer_id) {
                Some(answer) => answer.topics.extend(topics),
                None => {
                    markers.push(build!(WritableTxnMarkerResult { producer_id: marker.producer_id, topics }))
                }
            }
        }
        build!(WriteTxnMarkersResponse { markers })
    })
}

async fn write(
    broker: &Broker,
    snapshot: &Snapshot,
    marker: &WritableTxnMarker,
    topic: &WritableTxnMarkerTopic,
) -> WritableTxnMarkerTopicResult {
    let meta = snapshot.topic(&topic.name);
    let partitions = topic.partition_indexes.iter().map(|&partition_index| async move {
        let written = match meta {
            Some(meta) => write_one(broker, meta.id, partition_index, marker).await,
            None => Err(ErrorCode::UnknownTopicOrPartition),
        };
        let error_code = written.err().unwrap_or(ErrorCode::None).code();
        build!(WritableTxnMarkerPartitionResult { partition_index, error_code })
    });
    build!(WritableTxnMarkerTopicResult { name: topic.name.clone(), partitions: join_all(partitions).await })
}

async fn write_one(
    broker: &Broker,
    topic: schloss_wire::Uuid,
    index: i32,
    wanted: &WritableTxnMarker,
) -> Result<(), ErrorCode> {
    let partition = broker.partitions.get(topic, index)?;
    let marker = Marker {
        producer_id: wanted.producer_id,
        producer_epoch: wanted.producer_epoch,
        commit: wanted.transaction_result,
        coordinator_epoch: wanted.coordinator_epoch,
    };
    let version =
        if wanted.transaction_version >= V2 { TransactionVersion::V2 } else { TransactionVersion::V1 };
    let written = partition.end_transaction(&marker, version, now_ms()).map_err(|error| match error {
        WriteError::Producer(ProducerError::StaleCoordinator { .. }) => {
            ErrorCode::TransactionCoordinatorFenced
        }
        WriteError::Producer(_) => ErrorCode::InvalidProducerEpoch,
        WriteError::Transaction(code) => code,
        WriteError::Log(error) => code_of(&error),
    })?;
    partition.log.wait_flushed(written.last_offset + 1).await.map_err(|error| code_of(&error))
}
