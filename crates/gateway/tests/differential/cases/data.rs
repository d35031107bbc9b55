//! Records in and out.

use schloss_wire::messages as m;
use schloss_wire::{Api, build};

use crate::case::{Case, cluster_ways, each, ways};
use crate::records::batch;
use crate::side::{At, Side};

use super::LABELS;

const BROKER: At = At::Broker(1);

/// First version of Produce and of Fetch that names topics by their ids.
const PRODUCE_IDS: i16 = 13;
const FETCH_IDS: i16 = 13;

fn produce(side: &Side<'_>, labels: &[&str], acks: i16) -> m::ProduceRequest {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let by_id = side.version() >= PRODUCE_IDS;
    let topics = labels.iter().map(|label| {
        let partition = |index| build!(PartitionProduceData { index, records: Some(batch(2, None)) });
        build!(TopicProduceData {
            name: if by_id { "".into() } else { side.text(label) },
            topic_id: if by_id { side.id(label) } else { schloss_wire::Uuid::ZERO },
            // Partition 1 is led by another broker, partition 7 is none.
            partition_data: vec![partition(0), partition(1), partition(7)],
        })
    });
    build!(m::ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 10_000,
        topic_data: topics.collect()
    })
}

fn fetch(side: &Side<'_>, session_epoch: i32, labels: &[&str]) -> m::FetchRequest {
    use m::fetch_request::{FetchPartition, FetchTopic};
    let by_id = side.version() >= FETCH_IDS;
    let topics = labels.iter().map(|label| {
        let partition = |index| build!(FetchPartition { partition: index, partition_max_bytes: 1 << 20 });
        build!(FetchTopic {
            topic: if by_id { "".into() } else { side.text(label) },
            topic_id: if by_id { side.id(label) } else { schloss_wire::Uuid::ZERO },
            partitions: vec![partition(0), partition(1), partition(7)],
        })
    });
    build!(m::FetchRequest { max_wait_ms: 0, max_bytes: 1 << 20, session_epoch, topics: topics.collect() })
}

fn list_offsets(side: &Side<'_>) -> m::ListOffsetsRequest {
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let topics = LABELS.map(|label| {
        let partition = |partition_index| build!(ListOffsetsPartition { partition_index, timestamp: -1 });
        build!(ListOffsetsTopic {
            name: side.text(label),
            partitions: vec![partition(0), partition(1), partition(7)]
        })
    });
    build!(m::ListOffsetsRequest { replica_id: -1, topics: topics.to_vec() })
}

fn leader_epoch(side: &Side<'_>) -> m::OffsetForLeaderEpochRequest {
    use m::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
    let topics = LABELS.map(|label| {
        let partition = |partition| {
            build!(OffsetForLeaderPartition { partition, current_leader_epoch: -1, leader_epoch: 0 })
        };
        build!(OffsetForLeaderTopic { topic: side.text(label), partitions: vec![partition(0), partition(7)] })
    });
    build!(m::OffsetForLeaderEpochRequest { replica_id: -1, topics: topics.to_vec() })
}

fn delete_records(side: &Side<'_>) -> m::DeleteRecordsRequest {
    use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let topics = LABELS.map(|label| {
        // Nothing is before offset 0, so nothing is deleted.
        let partition = |partition_index| build!(DeleteRecordsPartition { partition_index, offset: 0 });
        build!(DeleteRecordsTopic { name: side.text(label), partitions: vec![partition(0), partition(7)] })
    });
    build!(m::DeleteRecordsRequest { topics: topics.to_vec(), timeout_ms: 10_000 })
}

fn describe_producers(side: &Side<'_>) -> m::DescribeProducersRequest {
    use m::describe_producers_request::TopicRequest;
    let topics =
        LABELS.map(|label| build!(TopicRequest { name: side.text(label), partition_indexes: vec![0, 1, 7] }));
    build!(m::DescribeProducersRequest { topics: topics.to_vec() })
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(each(Api::Fetch, "a full fetch", BROKER, ways("read", "topic"), |side| {
        fetch(side, -1, &LABELS)
    }));
    let opened =
        each(Api::Fetch, "opens a session", BROKER, ways("read", "topic"), |side| fetch(side, 0, &LABELS));
    cases.extend(opened.into_iter().map(|case| case.versions(7..=i16::MAX)));
    cases.extend(
        each(Api::Fetch, "as a replica", BROKER, cluster_ways("cluster-action"), |side| {
            let mut request = fetch(side, -1, &["a"]);
            request.replica_id = 2;
            request
        })
        .into_iter()
        .map(|case| case.versions(0..=14)),
    );
    cases.extend(each(Api::ListOffsets, "the ends", BROKER, ways("describe", "topic"), list_offsets));
    cases.extend(each(Api::OffsetForLeaderEpoch, "epoch 0", BROKER, ways("describe", "topic"), leader_epoch));
    cases.extend(each(
        Api::OffsetForLeaderEpoch,
        "epoch 0",
        BROKER,
        cluster_ways("cluster-action"),
        leader_epoch,
    ));
    cases.extend(each(Api::DescribeProducers, "all", BROKER, ways("read", "topic"), describe_producers));
    cases.extend(each(Api::DeleteRecords, "none", BROKER, ways("delete", "topic"), delete_records));
    for (what, acks) in [("acks of all", -1), ("acks of one", 1)] {
        let produced = each(Api::Produce, what, BROKER, ways("write", "topic"), move |side| {
            produce(side, &LABELS, acks)
        });
        cases.extend(produced.into_iter().map(Case::alone));
    }
    cases
}
