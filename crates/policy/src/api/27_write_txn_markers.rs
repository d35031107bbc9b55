//! WriteTxnMarkers: ALTER or CLUSTER_ACTION on the cluster.

use schloss_wire::messages::write_txn_markers_request::WritableTxnMarkerTopic;
use schloss_wire::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use schloss_wire::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_split, reserved_refusal, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: WriteTxnMarkersRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter, act] = table::WRITE_TXN_MARKERS;
    if !alter.suffices_on_cluster(judge)
        && let Some(code) = act.refusal_on_cluster(judge)
    {
        return Verdict::Refused(refuse(&request, code).into());
    }
    let refused = take_reserved(&mut request, judge);
    let left = Left::after(&request.markers, &refused);
    conclude_split(request, left, judge, move |response: &mut WriteTxnMarkersResponse, _| {
        for result in refused {
            // Kafka answers once for each producer.
            let answered = response.markers.iter_mut().find(|other| other.producer_id == result.producer_id);
            match answered {
                Some(other) => other.topics.extend(result.topics),
                None => response.markers.push(result),
            }
        }
    })
}

fn take_reserved(
    request: &mut WriteTxnMarkersRequest,
    judge: &mut Judge<'_>,
) -> Vec<WritableTxnMarkerResult> {
    let mut refused = Vec::new();
    request.markers.retain_mut(|marker| {
        let reserved = take_denied(&mut marker.topics, |topic| reserved_refusal(judge, &topic.name));
        if reserved.is_empty() {
            return true;
        }
        let topics = reserved.iter().map(|(topic, code)| refuse_topic(topic, *code)).collect();
        refused.push(build!(WritableTxnMarkerResult { producer_id: marker.producer_id, topics }));
        !marker.topics.is_empty()
    });
    refused
}

pub(super) fn refuse(request: &WriteTxnMarkersRequest, code: ErrorCode) -> WriteTxnMarkersResponse {
    let markers = request.markers.iter().map(|marker| {
        let topics = marker.topics.iter().map(|topic| refuse_topic(topic, code)).collect();
        build!(WritableTxnMarkerResult { producer_id: marker.producer_id, topics })
    });
    build!(WriteTxnMarkersResponse { markers: markers.collect() })
}

fn refuse_topic(topic: &WritableTxnMarkerTopic, code: ErrorCode) -> WritableTxnMarkerTopicResult {
    let partitions = topic.partition_indexes.iter().map(|&partition_index| {
        build!(WritableTxnMarkerPartitionResult { partition_index, error_code: code.code() })
    });
    build!(WritableTxnMarkerTopicResult { name: topic.name.clone(), partitions: partitions.collect() })
}
